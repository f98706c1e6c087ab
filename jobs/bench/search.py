"""What early stopping costs and saves: candidates of several searches are all trained to the end, then stopped on paper.

For each seed, ASHA is replayed on what the candidates measured at its rungs, with as many runs at a time as `--processes`. Its
front is compared with that of all candidates, and with that of as many whole runs as its images would pay for. The candidate
with the least loss is looked up too: it shows what would come of comparing by the loss.
"""

import argparse
import json
import os
import random
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # for a machine where facegan is not installed

import torch
from scipy import stats

from facegan.config import Config
from facegan.data.reading.face_data import FaceData
from facegan.presets import preset
from facegan.records import from_json
from facegan.study.design.candidates import SearchSettings, propose, rungs_of
from facegan.study.design.search_space import parse_space
from facegan.study.search.halving import Halving
from facegan.study.search.objectives import REFERENCE, Measured, measured
from facegan.study.search.pareto import hypervolume
from facegan.study.search.replay import replay
from facegan.study.search.rungs import Rungs
from facegan.synthetic.config import SyntheticConfig
from facegan.trial import TrialRun, run_trial
from facegan.trial_storage import LocalStorage
from jobs.bench.machine import Parser, machine, positive, run_main, say, write_results
from jobs.bench.start_and_batches import rendered

Curve = list[Measured]
_ORDERS = 40
"""Orders of the candidates after the configured one in which each search is replayed."""


