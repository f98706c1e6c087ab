"""The plan of a study: all of its trials, named by hashes of what decides their results."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from facegan.config import SHIPPED_SEEDS, Config
from facegan.errors import UserError
from facegan.nets.vgg_weights import weights_name
from facegan.start_weights import shipped_sha256
from facegan.study.design.analysis_plan import AnalysisPlan, PlanChange, default_analysis, difference
from facegan.study.design.arms import Arm, Factor
from facegan.study.design.budget import Budget
from facegan.study.design.candidates import MOST_CANDIDATES, SearchSettings, propose, rungs_of
from facegan.study.design.code_version import code_version, digest
from facegan.study.design.search_space import Values
from facegan.study.design.two_level import balanced_order
from facegan.training.precision import Precision

WARM_UP = "warm_up"
"""The name that a warm-up has in place of an arm's."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One training run of a study: an arm, a seed and a candidate. Its key is made by `trial_key`."""

    key: str
    arm: str
    candidate: int
    config: Config

    def __post_init__(self) -> None:
        if not 0 <= self.candidate < MOST_CANDIDATES:
            raise UserError(f"candidate is {self.candidate}: from 0 to {MOST_CANDIDATES - 1}")

    @property
    def seed(self) -> int:
        """The seed of the start weights and of the batches."""
        return self.config.seed


@dataclass(frozen=True, slots=True)
class PlannedData:
    """The version of a data set that a study is planned on."""

    uri: str
    version: int
    sha256: str
    """Hash of its manifest."""
    synthetic: bool
    """Whether its faces are rendered."""
    rows: int
    quarantined: int

    def __post_init__(self) -> None:
        if self.version < 1 or self.rows < 1 or self.quarantined < 0:
            raise UserError(f"data has version {self.version}, {self.rows} rows and {self.quarantined} quarantined frames")


