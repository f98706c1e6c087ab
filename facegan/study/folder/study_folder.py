"""plan.json: the plan of a study, written before the first trial, extended by seeds, and checked whenever it is read."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

from facegan.errors import UserError
from facegan.files import write_json
from facegan.records import read_record
from facegan.study.design.plan import Plan, trial_key
from facegan.study.design.two_level import alias_table, resolution
from facegan.study.folder.plan_check import contradiction
from facegan.study.folder.trial_folder import SCORES, trial_folder

PLAN = "plan.json"
MANIFEST = "manifest.json"
"""Copy of the data set's manifest, which names the table of its clips by its hash; written with the outputs of a study."""


@dataclass(frozen=True, slots=True)
class _PlanFile:
    """The content of plan.json: the plan, and what follows from it, for people who read the file."""

    id: str
    plan: Plan
    equalised: str
    run_order: tuple[str, ...]
    aliases: dict[str, list[str]]
    resolution: int | None


def write_plan(folder: Path, plan: Plan) -> None:
    """Write plan.json."""
    write_json(folder / PLAN, asdict(_plan_file(plan)))


def _plan_file(plan: Plan) -> _PlanFile:
    rows = [arm.levels for arm in plan.arms if arm.levels]
    run_order = tuple(trial.key for trial in plan.run_order())
    return _PlanFile(plan.id(), plan, plan.budget.equalised(), run_order, alias_table(rows), resolution(rows))


def read_plan(folder: Path, flag: str = "--study", location: str = "") -> Plan:
    """The plan of a study folder. Raises UserError if there is none, or if the file is damaged or of another version.

    `flag` ("the study" where it has none) and `location` are what the user gave: `folder` may be this machine's copy of it.
    """
    plan = _read(folder, f"name another study with {flag}" if flag.startswith("--") else "name another study")
    if plan is None:
        where = location or str(folder)
        raise UserError(f"{flag} is {where!r}: no study ({PLAN} is missing); name the one that jobs/ablate.py wrote")
    return plan


def _read(folder: Path, cure: str = "name another folder with --study") -> Plan | None:
    file = read_record(_PlanFile, folder / PLAN, cure)
    if file is None:
        return None
    plan = file.plan
    reason = contradiction(plan)
    if reason:
        raise UserError(f"{folder / PLAN} is damaged: {reason}; {cure}")
    keys = [trial_key(trial.config, plan.vgg, plan.data, plan.code, plan.budget) for trial in plan.trials]
    if plan.id() != file.id or keys != [trial.key for trial in plan.trials]:
        raise UserError(f"{folder / PLAN} is damaged: its keys do not belong to its content; {cure}")
    if file != _plan_file(plan):
        raise UserError(f"{folder / PLAN} is damaged: what follows from its plan is not what it says; {cure}")
    return plan


def open_study(folder: Path, plan: Plan) -> Plan:
    """Write the plan into a new study folder, or extend the plan that is there by its seeds; returns the study's plan.

    Raises UserError if an existing folder has another plan or no study.
    """
    extended = extended_plan(folder, plan)
    if extended != _read(folder):
        write_plan(folder, extended)
    return extended


def extended_plan(folder: Path, plan: Plan) -> Plan:
    """The plan that `open_study` would write, or has written; raises the same errors and writes nothing."""
    check_study_folder(folder)
    found = _read(folder)
    if found is None:
        return plan
    if found.id() != plan.id() and replace(plan, code=found.code).id() == found.id():
        of_commit = f" (commit {found.commit})" if found.commit else ""
        raise UserError(
            f"--study is {str(folder)!r}: it was planned with other code, {found.code}{of_commit}, this is {plan.code}; "
            "go back to that code, or name another folder"
        )
    if found.id() != plan.id():
        raise UserError(
            f"--study is {str(folder)!r}: it belongs to another plan ({found.id()}, this one is {plan.id()}); "
            "name another folder, or give that study's own arguments"
        )
    return found.extended(plan, sum((trial_folder(folder, trial).path / SCORES).exists() for trial in found.trials))


def check_study_folder(folder: Path) -> None:
    """Raise UserError if a folder contains something other than a study."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--study is {str(folder)!r}: a file; name a folder")
    # Hidden files are of the file manager, or the lock of a job that was killed before it wrote the plan.
    if not (folder / PLAN).exists() and folder.exists() and any(not path.name.startswith(".") for path in folder.iterdir()):
        raise UserError(f"--study is {str(folder)!r}: a folder that contains other files; name a new one")
