"""Read and write files of start weights."""

from pathlib import Path

from torch import nn

from facegan import start_weights
from facegan.errors import UserError


def load_shipped(seed: int, generator: nn.Module, discriminator: nn.Module) -> None:
    """Load the start weights of a seed into both networks. Raises UserError if their file is missing or damaged."""
    from safetensors import SafetensorError  # not needed by runs that start from random weights
    from safetensors.torch import load_file

    path = start_weights.shipped_file(seed)
    try:
        tensors = load_file(path)
        for name, network in (("generator", generator), ("discriminator", discriminator)):
            prefix = f"{name}."
            network.load_state_dict({k.removeprefix(prefix): v.float() for k, v in tensors.items() if k.startswith(prefix)})
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0][:100]
        raise UserError(f"{path} is missing or damaged ({reason}); install facegan again, or give --start random") from None


def save_start_weights(path: Path, generator: nn.Module, discriminator: nn.Module) -> None:
    """Write the weights of both networks as one safetensors file in half precision."""
    from safetensors.torch import save_file

    networks = {"generator": generator, "discriminator": discriminator}
    save_file(
        {f"{n}.{k}": v.half().contiguous() for n, network in networks.items() for k, v in network.state_dict().items()}, path
    )
    path.chmod(0o644)  # others read the package too
