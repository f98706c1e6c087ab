"""A study's plan: every trial it will run, content-addressed, written before the first one starts."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import facegan
from facegan.config import Config
from facegan.nets.vgg_weights import weights_name
from facegan.study.design.arms import Arm, Factor, candidate
from facegan.study.design.budget import Budget
from facegan.study.design.two_level import balanced_order

_NOT_IN_A_TRIAL = ("report", "study", "synthetic", "packing.py", "flops.py", "outputs.py", "served_generator.py")
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
class PlannedData:
    """The version of a data set that a study was planned on."""

    uri: str
    version: int
    sha256: str
    """Of its manifest."""
    synthetic: bool
    """Whether its people are rendered."""
    rows: int
    quarantined: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A study as decided: its arms in order, its trials, and what they are computed from."""

    design: str
    preset: str
    base: Config
    arms: tuple[Arm, ...]
    trials: tuple[Trial, ...]
    data: PlannedData
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
    data: PlannedData,
    commit: str,
    factors: Sequence[Factor] = (),
    budget: Budget | None = None,
) -> Plan:
    """All trials: seeds x arms x candidates.

    `factors` are those that the arms' levels refer to. `budget` is one of the same arms, by default equal images.
    """
    code, vgg = code_version(), weights_name(base.vgg)
    budget = budget or Budget()
    trials = []
    for seed in seeds:
        for arm in arms:
            for number in range(candidates):
                config = candidate(arm.apply(base), arm.name, number).override(
                    {"seed": seed, "images": budget.images(base, arm.name)}
                )
                trials.append(Trial(trial_key(config, vgg, data, code, budget), arm.name, number, config))
    return Plan(design, preset, base, tuple(arms), tuple(trials), data, vgg, code, commit, tuple(factors), budget)


def trial_key(config: Config, vgg: str, data: PlannedData, code: str, budget: Budget) -> str:
    """Twelve hex digits that name a trial: a hash of all that decides its result."""
    return _digest([config.to_dict(), vgg, data.sha256, code, *([] if budget.seconds is None else [budget.seconds])])


@cache
def code_version() -> str:
    """A hash of the sources that decide a trial's numbers: facegan without its reports, designs and renderer."""
    root = Path(facegan.__file__).parent
    sources = [p.relative_to(root) for p in sorted(root.rglob("*.py"))]
    decisive = [p for p in sources if p.parts[0] not in _NOT_IN_A_TRIAL]
    return _digest([(str(p), (root / p).read_text()) for p in decisive])


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]
