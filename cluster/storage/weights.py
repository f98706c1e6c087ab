"""Trained weights on object storage, copied once to each node that needs them."""

from pathlib import Path

from cluster.storage.uri import place
from facegan.cache import weights_copy
from facegan.errors import UserError
from facegan.metrics.evaluation_config import JudgesConfig


def stage_vgg(weights: str) -> None:
    """See that a node has VGG-19's weights where the networks look for them; other values than s3:// need nothing."""
    _stage("vgg.weights", weights, "give a file, 'imagenet' or 'random'")


def stage_judges(judges: JudgesConfig) -> None:
    """See that a node has the files of the judges where they are looked for."""
    for flag, value in judges.files().items():
        _stage(flag, value, "give a file")
    if judges.landmark_weights:
        stage_landmark_weights(judges.landmark_weights, "--judges.landmark_weights")


def _stage(flag: str, uri: str, cure: str) -> None:
    if not uri.startswith("s3://"):
        return
    folder, _, name = uri.rpartition("/")
    where = place(flag, folder)
    found = {entry.key: entry for entry in where.entries(name)}.get(name)
    if found is None:
        raise UserError(f"{flag} is {uri!r}: no such object; correct the URI, or {cure}")
    where.copy(found, weights_copy(uri))


def stage_landmark_weights(weights: str, flag: str = "--landmark_weights") -> Path:
    """A local folder with face-alignment's two files."""
    where = place(flag, weights)
    if not where.is_s3:
        return where.folder
    folder = weights_copy(where.uri)
    entries = where.entries()
    if not entries:
        raise UserError(f"{flag} is {weights!r}: nothing lies there; upload face-alignment's two files")
    for entry in entries:
        where.copy(entry, folder / entry.key)
    return folder