@dataclass(frozen=True, slots=True)
class Plan:
    """A study before its first trial."""

    design: str
    preset: str
    base: Config
    """Configuration that the arms change. Its precision is fp32 or bf16."""
    arms: tuple[Arm, ...]
    trials: tuple[Trial, ...]
    data: PlannedData
    vgg: str
    """Name of VGG-19's weights."""
    code: str
    """Hash of the sources, by `code_version`."""
    commit: str
    factors: tuple[Factor, ...] = ()
    budget: Budget = field(default_factory=Budget)
    analysis: AnalysisPlan = field(default_factory=default_analysis)
    changes: tuple[PlanChange, ...] = ()
    """What was changed after the plan was first written."""
    auto_precision: bool = False
    """Whether the precision was left open, and chosen for the machine that planned the study."""
    search: SearchSettings | None = None
    """How the candidates of each arm are chosen; None: an arm is trained as it is configured."""
    extension: tuple[str, ...] = ()
    """Names of the arms that were added after the plan was first written."""

    @property
    def seeds(self) -> tuple[int, ...]:
        """In the order in which they are trained."""
        return tuple(dict.fromkeys(trial.seed for trial in self.trials))

    def name_of(self, trial: Trial) -> str:
        """What the console calls a trial."""
        labels = {arm.name: arm.label for arm in self.arms} | {WARM_UP: "warm-up"}
        candidate = f" candidate {trial.candidate}" if self.search else ""
        return f"{labels.get(trial.arm, trial.arm)} seed {trial.seed}{candidate}"

    def id(self) -> str:
        """Twelve hex digits; plans that differ in their seeds, extensions or analysis alone have equal ids.

        So have plans whose precision was left open and chosen on different machines, and those of one search, however many
        candidates have been proposed by then.
        """
        same = {"seed": 0, **({"optim.precision": "auto"} if self.auto_precision else {})}
        first = [trial for trial in self.trials if not trial.candidate and trial.arm not in self.extension]
        configs = {trial.arm: trial.config.override(same) for trial in first}
        keys = [trial_key(config, self.vgg, self.data, self.code, self.budget) for config in configs.values()]
        search = [] if self.search is None else [asdict(self.search)]
        return digest([self.design, keys, *([] if self.budget.kind == "images" else [self.budget.kind]), *search])

    def extended(self, other: "Plan", results_seen: int) -> "Plan":
        """This plan with the seeds, candidates and arms that another plan of the same id adds, and with its analysis.

        Every arm of an extension is trained with every seed. What changes is noted. `results_seen` is the number of trials that
        have scores. The precision stays this plan's. Raises UserError if seeds would share shipped start weights.
        """
        assert self.id() == other.id(), "plans of other studies"
        self._check_shipped(other)
        other = other._with_precision(self.base.optim.precision)
        arms = [arm for arm in other.arms if arm.name not in {known.name for known in self.arms}]
        notes = self._notes(other, arms)
        extended = replace(
            self,
            arms=(*self.arms, *arms),
            extension=(*self.extension, *(arm.name for arm in arms)),
            budget=other.budget if arms else self.budget,
            analysis=other.analysis,
            changes=(*self.changes, *(PlanChange(note, results_seen) for note in notes)),
        )
        known = {(trial.arm, trial.seed, trial.candidate) for trial in self.trials}
        added = tuple(trial for trial in other.trials if (trial.arm, trial.seed, trial.candidate) not in known)
        return replace(extended, trials=(*self.trials, *added))._with_whole_extension()

    def _check_shipped(self, other: "Plan") -> None:
        together = dict.fromkeys((*self.seeds, *other.seeds))
        if self.base.start == "shipped" and len({seed % SHIPPED_SEEDS for seed in together}) < len(together):
            given, there = (" ".join(map(str, seeds)) for seeds in (other.seeds, self.seeds))
            raise UserError(
                f"--seeds is {given}: the study has seeds {there}, and seeds that differ by {SHIPPED_SEEDS} share shipped "
                "start weights; name another folder with --study, or start a study with --start random --warm_up 24000"
            )

    def _notes(self, other: "Plan", arms: Sequence[Arm]) -> list[str]:
        """What another plan of the same id changes, in words."""
        seeds = [seed for seed in other.seeds if seed not in self.seeds]
        notes = [f"arms {', '.join(arm.label for arm in arms)} added"] if arms else []
        if seeds and not other.analysis.looks:
            notes.append(f"seed{'s' * (len(seeds) > 1)} {' '.join(map(str, seeds))} added")
        if other.analysis != self.analysis:
            notes.append(difference(self.analysis, other.analysis))
        return notes

    def _with_whole_extension(self) -> "Plan":
        """With a trial of each arm of the extension for each seed."""
        known = {(trial.arm, trial.seed) for trial in self.trials}
        missing = [(a, s) for a in self.arms if a.name in self.extension for s in self.seeds if (a.name, s) not in known]
        added = [trial for arm, seed in missing for trial in self._candidates(arm, seed, [{}])]
        return replace(self, trials=(*self.trials, *added))

    def with_candidates(self, proposed: Mapping[str, Sequence[Values]]) -> "Plan":
        """This plan with the candidates that are proposed next, by arm."""
        added = [
            trial
            for arm in self.arms
            for seed in self.seeds
            for trial in self._candidates(arm, seed, proposed.get(arm.name, ()))
        ]
        return replace(self, trials=(*self.trials, *added))

    def _candidates(self, arm: Arm, seed: int, proposed: Sequence[Values]) -> list[Trial]:
        """Trials of an arm with these values, numbered from the last one that the plan has."""
        known = sum(trial.arm == arm.name and trial.seed == seed for trial in self.trials)
        images = self.budget.images(self.base, arm.name)
        decided: Values = {"seed": seed, "images": images}
        rungs = [] if self.search is None else list(rungs_of(images, self.base.optim.batch))
        trials = []
        for number, values in enumerate(proposed, known):
            config = arm.apply(self.base).override({**values, **decided, "checkpoint_at": rungs})
            trials.append(Trial(trial_key(config, self.vgg, self.data, self.code, self.budget), arm.name, number, config))
        return trials

    def _with_precision(self, precision: str) -> "Plan":
        """The same plan for another machine's precision."""
        changed = {"optim.precision": precision}
        configs = [trial.config.override(changed) for trial in self.trials]
        keys = [trial_key(config, self.vgg, self.data, self.code, self.budget) for config in configs]
        trials = zip(self.trials, keys, configs, strict=True)
        return replace(
            self,
            base=self.base.override(changed),
            trials=tuple(replace(trial, key=key, config=config) for trial, key, config in trials),
        )

    def warm_up(self, seed: int) -> Trial | None:
        """The run that the trials of a seed branch from; None without `warm_up`."""
        if not self.base.warm_up:
            return None
        config = self.base.of_warm_up().override({"seed": seed})
        return Trial(trial_key(config, self.vgg, self.data, self.code, Budget()), WARM_UP, 0, config)

    def warm_ups(self) -> list[Trial]:
        """The warm-up of each seed. They are no trials of an arm: they are not scored."""
        found = [self.warm_up(seed) for seed in dict.fromkeys(trial.seed for trial in self.trials)]
        return [trial for trial in found if trial is not None]

    def run_order(self) -> list[Trial]:
        """The order in which to start the trials: seed by seed, and shuffled so that every prefix is nearly balanced.

        A study that is stopped early then still has each factor about equally often on and off.
        """
        unknown = {factor: 0 for arm in self.arms for factor in arm.levels}
        levels = {arm.name: arm.levels or unknown for arm in self.arms}
        blocks: dict[tuple[int, int], list[Trial]] = {}
        for trial in self.trials:
            blocks.setdefault((trial.seed, trial.candidate), []).append(trial)
        shuffled: list[Trial] = []
        study = int(self.id(), 16)
        for (seed, number), block in blocks.items():
            # Seeds that are added later must not change the order of those that have been trained.
            order = balanced_order([levels.get(t.arm, unknown) for t in block], study + 1000 * number + seed)
            shuffled += [block[i] for i in order]
        return shuffled


