"""Writes the folder of a study's live page: the page, ONNX Runtime, its networks, the people and live.json."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facegan.config import Config
from facegan.data.reading.face_data import FaceData
from facegan.files import replacing, write_bytes, write_json
from facegan.landmarks.points import PARTS
from facegan.live.checks import LIVE, check_faces, check_out
from facegan.live.export import Weights, draw_in_torch, write_network
from facegan.live.face_networks import detector_graph, mesh_graph
from facegan.live.generator_graph import network_graph
from facegan.live.people import Sources, choose_sources
from facegan.metrics.table import HEADLINES, display_name, formatted, meaning
from facegan.study.analysis.model_selection import shown_trials
from facegan.study.conclusions.arms import ArmSummary
from facegan.study.conclusions.summary import Summary
from facegan.study.design.arms import Arm
from facegan.study.design.plan import Plan, Trial
from facegan.study.folder.trial_folder import trial_folder
from facegan.training.checkpoint import load_generator

PAGE, VENDOR = "page", "vendor"
"""Folders beside this module: the page, and what it is made with."""
MOST_PEOPLE = 12


@dataclass(frozen=True, slots=True)
class LivePart:
    """A part of the face: lines through landmarks, by their numbers."""

    name: str
    lines: list[list[int]]
    closed: bool


@dataclass(frozen=True, slots=True)
class LivePerson:
    """A person to start from: a PNG of the networks' size, and its landmarks [68, 2] in pixels."""

    name: str
    image: str
    points: list[list[float]]


@dataclass(frozen=True, slots=True)
class LiveScore:
    """A score of an arm as text, with its interval where it has one."""

    name: str
    meaning: str
    value: str
    interval: str


@dataclass(frozen=True, slots=True)
class LiveArm:
    """An arm: what it leaves out or changes, its scores, and its network, which is that of one seed."""

    name: str
    label: str
    about: str
    has_all_terms: bool
    """Whether it leaves out and changes nothing; the others are compared with it."""
    scores: list[LiveScore]
    scored_seeds: int
    """The scores are means over so many seeds."""
    seed: int
    images: int
    """Training images that the network has seen."""
    network: str
    """The ONNX file."""
    weights: Weights
    bytes: int
    difference: float
    """The largest difference between the file's drawings and PyTorch's, in grey levels."""


@dataclass(frozen=True, slots=True)
class Live:
    """live.json."""

    study: str
    design: str
    preset: str
    commit: str
    synthetic: bool
    size: int
    crop_scale: float
    """Side of the crops that the networks know, relative to the larger side of the landmarks."""
    parts: list[LivePart]
    people: list[LivePerson]
    arms: list[LiveArm]
    missing: list[str]
    """Labels of arms without a network, each with the reason in brackets."""


def write_live_folder(
    out: Path, study: Path, plan: Plan, data: FaceData, summary: Summary | None, *, include_faces: bool
) -> Live:
    """Write the folder of a study's live page; an earlier one is replaced as a whole.

    Draws with the same runs as Figure 2. `summary` has the scores to show. Raises UserError for what `facegan.live.checks`
    refuses, and for a data set without test people.
    """
    check_out(out)
    check_faces(data.synthetic, include_faces)
    shown, sources = shown_trials(plan, study), choose_sources(data, MOST_PEOPLE)
    here = Path(__file__).parent
    with replacing(out) as partial:
        shutil.copytree(here / PAGE, partial)
        shutil.copytree(here / VENDOR, partial / VENDOR, ignore=shutil.ignore_patterns("*.tflite"))
        for name, graph in (("detector", detector_graph(here / VENDOR)), ("mesh", mesh_graph(here / VENDOR))):
            write_bytes(partial / "face" / f"{name}.onnx", graph.SerializeToString())
        arms, broken = _write_arms(partial, study, plan, shown, sources, summary)
        live = Live(
            study=plan.id(),
            design=plan.design,
            preset=plan.preset,
            commit=plan.commit,
            synthetic=data.synthetic,
            size=data.size,
            crop_scale=data.manifest.ingest.crop_scale,
            parts=[LivePart(name, lines, closed) for name, (lines, closed) in PARTS.items()],
            people=_write_people(partial, sources),
            arms=arms,
            missing=[*(f"{arm.label} (no run has a checkpoint)" for arm in plan.arms if arm.name not in shown), *broken],
        )
        write_json(partial / LIVE, live)
    return live


def _write_people(out: Path, sources: Sources) -> list[LivePerson]:
    (out / "people").mkdir()
    people = []
    for number, (name, image, points) in enumerate(zip(sources.names, sources.images, sources.points, strict=True)):
        # A name comes from outside, so no file is named by it.
        file = f"people/{number}.png"
        cv2.imwrite(str(out / file), image[:, :, ::-1])
        people.append(LivePerson(name, file, points.tolist()))
    return people


def _write_arms(
    out: Path, study: Path, plan: Plan, shown: Mapping[str, Trial], sources: Sources, summary: Summary | None
) -> tuple[list[LiveArm], list[str]]:
    """The arms, and the entries of `Live.missing` for those that draw no finite numbers, as after a run that diverged."""
    scores = {found.name: found for found in summary.arms} if summary else {}
    arms, broken = [], list[str]()
    images, moved = sources.signed(), _moved(sources.points)
    for number, arm in enumerate(arm for arm in plan.arms if arm.name in shown):
        folder = trial_folder(study, shown[arm.name])
        generator, config = load_generator(folder.checkpoint)
        expected = draw_in_torch(generator, config, images, moved)
        if not np.isfinite(expected).all():
            broken.append(f"{arm.label} (seed {config.seed} draws no finite numbers)")
            continue
        file = f"networks/{number}.onnx"
        written = write_network(network_graph(generator, config), out / file, images, moved, expected)
        found = scores.get(arm.name)
        arms.append(
            LiveArm(
                name=arm.name,
                label=arm.label,
                about=_about(arm, plan.base),
                has_all_terms=not arm.without and not arm.changes,
                scores=_scores(found) if found else [],
                scored_seeds=len(found.scored) if found else 0,
                seed=config.seed,
                images=folder.state().images,
                network=file,
                weights=written.weights,
                bytes=written.bytes,
                difference=written.difference,
            )
        )
    return arms, broken


def _moved(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Landmarks [n, 68, 2] to compare drawings with: each person takes those of the next."""
    return np.roll(points, 1, axis=0)


def _about(arm: Arm, base: Config) -> str:
    """What an arm leaves out and changes, in a few words."""
    words = [f"without {', '.join(term.replace('_', ' ') for term in arm.without)}"] if arm.without else []
    changes = [f"{name} {value}" for name, value in arm.changes.items()]
    return "; ".join([*words, *changes]) or "all terms"


def _scores(arm: ArmSummary) -> list[LiveScore]:
    scores = []
    for metric in HEADLINES:
        found = arm.scores.get(metric)
        if found is None or found.mean is None:
            continue
        span = " to ".join(formatted(metric, end) for end in found.interval) if found.interval else ""
        scores.append(LiveScore(display_name(metric), meaning(metric), formatted(metric, found.mean), span))
    return scores
