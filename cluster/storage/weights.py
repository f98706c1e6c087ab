"""Trained weights on a storage server: each node that needs them makes one local copy."""

from pathlib import Path

from cluster.storage.uri import storage_uri
from facegan.cache import is_remote, local_weights
from facegan.errors import UserError
from facegan.metrics.evaluation_config import EvaluatorsConfig


def stage_vgg(weights: str) -> None:
    """Copy VGG-19's weights to where `facegan.cache.local_weights` expects them. Values other than remote URIs need no copy."""
    _stage("vgg.weights", weights, "give a file, 'imagenet' or 'random'")


def stage_evaluators(evaluators: EvaluatorsConfig) -> None:
    """Copy the files of the evaluators to where `facegan.cache.local_weights` expects them."""
    for flag, value in evaluators.files().items():
        _stage(flag, value, "give a file")
    if evaluators.landmark_weights:
        stage_landmark_weights(evaluators.landmark_weights, "--evaluators.landmark_weights")


def _stage(flag: str, uri: str, alternative: str) -> None:
    if not is_remote(uri):
        return
    folder, _, name = uri.rpartition("/")
    where = storage_uri(flag, folder)
    found = {entry.key: entry for entry in where.entries(name)}.get(name)
    if found is None:
        raise UserError(f"{flag} is {uri!r}: no such object; correct the URI, or {alternative}")
    where.copy(found, local_weights(uri))


def stage_landmark_weights(weights: str, flag: str = "--landmark_weights") -> Path:
    """Return a local folder with face-alignment's two files, copied if `weights` is a remote URI."""
    where = storage_uri(flag, weights)
    if not where.is_remote:
        return where.folder
    folder = local_weights(where.uri)
    entries = where.entries()
    if not entries:
        raise UserError(f"{flag} is {weights!r}: there are no objects; upload face-alignment's two files")
    for entry in entries:
        where.copy(entry, folder / entry.key)
    return folder
