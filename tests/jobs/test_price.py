"""A study is priced, ends at its limit with a valid report, and goes on under a higher one."""

import json
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.ray, pytest.mark.slow]
SMALL = ("--arms", "no_pixel", "full", "--images", "16", "--study", "studies/priced")


def summary(jobs: Any) -> Any:
    return json.loads((jobs.study() / "summary.json").read_text())


def test_a_study_ends_at_its_limit_and_goes_on(jobs: Any, tmp_path: Path) -> None:
    planned = json.loads(jobs.run("ablate", *SMALL, "--plan", "True", "--json", "True", "--probe_seconds", "1"))
    estimate = planned["estimate"]
    assert estimate["trials"] == 2 and not (tmp_path / "studies").exists()
    assert all(arm["images_per_second"] > 0 and arm["hours"] > 0 for arm in estimate["arms"])
    assert estimate["clusters"][0]["wall_hours"] > 0 and estimate["clusters"][0]["usd"] is None

    # A limit that is over before the first trial: exit code 0, and a report over what is there.
    output = jobs.run("ablate", *SMALL, "--max_hours", "0.0001")
    assert "limit    --max_hours 0.0001 leaves no time for more: 2 of 2 trials are missing" in output
    assert "The study ended at its limit, --max_hours 0.0001" in output
    assert summary(jobs)["cost"]["missing"] == ["-Pixel seed 0", "Full seed 0"]
    assert {trial["state"] for trial in summary(jobs)["trials"]} == {"PENDING"}
    assert "Not complete." in (jobs.study() / "report.html").read_text()

    # The speed that the plan measured is what the study is compared with.
    output = jobs.run("ablate", *SMALL, "--max_hours", "5", "--usd_per_hour", "2", "--max_usd", "5")
    found = summary(jobs)["cost"]
    assert {trial["state"] for trial in summary(jobs)["trials"]} == {"COMPLETED"}
    assert not found["limit"] and not found["missing"] and "actual over estimate" in output
    assert "measured for 1 s an arm" in found["estimated_from"] and found["usd"] > 0
    assert "Not complete." not in (jobs.study() / "report.html").read_text()

    # A plan of the same study finds nothing to do; one of another length takes this study's times.
    assert "nothing left to train" in jobs.plan("ablate", *SMALL)
    other = ("--arms", "no_pixel", "full", "--images", "32", "--rates_from", "studies/priced")
    page = jobs.plan("ablate", *other)
    assert "speed    measured in priced, 2 arms" in page and "scoring" in page and "ASSUMED, as on" not in page
