"""A whole study: data, plan, trials, references, summary, figures, report and MLflow. Running it again does what is missing."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import ray

from cluster.arguments import StudyArguments
from cluster.dataset import DataSet
from cluster.follow import duration, following
from cluster.inputs import describe_data, prepare_data
from cluster.runtime import start_ray
from cluster.storage import place
from cluster.study_home import StudyHome
from cluster.tracking import Tracker
from cluster.trial import TRUTH, precompute_truth
from facegan.config import Config
from facegan.data.manifest import to_bytes
from facegan.metrics.evaluate import study_references
from facegan.metrics.judges import JudgesConfig, build_judges
from facegan.report.curves import write_losses_figure
from facegan.report.figure2 import write_figure2
from facegan.report.html import write_report
from facegan.report.sheets import contact_sheet
from facegan.study.arms import Arm
from facegan.study.folder import read_json, write_json
from facegan.study.plan import Plan, make_plan
from facegan.study.summary import summarise_study

HOME = Path("studies")
REFERENCES, DISCRIMINATION = "references.json", "discrimination.json"
"""The reference rows' cards, and how well the judge of identity tells the test people apart."""
MANIFEST = "manifest.json"
"""The copy, in a study, of its data set's manifest."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What a job asks for: the shared arguments, and which arms are trained how often."""

    shared: StudyArguments
    design: str
    arms: tuple[Arm, ...]
    seeds: tuple[int, ...]
    candidates: int


_TABLE = {"face_error": 1, "landmark_error": 3, "identity_to_target": 3, "ssim": 3, "source_likeness": 2}
"""Metrics of the console's table and their decimals."""

Runner = Callable[[Plan, StudyHome, DataSet], None]
"""Runs what is missing of a plan, given where the study lies and the data set."""


def run_study(request: Request, runner: Runner) -> tuple[Path, Plan]:
    """Do all of it and say at the end where everything lies; returns the study's folder and plan."""
    started = time.monotonic()
    shared = request.shared
    if shared.study:
        StudyHome(place("--study", shared.study)).check()
    data = prepare_data(shared.source, shared.data, shared.synthetic, shared.config)
    plan = make_plan(
        shared.config,
        request.arms,
        design=request.design,
        preset=shared.preset,
        seeds=request.seeds,
        candidates=request.candidates,
        data=describe_data(data),
        commit=_commit(),
    )
    default = HOME / f"{request.design}-{shared.preset}-{plan.id()}"
    home = StudyHome(place("--study", shared.study or str(default)))
    home.open(plan)
    study = home.folder
    start_ray()
    _announce(plan, home)
    truth = ray.remote(num_cpus=1)(precompute_truth).remote(home, data)
    tracker = Tracker(plan, study)

    def look() -> None:
        home.pull()
        tracker.sync()

    with following(plan, study, look):
        runner(plan, home, data)
    ray.get(truth)
    home.pull()
    home.fetch_shown_checkpoints()
    summary = conclude(plan, study, data, shared.config, include_faces=shared.include_faces)
    home.push()
    tracker.finish("\n".join(f"- **{arm['label']}** {arm['verdict']}" for arm in summary["arms"]))
    _say_results(summary, home, tracker.uri, time.monotonic() - started)
    _end_badly_where_trials_failed(summary)
    return study, plan


def conclude(plan: Plan, study: Path, dataset: DataSet, config: Config, *, include_faces: bool) -> dict[str, Any]:
    """References, summary, figures and report of a study folder, whatever of its trials is done."""
    data = dataset.open()
    if read_json(study / REFERENCES) is None or read_json(study / DISCRIMINATION) is None:
        rows, apart = study_references(data, build_judges(JudgesConfig()), study / TRUTH)
        write_json(study / REFERENCES, rows)
        write_json(study / DISCRIMINATION, apart)
    summary = summarise_study(study, plan, read_json(study / REFERENCES))
    write_json(study / "summary.json", summary)
    (study / MANIFEST).write_bytes(to_bytes(data.manifest))
    cv2.imwrite(str(study / "contact_sheet.png"), contact_sheet(data)[:, :, ::-1])
    write_figure2(study, plan, data)
    write_losses_figure(study, plan)
    write_report(study, summary, config, include_faces=include_faces)
    return summary


def _announce(plan: Plan, home: StudyHome) -> None:
    kind = "SYNTHETIC faces" if plan.data["synthetic"] else "real faces"
    images = sum(t.config.images for t in plan.trials)
    print(
        f"study    {_short(home)}: {plan.design}, {len(plan.trials)} trials, {images} images, {kind}, VGG-19 {plan.vgg}",
        flush=True,
    )


def _say_results(summary: dict[str, Any], home: StudyHome, uri: str, seconds: float) -> None:
    print(f"\ndone in {duration(seconds)}; on people never trained on:\n")
    print("\n".join(score_table(summary)), end="\n\n")
    for arm in summary["arms"]:
        print(f"  {arm['label']:<15} {arm['verdict'].split(':')[0]}")
    print()
    study = _short(home)
    print(f"report   {study}/report.html")
    print(f"figures  {study}/figure2.png  {study}/losses.png  {study}/contact_sheet.png")
    print(f"MLflow   {uri}  (make mlflow opens it)", flush=True)


def _short(home: StudyHome) -> str:
    """Where the study lies, as a person types it."""
    if home.place.is_s3:
        return home.place.uri
    return os.path.relpath(home.folder) if home.folder.is_relative_to(Path.cwd()) else str(home.folder)


def score_table(summary: dict[str, Any]) -> list[str]:
    """The main scores as lines of text: reference rows first, then the arms; '-' where nothing was measured."""
    rows = dict(summary["references"])
    rows |= {arm["label"]: arm["scores"] for arm in summary["arms"]}
    lines = [" " * 17 + "".join(f"{metric.replace('_', ' '):>20}" for metric in _TABLE)]
    for name, scores in rows.items():
        means = [scores.get(metric, {"mean": None})["mean"] for metric in _TABLE]
        cells = ["-" if m is None else f"{m:.{d}f}" for m, d in zip(means, _TABLE.values(), strict=True)]
        lines.append(f"  {name:<15}" + "".join(f"{cell:>20}" for cell in cells))
    return lines


def _end_badly_where_trials_failed(summary: dict[str, Any]) -> None:
    failed = [trial for trial in summary["trials"] if trial["state"] == "FAILED"]
    for trial in failed:
        print(f"FAILED   trial {trial['key']} ({trial['arm']}): {trial['error']}", file=sys.stderr)
    if failed:
        print(f"{len(failed)} trials failed; the same command tries them again", file=sys.stderr)
        sys.exit(1)


def _commit() -> str:
    here = Path(__file__).parent
    try:
        found = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=here, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()
