"""Errors of the command line: one line with the flag, its value and what is allowed."""

import errno
import json
import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import cluster.cli.command_line
from cluster.cli.command_line import parse, run_job, to_standard_error
from cluster.studies.cost_flags import CostFlags
from facegan.errors import UserError
from jobs.ablate import Ablate
from jobs.ablate import main as ablate
from jobs.search import Search
from jobs.search import main as search

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--seed 1.5", "--seed is '1.5': it takes INT; --help lists all flags"),
        ("--loss.pixel x", "--loss.pixel is 'x': it takes FLOAT; --help lists all flags"),
        ("--optim.batch 0", "optim.batch is 0: from 1 to 16384; --help lists all flags"),
        (
            "--optim.bacth 8",
            "Unrecognized options: --optim.bacth, 8; did you mean --optim.batch? --help lists all flags",
        ),
        ("--data.size 100000000", "data.size is 100000000: a multiple of 16, from 32 to 1024; --help lists all flags"),
        ("--model.generator_width 2000", "model.generator_width is 2000: from 4 to 256; --help lists all flags"),
        ("--synthetic.seed -1", "synthetic.seed is -1: from 0 to 4294967295; --help lists all flags"),
        ("--synthetic.people 4001", "synthetic.people is 4001: from 2 to 4000; --help lists all flags"),
        ("--images 999999999999999999999996", "images is 999999999999999999999996: at most 1000000000000"),
    ],
)
def test_a_wrong_value_is_refused_in_one_line(flags: str, message: str) -> None:
    with pytest.raises(UserError) as refused:
        parse(Ablate, "", flags.split())
    assert str(refused.value).startswith(message)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--seeds 0 x", "--seeds is '0 x': different whole numbers >= 0, at least one, or until-answered alone"),
        ("--seeds 0 -1", "--seeds is '0 -1'"),
        ("--seeds 1 01", "--seeds is '1 01'"),
        ("--seeds until-answered 3", "--seeds is 'until-answered 3'"),
        ("--seeds until-answered", "--max_seeds is missing"),
        ("--seeds until-answered --max_seeds 2", "--max_seeds is 2: at least 3"),
        ("--max_seeds 4", "--max_seeds is 4: it goes with --seeds until-answered"),
        ("--noise_from x", "--noise_from is 'x': it goes with --plan True"),
        ("--images_per_second 5", "--images_per_second is 5.0: it goes with --plan True"),
        ("--json True", "--json is True: it goes with --plan True"),
        ("--max_usd 0", "--max_usd is 0.0: above 0, at most 1,000,000,000"),
        ("--max_hours nan", "--max_hours is nan: above 0"),
        ("--probe_seconds -1", "--probe_seconds is -1.0: from 0 to 3600"),
        ("--plan True --images_per_second 5 --rates_from x", "--images_per_second is 5: leave it out with --rates_from"),
        ("--plan True --rates_from /nowhere/study", "--rates_from is '/nowhere/study': no study"),
        ("--seeds 0 3", "start weights are shipped for 3 seeds"),
        ("--seeds until-answered --max_seeds 4", "start weights are shipped for 3 seeds"),
        (f"--study {__file__}", "--study is '.*test_command_line.py': a file; name a folder"),
        ("--budget seconds --seconds 60 --images 1600", r"--images is 1600: .*leave --images out"),
    ],
)
def test_flags_that_contradict_each_other_are_refused_before_any_work(flags: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        ablate(parse(Ablate, "", flags.split()))


def test_the_images_that_a_refusal_prints_are_accepted_with_a_budget_of_seconds() -> None:
    """The cure named --images, which was then refused with "leave --images out"."""
    flags = "--budget seconds --seconds 60 --optim.batch 48 --source nowhere"
    with pytest.raises(UserError) as refused:
        parse(Ablate, "", flags.split())
    cure = str(refused.value).rpartition("such as ")[2].partition(";")[0]
    assert "--images 384" in cure
    with pytest.raises(UserError, match="no such folder"):
        ablate(parse(Ablate, "", [*flags.split(), *cure.split()]))


@pytest.mark.parametrize("preset", ["demo", "hour", "study", "poster"])
def test_a_search_needs_no_further_flag(preset: str) -> None:
    with pytest.raises(UserError, match="no such folder"):
        search(parse(Search, "", ["--preset", preset, "--seeds", "1", "2", "--source", "nowhere"]))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--candidates 1", "--candidates is 1: from 2"),
        ("--generation 1", "--generation is 1: from 2"),
        ("--finalists 0", r"--finalists is 0: from 1 to --candidates \(8\)"),
        ("--seeds 0 1", r"--seeds is 0 1: other seeds than that of the search \(0\), such as 1 2 3"),
        ("--seeds 1 4", "start weights are shipped for 3 seeds"),
        ("--space loss.pixl=1..9", "did you mean 'loss.pixel'"),
        ("--space loss.pixel=1..9 --arms no_pixel", "an arm leaves all of these out"),
        ("--sampler grid --space loss.pixel=1..9 loss.identity=1..9", "--candidates is 8: the grid has 9 points"),
        ("--data.validation_fraction 0", "hold some out"),
    ],
)
def test_flags_of_a_search_are_refused_before_any_work(flags: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        search(parse(Search, "", flags.split()))


def test_the_number_of_candidates_that_a_refused_grid_prints_is_accepted() -> None:
    flags = ["--sampler", "grid", "--space", "loss.pixel=1..9", "loss.identity=1..9", "--source", "nowhere"]
    with pytest.raises(UserError) as refused:
        search(parse(Search, "", flags))
    cure = str(refused.value).rpartition("give ")[2].partition(",")[0]
    with pytest.raises(UserError, match="no such folder"):
        search(parse(Search, "", [*flags, *cure.split()]))


def test_a_plan_is_printed_with_its_power_and_nothing_is_trained(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    flags = "--preset hour --plan True --seeds until-answered --max_seeds 6 --design factorial --factors pixel identity"
    flags += " --probe_seconds 0"
    ablate(parse(Ablate, "", flags.split()))
    printed = capsys.readouterr().out
    assert "4 arms x 3 seeds (0 1 2), 12 trials of 12,000 images" in printed and "noise    ASSUMED" in printed
    assert "12 test people, Holm over 16 tests" in printed and "   6 seeds" in printed
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UserError, match=r"no summary\.json"):
        ablate(parse(Ablate, "", ["--plan", "True", "--noise_from", str(tmp_path)]))


def test_the_printed_cure_for_seeds_that_share_start_weights_is_accepted() -> None:
    given = ["--seeds", "0", "3", "--source", "nowhere"]
    with pytest.raises(UserError) as refused:
        ablate(parse(Ablate, "", given))
    cure = str(refused.value).rpartition("with ")[2].split()
    assert cure[0] == "--start"
    with pytest.raises(UserError, match="no such folder"):
        ablate(parse(Ablate, "", [*given, *cure]))


def write_on_a_full_disk(_: Ablate) -> None:
    with Path("/dev/full").open("w") as full:
        full.write("a checkpoint")


def write_into_a_folder(_: Ablate) -> None:
    Path("/").write_text("")


@pytest.mark.parametrize(("does_continue", "goal"), [(True, " to continue"), (False, "")])
def test_a_full_disk_ends_in_one_line(
    does_continue: bool, goal: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["jobs/ablate.py"])
    with pytest.raises(SystemExit) as ended:
        run_job(write_on_a_full_disk, Ablate, "", lambda _: does_continue)
    said = capsys.readouterr().err
    assert ended.value.code == 1
    assert said == f"ablate.py: the disk is full; make room and run the same command again{goal}\n"
    with pytest.raises(IsADirectoryError):
        run_job(write_into_a_folder, Ablate, "")


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_a_place_that_may_not_be_written_is_named(
    number: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["jobs/ablate.py"])

    def write(_: Ablate) -> None:
        raise OSError(number, os.strerror(number), "/locked\nfolder/s")

    with pytest.raises(SystemExit) as ended:
        run_job(write, Ablate, "")
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        f"ablate.py: /locked\\nfolder/s: {os.strerror(number)}; change its permissions, or name another place\n"
    )


