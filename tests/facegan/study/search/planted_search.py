"""A search whose candidates have planted measurements."""

from pathlib import Path
from typing import Any

from facegan.config import Config
from facegan.study.design.candidates import SearchSettings
from facegan.study.design.plan import Plan, Trial, make_plan
from facegan.study.design.search_space import parse_space
from facegan.study.folder.study_folder import open_study
from facegan.study.folder.trial_folder import MetricsRow, State, trial_folder
from tests.facegan.study.design.designs import design
from tests.planning import PLANNED_DATA

RUNGS = (24, 56, 112)
IMAGES = 216

Distances = tuple[float, float, float]


def candidates_plan(config: Config, *arms: str, candidates: int = 4, **changes: Any) -> Plan:
    """A plan of a search over the weight of the pixel term and the rate of the generator."""
    space = parse_space(("loss.pixel=1..100", "optim.generator_lr=1e-4..1e-2"), config)
    search = SearchSettings(space, "random", candidates, candidates)
    given = {"design": "candidates", "preset": "demo", "seeds": (0,), "data": PLANNED_DATA, "commit": "", "search": search}
    base = config.override({"images": IMAGES})
    return make_plan(base, design("figure2", names=arms).arms, **given | changes)  # type: ignore[arg-type]


def plant(study: Path, trial: Trial, *curve: Distances, state: State = "COMPLETED") -> None:
    """Write what a candidate measured at the first rungs, or to the end."""
    folder = trial_folder(study, trial)
    folder.path.mkdir(parents=True)
    at = (*RUNGS, IMAGES)[: len(curve)]
    for images, (following, identity, image) in zip(at, curve, strict=True):
        row = {"validation/target_following": 1 - following, "validation/identity_kept": 1 - identity}
        row |= {"validation/image_distance": image, "validation/selection_score": (following**2 + identity**2) ** 0.5 + image}
        folder.append_row(MetricsRow(images, 1.0, float(images + trial.candidate), row))
    folder.write_state(state, images=at[-1] if at else 0, seconds=2.0, passes={})


def planted_search(study: Path, config: Config) -> Plan:
    """Two arms. Of the full loss candidate 2 is best, 3 keeps the person better, 1 was stopped; the other is best as it is."""
    plan = candidates_plan(config, "full", "no_pixel")
    open_study(study, plan)
    trials = {(trial.arm, trial.candidate): trial for trial in plan.trials}
    start, middle = (0.9, 0.9, 0.9), (0.6, 0.6, 0.6)
    plant(study, trials["full", 0], start, middle, middle, (0.5, 0.5, 0.5))
    plant(study, trials["full", 1], (0.95, 0.95, 0.95), state="STOPPED")
    plant(study, trials["full", 2], start, middle, middle, (0.2, 0.4, 0.3))
    plant(study, trials["full", 3], start, middle, middle, (0.6, 0.1, 0.4))
    plant(study, trials["no_pixel", 0], start, middle, middle, (0.3, 0.3, 0.3))
    for number in (1, 2):
        plant(study, trials["no_pixel", number], (0.95, 0.95, 0.95), state="STOPPED")
    plant(study, trials["no_pixel", 3], state="DIVERGED")
    return plan
