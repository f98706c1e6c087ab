"""How much the demo's scores vary with the start weights, and how much with the batches that follow.

A seed of a study stands for both. Here each of the shipped start weights is trained on with several orders of batches, so that
the two can be told apart: a nested analysis of variance, Searle, Casella and McCulloch (1992), Variance Components, chapter 3.
"""

import argparse
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # for a machine where facegan is not installed

import numpy as np
import torch
from numpy.typing import NDArray

from facegan.config import SHIPPED_SEEDS, Config
from facegan.data.ingest.ingest_config import IngestConfig
from facegan.data.ingest.sources import clips_in
from facegan.data.reading.face_data import FaceData
from facegan.data.reading.local_copy import copy_of_folder, ingest_folder
from facegan.metrics.table import HEADLINES
from facegan.presets import preset
from facegan.study.design.arms import choose_design
from facegan.synthetic.clips import write_synthetic
from facegan.synthetic.config import SyntheticConfig
from facegan.trial import TrialRun, run_trial
from facegan.trial_storage import LocalStorage
from jobs.bench.machine import Parser, machine, positive, run_main, say, write_results

ARMS = ["no_feature", "full"]


def main() -> None:
    """Train every start with every order of batches, and write the variances as JSON."""
    parser = Parser(__doc__)
    parser.add_argument("--orders", type=positive, default=3, help="orders of batches for each start weight, at least 2")
    parser.add_argument("--arms", nargs="+", default=ARMS, help="arms of Figure 2")
    parser.add_argument("--images", type=positive, default=preset("demo").images, help="of each run")
    parser.add_argument("--people", type=positive, default=80, help="people to train on")
    parser.add_argument("--test_people", type=positive, default=12, help="people to evaluate on")
    parser.add_argument("--processes", type=positive, default=2, help="runs at once, of one thread each")
    parser.add_argument("--out", type=Path, help="a JSON file for the results")
    args = parser.parse_args()
    if args.orders < 2:
        parser.error(f"--orders is {args.orders}: at least 2, or batches cannot be told from start weights")
    base = preset("demo").override({"images": args.images, "checkpoint_every": args.images, "gradient_diagnostics_every": 0})
    arms = choose_design("figure2", base, factors=(), size="", names=tuple(args.arms)).arms

    with tempfile.TemporaryDirectory() as scratch:
        os.environ["FACEGAN_CACHE"] = scratch
        data = rendered(Path(scratch), SyntheticConfig(people=args.people, test_people=args.test_people), base.data.size)
        found = {arm.name: _variances(arm.label, _train(Path(scratch), data, arm.apply(base), arm.name, args)) for arm in arms}
    write_results({"conditions": {**machine(), "images": args.images, "orders": args.orders}, "arms": found}, args.out)


def _train(scratch: Path, data: Path, config: Config, arm: str, args: argparse.Namespace) -> list[list[dict[str, float]]]:
    """The scores of an arm by start weights and by order of batches."""
    with ProcessPoolExecutor(args.processes, mp_context=get_context("spawn")) as pool:
        runs = [
            [
                pool.submit(_scores, scratch, data, f"{arm}-{start}-{order}", config, start + SHIPPED_SEEDS * order)
                for order in range(args.orders)
            ]
            for start in range(SHIPPED_SEEDS)
        ]
        return [[run.result() for run in of_start] for of_start in runs]


def _variances(label: str, scores: list[list[dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Each headline metric's standard deviations; printed too."""
    found = {metric: nested_variances(np.array([[s[metric] for s in of] for of in scores])) for metric in HEADLINES}
    for metric, parts in found.items():
        say(f"{label}, {metric}: mean {parts['mean']:.3g}, sd by start {parts['start']:.2g}, by batches {parts['batches']:.2g}")
    return found


def nested_variances(scores: NDArray[np.float64]) -> dict[str, float]:
    """Standard deviations of scores [starts, orders] by start weights and by batches; a negative variance counts as 0."""
    orders = scores.shape[1]
    batches = float(scores.var(axis=1, ddof=1).mean())
    start = float(scores.mean(axis=1).var(ddof=1)) - batches / orders
    return {"start": max(0.0, start) ** 0.5, "batches": batches**0.5, "mean": float(scores.mean())}


def rendered(root: Path, people: SyntheticConfig, size: int) -> Path:
    """The local copy of a data set of rendered people, as a study makes it."""
    clips = root / "clips"
    write_synthetic(
        clips,
        people=people.people,
        test_people=people.test_people,
        frames=people.frames,
        size=people.side,
        seed=people.seed,
    )
    how = IngestConfig(size=size, crop_smoothing=10.0)
    ingest_folder(clips_in(clips), clips, root / "data", how, synthetic=True)
    return copy_of_folder(root / "data")


def _scores(scratch: Path, data: Path, key: str, config: Config, seed: int) -> dict[str, float]:
    """Train and score one run in a process of its own; the mean over people of each headline metric."""
    torch.set_num_threads(1)
    storage = LocalStorage(scratch / "study", key)
    run_trial(TrialRun(config.override({"seed": seed}), storage), FaceData.of_copy(data), torch.device("cpu"), lambda _: None)
    card = storage.folder.scores()
    assert card is not None, f"{key} was not scored: {storage.folder.state()}"
    return {metric: float("nan") if (mean := card[metric].mean) is None else mean for metric in HEADLINES}


if __name__ == "__main__":
    run_main(main)
