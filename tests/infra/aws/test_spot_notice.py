"""The notice before a spot node is taken back: the real script, with other programs in place of those that need AWS."""

import os
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).parents[3] / "infra" / "aws" / "spot_notice.sh"
PROGRAMS = {
    "sudo": 'exec "$@"',
    "systemctl": "exit 3",
    "systemd-run": 'while [ "$1" != bash ]; do shift; done; printf "%s\\0" "$@" > "$FAKES/service"',
    # 404 makes curl -f exit with 22: twice the token is refused, then there is no notice yet, then there is one.
    "curl": """echo "$*" >> "$FAKES/asked"
case "$*" in
  *api/token*) [ "$(grep -c api/token "$FAKES/asked")" -gt 2 ] || exit 22; echo abc ;;
  *"token: abc"*spot/instance-action*) [ "$(grep -c instance-action "$FAKES/asked")" -gt 2 ] || exit 22 ;;
  *) exit 22 ;;
esac""",
    "ray": 'echo "$*" > "$FAKES/drained"',
}


def test_a_notice_is_heard_although_requests_fail_before(tmp_path: Path) -> None:
    for name, body in PROGRAMS.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{body}\n")
        (tmp_path / name).chmod(0o755)
    more = {"FAKES": str(tmp_path), "PATH": f"{tmp_path}:{os.environ['PATH']}", "USER": "ubuntu"}
    environment = os.environ | more | {"NOTICE_EVERY": "0.05", "FACEGAN_NOTICE": str(tmp_path / "notice")}
    subprocess.run(["bash", str(SCRIPT)], env=environment, check=True)
    subprocess.run((tmp_path / "service").read_text().split("\0")[:-1], env=environment, check=True, timeout=20)
    assert (tmp_path / "notice").exists()
    assert (tmp_path / "drained").read_text().startswith("drain-node --reason DRAIN_NODE_REASON_PREEMPTION")
