"""On a node: note where the bucket is, and fetch the weights in it to where torch and face-alignment look for them.

`ray up` runs it in the set-up of every node. Weights that are not in the bucket are fetched from their authors when needed.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from cluster.cli import run_job
from cluster.storage import place
from infra.aws.stack import read_stack, said

ENVIRONMENT = Path("/etc/facegan.env")


@dataclass(frozen=True)
class StageWeights:
    """No arguments."""


def main(_: StageWeights) -> None:
    """Put FACEGAN_STORE into the node's environment, and copy `weights/` of the store."""
    stack = read_stack()
    with said(f"parameter {stack.parameter}"):
        store = stack.client("ssm").get_parameter(Name=stack.parameter)["Parameter"]["Value"]
    kept = [line for line in ENVIRONMENT.read_text().splitlines() if not line.startswith("FACEGAN_STORE=")]
    ENVIRONMENT.write_text("\n".join([*kept, f"FACEGAN_STORE={store}"]) + "\n")
    weights = place("the store", f"{store}/weights")
    folder = Path(os.environ["TORCH_HOME"]) / "hub" / "checkpoints"
    for entry in weights.entries():
        weights.copy(entry, folder / entry.key)
        print(f"weights  {folder / entry.key} ({entry.size / 1e6:.0f} MB)", flush=True)


if __name__ == "__main__":
    run_job(main, StageWeights, __doc__)