def main() -> None:
    """Train all candidates of all seeds, replay ASHA, and write the results as JSON."""
    parser = Parser(__doc__)
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=list(range(5)), help="of a search each, with its own candidates"
    )
    parser.add_argument("--candidates", type=positive, default=12, help="of each search")
    parser.add_argument("--images", type=positive, default=216, help="of a whole run")
    parser.add_argument("--people", type=positive, default=80, help="people to train on")
    parser.add_argument("--processes", type=positive, default=2, help="runs at once, of one thread each")
    parser.add_argument("--space", nargs="*", default=[], help="what to vary, as in jobs/search.py")
    parser.add_argument(
        "--curves", type=Path, nargs="+", help="results of earlier runs, whose candidates are not trained again"
    )
    parser.add_argument("--out", type=Path, help="a JSON file for the results")
    args = parser.parse_args()
    base = preset("demo").override({"images": args.images, "gradient_diagnostics_every": 0, "report_every": 8})
    # Also checkpoints that are no rungs, so that other rungs can be tried on the curves.
    more = [images for share in (27, 9, 3) if (images := args.images // share // base.optim.batch * base.optim.batch)]
    rungs = rungs_of(args.images, base.optim.batch)
    base = base.override({"checkpoint_every": args.images, "checkpoint_at": sorted({*more, *rungs})})

    if args.curves is not None:
        searches = [search for path in args.curves for search in _read(path)]
    else:
        with tempfile.TemporaryDirectory() as scratch:
            os.environ["FACEGAN_CACHE"] = scratch
            data = rendered(Path(scratch), SyntheticConfig(people=args.people, test_people=2), base.data.size)
            searches = _train(Path(scratch), data, base, args)
    found = [_compare(runs, rungs, args) for runs in searches]
    for name in found[0]:
        values = [search[name] for search in found]
        say(f"{name}: mean {fmean(values):.3f}, from {min(values):.3f} to {max(values):.3f}")
    conditions = {**machine(), "images": args.images, "candidates": args.candidates, "at_once": args.processes}
    curves = [[{"loss": loss, "curve": [asdict(each) for each in curve]} for curve, loss in runs] for runs in searches]
    write_results({"conditions": conditions, "compared": found, "searches": curves}, args.out)


def _train(scratch: Path, data: Path, base: Config, args: argparse.Namespace) -> list[list[tuple[Curve, float]]]:
    """What each candidate of each seed measured, and the loss that it ended with."""
    settings = SearchSettings(parse_space(args.space, base), "random", args.candidates, args.candidates)
    with ProcessPoolExecutor(args.processes, mp_context=get_context("spawn")) as pool:
        runs = [
            [
                pool.submit(_curve, scratch, data, f"{seed}-{number}", base.override({**values, "seed": seed}))
                for number, values in enumerate(propose(settings, f"search {seed}", base, []))
            ]
            for seed in args.seeds
        ]
        searches = []
        for seed, of_seed in zip(args.seeds, runs, strict=True):
            searches.append([run.result() for run in of_seed])
            say(f"seed {seed}: {len(of_seed)} candidates trained")
        return searches


def _curve(scratch: Path, data: Path, key: str, config: Config) -> tuple[Curve, float]:
    torch.set_num_threads(1)
    storage = LocalStorage(scratch / "study", key)
    trial = TrialRun(config, storage, score=False)
    run_trial(trial, FaceData.of_copy(data), torch.device("cpu"), lambda _: None)
    rows = storage.folder.rows()
    found = [measured(row.images, row.metrics) for row in rows]
    loss = sum(value for name, value in rows[-1].metrics.items() if name.startswith("weighted/"))
    return [each for each in found if each is not None], loss


def _read(path: Path) -> list[list[tuple[Curve, float]]]:
    searches = json.loads(path.read_text())["searches"]
    return [[(from_json(list[Measured], run["curve"]), run["loss"]) for run in runs] for runs in searches]


def _compare(runs: Sequence[tuple[Curve, float]], rungs: Sequence[int], args: argparse.Namespace) -> dict[str, float]:
    """ASHA against all whole runs of a search, means over orders; and where the candidate with the least loss stands."""
    curves = [[m for m in curve if m.images in (*rungs, args.images)] for curve, _ in runs]
    by_score = sorted(range(len(curves)), key=lambda i: (not curves[i][-1].follows, curves[i][-1].score))
    rank = {candidate: place + 1 for place, candidate in enumerate(by_score)}
    volume, draw = _volume(curves), random.Random(0)
    replays = []
    for _ in range(_ORDERS):
        order = [0, *draw.sample(range(1, len(curves)), len(curves) - 1)]
        trained, ended = _replay([curves[i] for i in order], rungs, args.images, args.processes)
        whole = order[: max(1, round(trained / args.images))]
        replays.append(
            {
                "images": trained / len(curves) / args.images,
                "hypervolume": _volume([curves[order[i]] for i in ended]) / volume,
                "hypervolume_of_as_many_whole_runs": _volume([curves[i] for i in whole]) / volume,
                "whole_runs": len(ended),
                "rank_of_chosen": min(rank[order[i]] for i in ended),
                "rank_of_chosen_of_as_many_whole_runs": min(rank[i] for i in whole),
            }
        )
    least_loss = min(range(len(curves)), key=lambda i: runs[i][1])
    return {
        **{name: fmean(found[name] for found in replays) for name in replays[0]},
        "rank_of_least_loss": rank[least_loss],
        "rank_of_configured": rank[0],
        **{f"rank_correlation_at_{images}": _foretells(runs, images) for images in rungs},
    }


def _foretells(runs: Sequence[tuple[Curve, float]], images: int) -> float:
    """Spearman's correlation of the scores after so many images with those at the end."""
    here = [next(m.score for m in curve if m.images == images) for curve, _ in runs]
    return float(stats.spearmanr(here, [curve[-1].score for curve, _ in runs]).statistic)


def _volume(curves: Sequence[Curve]) -> float:
    return hypervolume([curve[-1].distances for curve in curves], REFERENCE)


def _replay(curves: Sequence[Curve], rungs: Sequence[int], images: int, at_once: int) -> tuple[int, list[int]]:
    """The images that ASHA trains, and the candidates that it trains to the end; all take equally long for an image."""
    names = [str(number) for number in range(len(curves))]
    found = replay(
        Halving(dict.fromkeys(names, ""), {"": Rungs(rungs)}, names, (), lambda: True),
        dict.fromkeys(names, (*rungs, images)),
        lambda name, at: next(each for each in curves[int(name)] if each.images == at),
        lambda _, start, end, starts: end - start,
        at_once,
    )
    return sum(found.images.values()), [int(name) for name in found.whole]


if __name__ == "__main__":
    run_main(main)
