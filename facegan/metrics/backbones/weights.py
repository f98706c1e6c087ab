"""Weight files of evaluators: checked by the hash in their names, and read without executing pickled code."""

import pickle
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from facegan.cache import local_weights
from facegan.errors import UserError
from facegan.files import file_sha256

# As in torch's hub, a file name may end in the start of the file's sha256.
_HASH_IN_NAME = re.compile(r"-([0-9a-f]{8,64})\.(?:pth|pt|onnx)$")


def weight_file(value: str, flag: str) -> Path:
    """The local file of a path, or of a URI that was copied to this machine before.

    Raises UserError if there is no file, or if its name ends in another hash than its content has.
    """
    path = local_weights(value)
    if not path.is_file():
        raise UserError(f"{flag} is {value!r}: no such file; give a file or a URI")
    named = _HASH_IN_NAME.search(path.name)
    if named and not file_sha256(path).startswith(named[1]):
        raise UserError(f"{flag} is {value!r}: the file is damaged (its sha256 does not begin {named[1]}); fetch it again")
    return path


def load_tensors(path: Path, wanted: Mapping[str, Tensor], flag: str) -> dict[str, Tensor]:
    """The tensors of a file's state dict that have the names in `wanted`.

    Raises UserError if the file holds no state dict, or if a tensor is missing or has another shape.
    """
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
        tensors = {name: found[name] for name in wanted}
    except KeyError as absent:
        raise UserError(f"{flag}: {path} does not hold these weights ({absent} is missing)") from None
    except (pickle.UnpicklingError, RuntimeError, TypeError, ValueError, EOFError):
        # torch's own message is long and advises to load the file in a way that runs its code.
        raise UserError(f"{flag}: {path} does not hold these weights (it is no file of tensors by their names)") from None
    for name, tensor in tensors.items():
        if not isinstance(tensor, Tensor) or tensor.shape != wanted[name].shape:
            shape = list(getattr(tensor, "shape", ()))
            raise UserError(f"{flag}: {path} does not hold these weights ({name} is {shape}, not {list(wanted[name].shape)})")
    return tensors