def make_plan(
    base: Config,
    arms: Sequence[Arm],
    *,
    design: str,
    preset: str,
    seeds: Sequence[int],
    data: PlannedData,
    commit: str,
    factors: Sequence[Factor] = (),
    budget: Budget | None = None,
    analysis: AnalysisPlan | None = None,
    auto_precision: Precision = "fp32",
    search: SearchSettings | None = None,
    extension: Sequence[str] = (),
) -> Plan:
    """A plan with one trial for each seed and arm, or with the first candidates of a search.

    `factors` are those of the arms' levels; `extension` names the arms that extend a study of the others. `budget` must be one
    for these arms; by default all trials get equal images. `analysis` is by default the one that the code makes.
    `auto_precision` is what a precision of auto stands for.
    """
    asked = base.optim.precision
    base = base.override({"optim.precision": auto_precision if asked == "auto" else asked})
    code, vgg = code_version(), weights_name(base.vgg)
    empty = Plan(
        design=design,
        preset=preset,
        base=base,
        arms=tuple(arms),
        trials=(),
        data=data,
        vgg=vgg,
        code=code,
        commit=commit,
        factors=tuple(factors),
        budget=budget or Budget(),
        analysis=analysis or default_analysis(),
        auto_precision=asked == "auto",
        search=search,
        extension=tuple(extension),
    )
    proposed: dict[str, list[Values]] = {
        arm.name: propose(search, arm.name, arm.apply(base), []) if search else [{}] for arm in arms
    }
    trials = [trial for seed in seeds for arm in arms for trial in empty._candidates(arm, seed, proposed[arm.name])]
    return replace(empty, trials=tuple(trials))


def trial_key(config: Config, vgg: str, data: PlannedData, code: str, budget: Budget) -> str:
    """Twelve hex digits: a hash of everything that decides the result of a trial."""
    start = [] if config.start == "random" else [shipped_sha256(config.seed)]
    return digest([config.to_dict(), vgg, data.sha256, code, *start, *([] if budget.seconds is None else [budget.seconds])])
