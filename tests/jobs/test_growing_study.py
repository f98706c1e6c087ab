"""A study that is given more seeds, and one that adds seeds until it is answered."""

import json
from typing import Any

import pytest

pytestmark = pytest.mark.ray
# At this rate scores vary so much by seed that no claim is decided by three of them.
SQUARE = (
    "--design",
    "factorial",
    "--factors",
    "pixel_space",
    "feature_space",
    "--optim.generator_lr",
    "0.05",
    "--images",
    "16",
)


def test_more_seeds_reuse_every_finished_trial(jobs: Any) -> None:
    jobs.run("ablate", *SQUARE, "--seeds", "0")
    before = {path: path.stat().st_mtime_ns for path in jobs.study().glob("trials/*/scores.json")}
    output = jobs.run("ablate", *SQUARE, "--seeds", "until-answered", "--max_seeds", "4")
    assert len(before) == 4 and {path: path.stat().st_mtime_ns for path in before} == before
    assert "look     3 seeds, 1 looks left: " in output and "going on with seeds 0 1 2 3" in output
    summary = json.loads((jobs.study() / "summary.json").read_text())
    assert summary["study"]["seeds"] == [0, 1, 2, 3] and len(summary["trials"]) == 16
    assert (summary["effects"]["look"], summary["effects"]["looks_left"]) == (2, 0)
    (change,) = summary["study"]["analysis"]["changes"]
    assert change["results_seen"] == 4 and "looks from () to (3, 4)" in change["what"]
    assert (jobs.study() / "runs.parquet").stat().st_size > 1000


def test_a_fraction_is_extended_by_its_fold_over(jobs: Any) -> None:
    """The report says that an estimate has several names, and the flag that it prints trains what tells them apart."""
    half = ["--design", "fraction", "--fraction", "half", "--factors", "pixel", "perceptual", "identity", "--images", "16"]
    output = jobs.run("ablate", *half)
    (step,) = [line for line in output.splitlines() if line.startswith("next     --extend")]
    flags = step.removeprefix("next ").partition(" (")[0].split()
    assert "(4 runs, " in step and "3 effects of one or two factors have several names" in step
    assert "--extend fold-over" in (jobs.study() / "report.html").read_text()
    before = {path: path.stat().st_mtime_ns for path in jobs.study().glob("trials/*/scores.json")}
    price = json.loads(jobs.plan("ablate", *half, *flags, "--json", "True", "--probe_seconds", "0"))
    assert price["estimate"]["trials"] == 4
    jobs.run("ablate", *half, *flags)
    assert len(before) == 4 and {path: path.stat().st_mtime_ns for path in before} == before
    summary = json.loads((jobs.study() / "summary.json").read_text())
    assert len(summary["trials"]) == 8 and summary["effects"]["aliases"] == {} and summary["effects"]["resolution"] is None
    (change,) = summary["study"]["analysis"]["changes"]
    assert change["results_seen"] == 4 and change["what"].startswith("arms ")
