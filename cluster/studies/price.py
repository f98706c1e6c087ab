"""--plan: what a study costs, printed before anything starts."""

import json
import os
import sys
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from cluster.datasets.dataset import DataSet, existing
from cluster.datasets.prepare import describe_data, place_of_data
from cluster.storage.scratch import scratch
from cluster.storage.uri import storage_uri
from cluster.studies.cost_flags import CostFlags
from cluster.studies.power import power_lines, power_of_request
from cluster.studies.present_cluster import present_cluster, this_machine
from cluster.studies.rates import LARGEST_CPU_GFLOP, known_rates, measure_rates, save_rates, seconds_of_probe
from cluster.studies.run_study import StudyRequest, study_location
from cluster.studies.study_data import data_of_study
from cluster.studies.study_store import StudyStore
from facegan.code_commit import code_commit
from facegan.config import Config
from facegan.errors import UserError
from facegan.report.formatting import counted
from facegan.report.plan_page import plan_page
from facegan.study.cost.estimate import Cluster, Estimate, arm_configs, estimate_cost, priced_nodes
from facegan.study.cost.rates import Rates
from facegan.study.cost.schedule import whole_runs
from facegan.study.design.plan import WARM_UP, Plan, PlannedData, Trial, make_plan
from facegan.study.search.expectation import expected_work
from facegan.study.search.generations import with_all_candidates
from facegan.study.search.results import SEARCH
from facegan.training.precision import choose_precision

_ANY_GPU = "a GPU"
_NO_DATA = PlannedData("", 1, "0" * 64, False, 1, 0)


@dataclass(frozen=True, slots=True)
class _Planned:
    """A study as far as it is known before its data are there."""

    plan: Plan
    todo: list[Trial]
    study: Path | None
    is_exact: bool
    """Whether the plan is the one that the study will have: the order of trials depends on all of it."""


@dataclass(frozen=True, slots=True)
class Priced:
    """The cost of what is left of a study."""

    expected: Estimate
    at_most: Estimate
    """Of a search, if no candidate is stopped early."""
    study: Path | None
    """Its folder on this machine; None before its data set is there."""


def print_plan(request: StudyRequest, flags: CostFlags, *, workers: int = 1) -> Priced:
    """Print the cost of a study, and its power if it has several arms; trains nothing.

    `workers` are those of a data-parallel run. With the default of --probe_seconds the speed of each arm is measured on the
    cluster that RAY_ADDRESS names, or on this machine.
    """
    flags.check()
    power = power_of_request(request, flags.noise_from) if len(request.arms) > 1 and request.factors else None
    planned = _planned(request)
    configs = {arm: config for arm, config in arm_configs(planned.plan).items() if _trains(arm, planned)}
    gflop, notes = _count(configs, planned), list[str]()
    cluster = this_machine(request.trial_resources, flags.usd_per_hour, workers=workers)
    rates = _given(flags, planned.plan, gflop) or known_rates(flags, configs, planned.study)
    if rates is None:
        with redirect_stdout(sys.stderr):  # where --json is read, nothing else is printed
            rates, cluster = _probe(request, flags, planned, gflop, cluster, workers, notes)
    resources = request.trial_resources
    nodes = priced_nodes(1, resources.cpus_per_trial, resources.gpus_per_trial, len(planned.todo)) if workers == 1 else []
    expected, most = (
        estimate_cost(
            planned.plan,
            planned.todo,
            gflop,
            rates,
            [cluster, *nodes],
            interruptions_per_hour=flags.interruptions_per_hour,
            remote=request.shared.study.startswith("s3:"),
            work_of=work_of,
        )
        for work_of in (partial(expected_work, study=planned.study) if request.search else whole_runs, whole_runs)
    )
    if flags.json:
        both = {"estimate": asdict(expected), **({"at_most": asdict(most)} if request.search else {})}
        print(json.dumps({**both, "power": asdict(power) if power else None, "notes": notes}))
        return Priced(expected, most, planned.study)
    lines = power_lines(request, power) if power else []
    at_most = most if request.search else None
    print("\n".join(plan_page(planned.plan, expected, lines, order_is_known=planned.is_exact, notes=notes, at_most=at_most)))
    return Priced(expected, most, planned.study)


def _planned(request: StudyRequest) -> _Planned:
    shared, config = request.shared, request.shared.config
    data = _data(request)
    if data and shared.study:
        newest = DataSet(data.uri, data.version, data.sha256)
        with redirect_stdout(sys.stderr):  # where --json is read, nothing else is printed
            data = describe_data(data_of_study(newest, StudyStore(storage_uri("--study", shared.study))))
    # The name of the public weights is that of a file, which a plan does not download.
    is_exact = data is not None and config.vgg.weights != "imagenet"
    vgg = {"vgg.weights": "random"} if config.vgg.weights == "imagenet" else {}
    plan = make_plan(
        config.override(vgg),
        request.arms,
        design=request.design,
        preset=shared.preset,
        seeds=request.seeds,
        data=data or _NO_DATA,
        commit=code_commit(),
        factors=request.factors,
        budget=request.budget,
        analysis=request.analysis,
        search=request.search,
        extension=request.extension,
        auto_precision=choose_precision("auto", on_gpu=_has_gpu()),
    )
    if not is_exact:
        plan = with_all_candidates(plan) if plan.search else plan
        return _Planned(plan, plan.run_order(), None, False)
    store = StudyStore(study_location(request, plan))
    plan = store.planned(plan) or plan
    if plan.search and (store.folder / SEARCH).exists():
        return _Planned(plan, [], store.folder, True)  # it is over, also if a limit has left candidates
    plan = with_all_candidates(plan) if plan.search else plan
    return _Planned(plan, store.not_ended(plan.run_order()), store.folder, True)