def interrupted(_: Ablate) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("job", "flags", "does_continue"),
    [
        *((job, [], True) for job in ("ablate", "compare", "search", "train", "warm_up", "ingest", "evaluate")),
        *((job, ["--plan", "True"], False) for job in ("ablate", "compare", "search", "train", "warm_up")),
        *(("ingest", flags, False) for flags in (["--verify", "True"], ["--remove", "001"])),
        *((job, [], False) for job in ("reenact", "serve")),
    ],
)
def test_an_interrupted_job_promises_to_continue_only_where_something_is_kept(
    job: str, flags: list[str], does_continue: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(main: Any, *rest: Any, **options: Any) -> None:
        run_job(interrupted, *rest, **options)

    monkeypatch.setattr(cluster.cli.command_line, "run_job", interrupt)
    monkeypatch.setattr("sys.argv", [f"jobs/{job}.py", *flags])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / "jobs" / f"{job}.py"), run_name="__main__")
    assert ended.value.code == 130
    goal = "; run the same command again to continue" if does_continue else ""
    assert capsys.readouterr().err == f"interrupted{goal}\n"


def test_sigterm_ends_a_job_as_ctrl_c_does(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def terminated(_: Ablate) -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(10)
        except KeyboardInterrupt:  # Ray raises a new one
            os.kill(os.getpid(), signal.SIGTERM)
            raise KeyboardInterrupt from None

    monkeypatch.setattr("sys.argv", ["jobs/ablate.py"])
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit) as ended:
            run_job(terminated, Ablate, "", lambda _: True)
        run_job(lambda _: None, Ablate, "")
        os.kill(os.getpid(), signal.SIGTERM)  # while Python ends
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ended.value.code == 143
    assert capsys.readouterr().err == "ended by SIGTERM; run the same command again to continue\n"


