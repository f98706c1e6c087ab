"""On a node: write the URI of the store to /etc/facegan.env, and download the weights that are in the store.

`ray up` runs it when it sets a node up. Weights that are not in the store are downloaded from their authors when needed.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from cluster.cli.command_line import run_job
from cluster.storage.uri import storage_uri
from infra.aws.stack import read_stack

ENVIRONMENT = Path("/etc/facegan.env")


@dataclass(frozen=True)
class StageWeights:
    """No arguments."""


def main(_: StageWeights) -> None:
    """Set FACEGAN_STORE in the node's environment, and copy `weights/` of the store to the folder of torch.hub."""
    store = read_stack().store()
    other_lines = [line for line in ENVIRONMENT.read_text().splitlines() if not line.startswith("FACEGAN_STORE=")]
    ENVIRONMENT.write_text("\n".join([*other_lines, f"FACEGAN_STORE={store}"]) + "\n")
    weights = storage_uri("the store", f"{store}/weights")
    # face-alignment looks for its weights in this folder too.
    folder = Path(os.environ["TORCH_HOME"]) / "hub" / "checkpoints"
    for entry in weights.entries():
        weights.copy(entry, folder / entry.key)
        print(f"weights  {folder / entry.key} ({entry.size / 1e6:.0f} MB)", flush=True)


if __name__ == "__main__":
    run_job(main, StageWeights, __doc__)
