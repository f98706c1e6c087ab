"""Trained weights on object storage, copied once to each node that needs them."""

from pathlib import Path

from cluster.storage import place
from facegan.cache import weights_copy
from facegan.config import UserError


def stage_vgg(weights: str) -> None:
    """See that a node has VGG-19's weights where the networks look for them; other values than s3:// need nothing."""
    if not weights.startswith("s3://"):
        return
    folder, _, name = weights.rpartition("/")
    where = place("vgg.weights", folder)
    found = {entry.key: entry for entry in where.entries(name)}.get(name)
    if found is None:
        raise UserError(f"vgg.weights is {weights!r}: no such object; correct the URI, or give a file, 'imagenet' or 'random'")
    where.copy(found, weights_copy(weights))


def stage_landmark_weights(weights: str) -> Path:
    """A local folder with face-alignment's two files."""
    where = place("--landmark_weights", weights)
    if not where.is_s3:
        return where.folder
    folder = weights_copy(where.uri)
    entries = where.entries()
    if not entries:
        raise UserError(f"--landmark_weights is {weights!r}: nothing lies there; upload face-alignment's two files")
    for entry in entries:
        where.copy(entry, folder / entry.key)
    return folder
