"""Trained weights on object storage, copied once to each node that needs them."""

from pathlib import Path

from cluster.storage.uri import storage_uri
from facegan.cache import is_remote, local_weights
from facegan.errors import UserError
from facegan.metrics.evaluation_config import EvaluatorsConfig


def stage_vgg(weights: str) -> None:
    """See that a node has VGG-19's weights where the networks look for them; other values than s3:// need nothing."""
    _stage("vgg.weights", weights, "give a file, 'imagenet' or 'random'")


def stage_evaluators(evaluators: EvaluatorsConfig) -> None:
    """See that a node has the files of the evaluators where they are looked for."""
    for flag, value in evaluators.files().items():
        _stage(flag, value, "give a file")
    if evaluators.landmark_weights:
        stage_landmark_weights(evaluators.landmark_weights, "--evaluators.landmark_weights")


def _stage(flag: str, uri: str, cure: str) -> None:
    if not is_remote(uri):
        return
    folder, _, name = uri.rpartition("/")
    where = storage_uri(flag, folder)
    found = {entry.key: entry for entry in where.entries(name)}.get(name)
    if found is None:
        raise UserError(f"{flag} is {uri!r}: no such object; correct the URI, or {cure}")
    where.copy(found, local_weights(uri))


def stage_landmark_weights(weights: str, flag: str = "--landmark_weights") -> Path:
    """A local folder with face-alignment's two files."""
    where = storage_uri(flag, weights)
    if not where.is_remote:
        return where.folder
    folder = local_weights(where.uri)
    entries = where.entries()
    if not entries:
        raise UserError(f"{flag} is {weights!r}: nothing lies there; upload face-alignment's two files")
    for entry in entries:
        where.copy(entry, folder / entry.key)
    return folder
