"""Plans with a budget, and the files of their completed trials."""

from pathlib import Path
from typing import Any

from facegan.config import Config
from facegan.study.design.arms import choose_design
from facegan.study.design.budget import Budget
from facegan.study.design.plan import Plan, make_plan
from facegan.study.folder.trial_folder import MetricsRow, trial_folder
from tests.planning import PLANNED_DATA

ARMS = choose_design("figure2", Config()).arms


def budget_plan(config: Config, budget: Budget | None, **changes: Any) -> Plan:
    given: dict[str, Any] = {"design": "figure2", "preset": "demo", "seeds": (0, 1), "commit": ""}
    return make_plan(config, changes.pop("arms", ARMS), **given | {"data": PLANNED_DATA, "budget": budget} | changes)


def finish_all(root: Path, found: Plan) -> None:
    """Write the files of trials that kept to their plan, with reports 0.9 s apart."""
    for i, trial in enumerate(found.trials):
        folder = trial_folder(root, trial)
        images = trial.config.images if found.budget.seconds is None else 8 * (3 + i)
        per_image = {"generator": 4, "discriminator": 3, "vgg": 2}
        if found.budget.gflop is not None:
            per_image = {name: int(n) for name, n in found.budget.passes_per_image[trial.arm].items()}
        folder.write_state("COMPLETED", images=images, seconds=3.0, passes={n: v * images for n, v in per_image.items()})
        folder.write_conditions(start_weights=f"w{trial.seed}", first_batches=f"b{trial.seed}", device="cpu")
        for report in (1, 2, 3):
            folder.append_row(MetricsRow(images * report // 3, 0.9 * report, 0.0, {}))
