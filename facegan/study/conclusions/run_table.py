"""runs.parquet: every score of a study as a long table, for models of one's own. A row is a run, a clip and a metric."""

from collections.abc import Mapping
from pathlib import Path

from facegan.files import replacing
from facegan.study.conclusions.arms import Cards
from facegan.study.design.plan import Plan
from facegan.study.folder.trial_folder import trial_folder

RUNS = "runs.parquet"


def write_run_table(study: Path, plan: Plan, people: Mapping[str, str]) -> None:
    """Write runs.parquet into a study folder. `people` maps clips to their people, by default to themselves.

    Columns: trial, arm, seed, one level (1 on, -1 off) for each factor as factor_<name>, null for an arm outside of the design,
    clip, person, metric, value (null where it could not be measured).
    """
    import pyarrow as pa  # not needed by those who read a study
    import pyarrow.parquet as pq

    cards: Cards = {trial.key: trial_folder(study, trial).scores() for trial in plan.trials}
    levels = {arm.name: arm.levels for arm in plan.arms}
    factors = [factor.name for factor in plan.factors]
    rows = []
    for trial in plan.trials:
        run = {"trial": trial.key, "arm": trial.arm, "seed": trial.seed}
        run |= {f"factor_{name}": levels[trial.arm].get(name) for name in factors}
        for metric, found in (cards[trial.key] or {}).items():
            for clip, value in found.clips.items():
                rows.append(run | {"clip": clip, "person": people.get(clip, clip), "metric": metric, "value": value})
    texts = [(name, pa.string()) for name in ("clip", "person", "metric")]
    columns = [("trial", pa.string()), ("arm", pa.string()), ("seed", pa.int64())]
    columns += [*((f"factor_{name}", pa.int8()) for name in factors), *texts, ("value", pa.float64())]
    table = pa.Table.from_pylist(rows, pa.schema(columns))
    with replacing(study / RUNS) as partial:
        pq.write_table(table, partial)