def _data(request: StudyRequest) -> PlannedData | None:
    """The data set of the study; None if it is not made yet."""
    shared = request.shared
    location = place_of_data(shared.source, shared.data, shared.synthetic, shared.ingest.request(shared.config.data.size))
    if shared.data and not shared.source:
        return describe_data(existing(location))
    try:
        return describe_data(existing(location))
    except UserError:
        return None


def _has_gpu() -> bool:
    import torch  # takes seconds

    return torch.cuda.is_available()


def _trains(arm: str, planned: _Planned) -> bool:
    return arm == WARM_UP or any(trial.arm == arm for trial in planned.todo)


def _count(configs: dict[str, Config], planned: _Planned) -> dict[str, float]:
    """GFLOP of an image by arm; counting takes a second, so arms that differ in terms without a network are counted once."""
    from facegan.losses import FORMULAS
    from facegan.nets.vgg import build_vgg
    from facegan.training.flops import count_step

    if planned.plan.budget.gflop is not None:
        return {arm: planned.plan.budget.gflop_per_image[arm] for arm in configs if arm != WARM_UP}
    vgg = build_vgg(planned.plan.base.override({"vgg.weights": "random"}).vgg)
    counted: dict[object, float] = {}
    found = {}
    for arm, config in configs.items():
        formulas = {term: FORMULAS[term] for term in config.loss.active()}
        reading = frozenset(term for term, f in formulas.items() if f.discriminator or f.cycle or f.vgg_layers)
        alike = reading, replace(config, loss=planned.plan.base.loss)
        if alike not in counted:
            counted[alike] = count_step(config, vgg)[0]
        found[arm] = counted[alike]
    return found


def _given(flags: CostFlags, plan: Plan, gflop: dict[str, float]) -> Rates | None:
    """The rates that follow from --images_per_second, which is that of the full loss on a GPU."""
    if flags.images_per_second is None:
        return None
    from facegan.training.flops import count_step

    full = next((gflop[arm.name] for arm in plan.arms if not arm.without and arm.name in gflop), None)
    full = full or count_step(plan.base)[0]
    rates = {arm: flags.images_per_second * full / each for arm, each in gflop.items()}
    source = f"--images_per_second {flags.images_per_second:g} with the full loss, other arms by GFLOP"
    return Rates(rates, _ANY_GPU, source)


def _probe(
    request: StudyRequest,
    flags: CostFlags,
    planned: _Planned,
    gflop: dict[str, float],
    cluster: Cluster,
    workers: int,
    notes: list[str],
) -> tuple[Rates | None, Cluster]:
    """The measured rates, and the cluster with Ray running; None and a note where nothing is measured."""
    configs = {arm: config for arm, config in arm_configs(planned.plan).items() if arm in gflop}
    largest = max(gflop.values(), default=0.0)
    if not configs:
        return None, cluster
    on_gpu = _has_gpu() or "RAY_ADDRESS" in os.environ
    if flags.probe_seconds == 0:
        notes.append("--probe_seconds is 0")
        return None, cluster
    if flags.probe_seconds is None and not on_gpu and largest > LARGEST_CPU_GFLOP:
        notes.append(f"{largest:.0f} GFLOP an image are for a GPU, and this machine has none")
        return None, cluster
    from cluster.runtime.start import start_ray, total
    from cluster.runtime.trial_resources import choose_trial_resources

    start_ray()
    if flags.probe_seconds is None and not total("GPU") and largest > LARGEST_CPU_GFLOP:
        notes.append(f"{largest:.0f} GFLOP an image are for a GPU, and the cluster has none yet")
        return None, present_cluster(request.trial_resources, flags.usd_per_hour, workers=workers)
    with scratch() as folder:  # a plan leaves nothing in the study's folder
        resources = choose_trial_resources(request.trial_resources, planned.plan.base, planned.study or folder)
    at_once = workers if workers > 1 else resources.at_once()
    seconds = seconds_of_probe(flags.probe_seconds, len(configs), at_once, largest, on_gpu=bool(total("GPU")))
    text = f"probe    measuring {counted(len(configs), 'arm')} for {seconds:.0f} s each, {at_once} at once"
    print(text, file=sys.stderr, flush=True)
    rates = measure_rates(configs, resources, seconds, workers=workers)
    save_rates(configs, rates)
    return rates, present_cluster(resources, flags.usd_per_hour, workers=workers)
