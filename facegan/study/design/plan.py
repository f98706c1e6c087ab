"""A study's plan: every trial it will run, content-addressed, written before the first one starts."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import facegan
from facegan.config import Config
from facegan.nets.vgg_weights import weights_name
from facegan.study.design.arms import Arm, Factor, candidate
from facegan.study.design.budget import Budget
from facegan.study.design.two_level import alias_table, balanced_order, resolution

_NOT_IN_A_TRIAL = ("report", "study", "synthetic", "packing.py", "flops.py")
"""Parts of facegan that cannot change what a trial computes."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One training run of a study. Its key is a hash of the configuration, the data and the code that matters."""

    key: str
    arm: str
    candidate: int
    config: Config

    @property
    def seed(self) -> int:
        """The seed of start weights and batches."""
        return self.config.seed


@dataclass(frozen=True, slots=True)
class Plan:
    """A study as decided: its arms in order, its trials, and what they are computed from."""

    design: str
    preset: str
    base: Config
    arms: tuple[Arm, ...]
    trials: tuple[Trial, ...]
    data: dict[str, Any]
    vgg: str
    code: str
    commit: str
    factors: tuple[Factor, ...] = ()
    budget: Budget = field(default_factory=Budget)

    def id(self) -> str:
        """Twelve hex digits that name the plan: equal plans, equal names."""
        return _digest(
            [self.design, [t.key for t in self.trials], *([] if self.budget.kind == "images" else [self.budget.kind])]
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        trials = [{**asdict(t), "seed": t.seed, "config": t.config.to_dict()} for t in self.trials]
        rows = [arm.levels for arm in self.arms if arm.levels]
        return {
            **asdict(self),
            "id": self.id(),
            "base": self.base.to_dict(),
            "trials": trials,
            "budget": {**asdict(self.budget), "equalised": self.budget.equalised()},
            "run_order": [t.key for t in self.run_order()],
            "aliases": alias_table(rows),
            "resolution": resolution(rows),
        }

    def run_order(self) -> list[Trial]:
        """The trials in the order to start them: seeds as blocks, in each a shuffle of which every beginning is nearly
        balanced over the factors, so that a study broken off early still compares like with like."""
        levels = {arm.name: arm.levels for arm in self.arms}
        # A trial of no arm here is neither on nor off.
        unknown = {factor: 0 for row in levels.values() for factor in row}
        blocks: dict[tuple[int, int], list[Trial]] = {}
        for trial in self.trials:
            blocks.setdefault((trial.seed, trial.candidate), []).append(trial)
        shuffled: list[Trial] = []
        for block in blocks.values():
            order = balanced_order([levels.get(t.arm, unknown) for t in block], int(self.id(), 16) + len(shuffled))
            shuffled += [block[place] for place in order]
        return shuffled


def make_plan(
    base: Config,
    arms: Sequence[Arm],
    *,
    design: str,
    preset: str,
    seeds: Sequence[int],
    candidates: int,
    data: dict[str, Any],
    commit: str,
    factors: Sequence[Factor] = (),
    budget: Budget | None = None,
) -> Plan:
    """All trials: seeds x arms x candidates. `data` names the data set: `folder`, `sha256`, `synthetic`; `factors` are those
    that the arms' levels speak of; `budget` is one of the same arms, by default of images."""
    code, vgg = code_version(), weights_name(base.vgg)
    budget = budget or Budget()
    trials = []
    for seed in seeds:
        for arm in arms:
            for number in range(candidates):
                config = candidate(arm.apply(base), arm.name, number).override(
                    {"seed": seed, "images": budget.images(base, arm.name)}
                )
                key = _digest(
                    [config.to_dict(), vgg, data["sha256"], code, *([] if budget.seconds is None else [budget.seconds])]
                )
                trials.append(Trial(key, arm.name, number, config))
    return Plan(design, preset, base, tuple(arms), tuple(trials), data, vgg, code, commit, tuple(factors), budget)


@cache
def code_version() -> str:
    """A hash of the sources that decide a trial's numbers: facegan without its reports, designs and renderer."""
    root = Path(facegan.__file__).parent
    sources = [p.relative_to(root) for p in sorted(root.rglob("*.py"))]
    decisive = [p for p in sources if p.parts[0] not in _NOT_IN_A_TRIAL]
    return _digest([(str(p), (root / p).read_text()) for p in decisive])


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]