def test_standard_output_can_be_kept_for_a_result(capfd: pytest.CaptureFixture[str]) -> None:
    with to_standard_error():
        subprocess.run(["echo", "another process"], check=True)
        os.write(1, b"a library\n")
    os.write(1, b"result\n")
    assert capfd.readouterr() == ("result\n", "another process\na library\n")
    with pytest.raises(UserError), to_standard_error():
        raise UserError("x")
    os.write(1, b"after\n")
    assert capfd.readouterr() == ("after\n", "")


def test_the_plan_of_a_search_prices_candidates_and_finalists(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    flags = ["--arms", "full", "no_feature", "--candidates", "6", "--seeds", "1", "2", "--plan", "True", "--probe_seconds", "0"]
    search(parse(Search, "", flags))
    candidates, finalists = capsys.readouterr().out.split("the finalists")
    assert "12 trials of 400 images" in candidates and "8 trials of 400 images" in finalists
    assert "landmark error" in finalists and "landmark error" not in candidates, "the power of the design between tuned arms"
    assert not list(tmp_path.iterdir())
    search(parse(Search, "", [*flags, "--json", "True"]))
    again, finals = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert set(again) == {"estimate", "at_most", "power", "notes"} and set(finals) == {"estimate", "power", "notes"}
    assert 12 * 48 < again["estimate"]["images"] < again["at_most"]["images"] == 12 * 400


def test_a_limit_of_a_search_counts_for_both_of_its_studies() -> None:
    flags = CostFlags(max_hours=2.0, max_usd=10.0)
    left = flags.less(3600.0, 4.0)
    assert (left.max_hours, left.max_usd) == (1.0, 6.0)
    assert flags.less(9e9, None).max_hours == pytest.approx(0, abs=1e-6) and flags.less(0, None).max_usd == 10.0
    assert CostFlags().less(5.0, 5.0) == CostFlags()


def test_json_without_a_plan_is_for_jobs_with_a_result_as_json() -> None:
    with pytest.raises(UserError, match="--json is True: it goes with --plan True"):
        CostFlags(json=True).check()
    CostFlags(json=True).check(has_json_result=True)


_PRINTS = """
from dataclasses import dataclass
from cluster.cli.command_line import run_job

@dataclass(frozen=True)
class Arguments:
    lines: int = {lines}

def main(args):
    for _ in range(args.lines):
        print("a line")

run_job(main, Arguments, "a job", continues=lambda args: {continues})
"""


@pytest.mark.parametrize("lines", [1, 100_000])
@pytest.mark.parametrize("continues", [False, True])
def test_a_reader_that_ends_first_is_no_traceback(lines: int, continues: bool) -> None:
    """As in `jobs/describe.py ... | head`."""
    read, write = os.pipe()
    os.close(read)
    script = ["-c", _PRINTS.format(lines=lines, continues=continues)]
    done = subprocess.run([sys.executable, *script], cwd=ROOT, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert done.returncode == 141  # as the shell says of a program that was ended by SIGPIPE
    goes_on = "-c: nobody reads the output any more; run the same command again to continue\n"
    assert done.stderr == (goes_on if continues else "")


def test_a_broken_connection_is_no_closed_output(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(args: CostFlags) -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr("sys.argv", ["job.py"])
    with pytest.raises(BrokenPipeError):
        run_job(broken, CostFlags, "a job")
