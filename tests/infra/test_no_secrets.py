"""No file of infra/ that is deployed contains a secret."""

import re
from pathlib import Path

import pytest

INFRA = Path(__file__).parents[2] / "infra"
DEPLOYED = sorted(
    path
    for path in INFRA.rglob("*")
    if path.suffix in (".yaml", ".sh", ".service", ".timer", ".py") or path.name == "Dockerfile"
)
SECRET = re.compile(r"(SECRET_ACCESS_KEY|PASSWORD|AUTH_TOKEN|ACCESS_KEY_ID)\s*[=:]\s*[^\s,}]")


def test_every_kind_of_deployment_is_checked() -> None:
    names = {path.relative_to(INFRA).as_posix() for path in DEPLOYED}
    assert {
        "cluster.yaml",
        "onprem/cluster.yaml",
        "kubernetes/kuberay.yaml",
        "kubernetes/Dockerfile",
        "aws/stack.yaml",
    } <= names


@pytest.mark.parametrize("file", DEPLOYED, ids=lambda file: file.relative_to(INFRA).as_posix())
def test_file_contains_no_secret(file: Path) -> None:
    lines = [line for line in file.read_text().splitlines() if not line.strip().startswith("#")]
    assert [line for line in lines if SECRET.search(line)] == []


def test_secret_pattern_matches_a_written_secret() -> None:
    assert SECRET.search("AWS_SECRET_ACCESS_KEY=abc") and SECRET.search("- {name: x, RAY_AUTH_TOKEN: abc}")
