"""Whether nodes ask AWS only for what their roles allow."""

import fnmatch
import json
from pathlib import Path
from typing import Any


def check_roles(calls: Path) -> None:
    """Everything that nodes asked for is in their role's policy, as far as actions, S3's resources and prefixes go."""
    rows = [json.loads(line) for line in calls.read_text().splitlines()]
    roles = json.loads((calls.parent / "roles.json").read_text())
    names = {key: role["role"] for key, role in roles.items()}
    allowed = {role["role"]: role["statements"] for role in roles.values()}
    of_nodes = [row for row in rows if row["key"] in names]
    asked = {(names[r["key"]], r["service"], r["action"], r.get("resource", "*"), r.get("prefix", "")) for r in of_nodes}
    refused = [call for call in sorted(asked) if not any(allows(statement, *call[1:]) for statement in allowed[call[0]])]
    assert asked and not refused, refused
    print(f"roles    {len(asked)} different calls of the nodes, all of them in their roles' policies", flush=True)


def allows(statement: dict[str, Any], service: str, action: str, resource: str, prefix: str) -> bool:
    """Whether a statement of a policy allows a call; conditions other than S3's prefix are not looked at."""
    actions, resources = as_list(statement["Action"]), as_list(statement["Resource"])
    prefixes = as_list(statement.get("Condition", {}).get("StringLike", {}).get("s3:prefix", "*"))
    named = service != "s3" or any(fnmatch.fnmatchcase(f"arn:aws:s3:::{resource}", r) for r in resources)
    return (
        statement["Effect"] == "Allow"
        and f"{service}:{action}" in actions
        and named
        and any(fnmatch.fnmatchcase(prefix, p) for p in prefixes)
    )


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
