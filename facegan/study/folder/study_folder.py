"""The study's folder: its plan, written once."""

from pathlib import Path
from typing import Any

from facegan.config import from_dict
from facegan.errors import UserError
from facegan.files import read_json, write_json
from facegan.study.design.arms import Arm, Factor
from facegan.study.design.budget import read_budget
from facegan.study.design.plan import Plan, Trial

PLAN = "plan.json"


def open_study(folder: Path, plan: Plan) -> None:
    """Write the plan into a new study folder, or check that an existing one is of the same plan."""
    check_study_folder(folder)
    found = _found(folder)
    if found is None:
        write_json(folder / PLAN, plan.to_dict())
    elif found.get("id") != plan.id():
        raise UserError(
            f"--study is {str(folder)!r}: it belongs to another plan ({found.get('id')}, this one is {plan.id()}); "
            "name another folder, or give that study's own arguments"
        )


def _found(folder: Path) -> dict[str, Any] | None:
    try:
        found = read_json(folder / PLAN)
    except ValueError:
        found = "damaged"
    if found is not None and not (isinstance(found, dict) and "id" in found):
        raise UserError(f"--study is {str(folder)!r}: its {PLAN} is damaged; name another folder")
    return found


def check_study_folder(folder: Path) -> None:
    """Refuse a folder that holds things but no study."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--study is {str(folder)!r}: a file; name a folder")
    if not (folder / PLAN).exists() and folder.exists() and any(folder.iterdir()):
        raise UserError(f"--study is {str(folder)!r}: a folder with other things in it; name a new one")


def read_plan(folder: Path) -> Plan:
    """The plan of a study folder."""
    found = _found(folder)
    if found is None:
        raise UserError(f"--study is {str(folder)!r}: no study ({PLAN} is missing)")
    # Plans of before there were factors have none.
    arms = tuple(Arm(a["name"], a["label"], tuple(a["without"]), a.get("levels", {})) for a in found["arms"])
    factors = tuple(Factor(f["name"], tuple(f["terms"])) for f in found.get("factors", []))
    trials = tuple(Trial(t["key"], t["arm"], t["candidate"], from_dict(t["config"])) for t in found["trials"])
    data, vgg, code, commit = (found[name] for name in ("data", "vgg", "code", "commit"))
    budget, base = read_budget(found.get("budget")), from_dict(found["base"])
    return Plan(found["design"], found["preset"], base, arms, trials, data, vgg, code, commit, factors, budget)
