"""Files of trained weights for evaluators: found, read without pickle's dangers, and checked by the hash in their names."""

import pickle
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from facegan.cache import local_weights
from facegan.errors import UserError
from facegan.files import file_sha256

# torch's hub puts the start of the sha256 at the end of a file's name.
_HASH_IN_NAME = re.compile(r"-([0-9a-f]{8,64})\.(?:pth|pt|onnx)$")


def weight_file(value: str, flag: str) -> Path:
    """The local file of a path, or of a URI that was copied here, its hash checked where the name ends in one."""
    path = local_weights(value)
    if not path.is_file():
        raise UserError(f"{flag} is {value!r}: no such file; give a file or a URI")
    named = _HASH_IN_NAME.search(path.name)
    if named and not file_sha256(path).startswith(named[1]):
        raise UserError(f"{flag} is {value!r}: the file is damaged (its sha256 does not begin {named[1]}); fetch it again")
    return path


def load_tensors(path: Path, wanted: Mapping[str, Tensor], flag: str) -> dict[str, Tensor]:
    """The wanted tensors of a state dict in a file, others left aside; a UserError where one lacks or has another shape."""
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
        tensors = {name: found[name] for name in wanted}
    except KeyError as absent:
        raise UserError(f"{flag}: {path} does not hold these weights ({absent} is missing)") from None
    except (pickle.UnpicklingError, RuntimeError, TypeError, ValueError, EOFError):
        # What torch says of it is an essay, with advice that would run the file's code.
        raise UserError(f"{flag}: {path} does not hold these weights (it is no file of tensors by their names)") from None
    for name, tensor in tensors.items():
        if not isinstance(tensor, Tensor) or tensor.shape != wanted[name].shape:
            shape = list(getattr(tensor, "shape", ()))
            raise UserError(f"{flag}: {path} does not hold these weights ({name} is {shape}, not {list(wanted[name].shape)})")
    return tensors
