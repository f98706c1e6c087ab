"""The file of VGG-19's weights, and its name in results. Imports torch only to find or download the public file."""

import os
from pathlib import Path

from facegan.cache import local_weights
from facegan.config import VggConfig
from facegan.errors import UserError
from facegan.files import file_sha256

_PUBLIC_WEIGHTS = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"
_PUBLIC_HASH_PREFIX = "dcbb9e9d"


def weights_file(config: VggConfig) -> Path:
    """The file of trained weights; for 'imagenet' it is downloaded once into torch's hub folder and checked by its hash.

    Raises UserError if there is no such file, if it is damaged, or if it cannot be downloaded.
    """
    if config.weights != "imagenet":
        path = local_weights(config.weights)
        if not os.path.isfile(path):  # Path.is_file raises OSError for a name that is too long
            raise UserError(f"vgg.weights is {config.weights!r}: no such file; give VGG-19's weights, 'imagenet' or 'random'")
        return path
    import torch  # takes seconds, and plans and flags are read without it

    path = Path(torch.hub.get_dir()) / "checkpoints" / _PUBLIC_WEIGHTS.rsplit("/", 1)[1]
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(_PUBLIC_WEIGHTS, str(path), _PUBLIC_HASH_PREFIX, progress=False)
        except (OSError, RuntimeError) as error:  # RuntimeError: the download has another hash
            raise UserError(
                f"vgg.weights is 'imagenet': cannot fetch {_PUBLIC_WEIGHTS} ({error}); "
                "give a file by --vgg.weights, or --vgg.weights random"
            ) from None
    if not file_sha256(path).startswith(_PUBLIC_HASH_PREFIX):
        raise UserError(f"vgg.weights: {path} is damaged (its sha256 does not begin {_PUBLIC_HASH_PREFIX}); remove it")
    return path


def weights_name(config: VggConfig) -> str:
    """The name of the weights in results: with the seed if random, else with the start of the file's sha256."""
    if config.weights == "random":
        return f"random weights (seed {config.seed}, width {config.width})"
    return f"{config.weights} (sha256 {file_sha256(weights_file(config))[:12]})"
