"""The benchmarks: their reference computes what ours computes, and they run on a machine without Ray."""

import argparse
import json
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from facegan.config import Config
from facegan.presets import preset
from facegan.study.design.arms import choose_design
from facegan.training.packing import random_batch
from facegan.training.state import new_state
from facegan.training.step import step
from jobs.bench import gpu
from jobs.bench import search as search_benchmark
from jobs.bench import step as step_benchmark
from jobs.bench.parallel import Network, exchange_seconds
from jobs.bench.reference_2019 import Step2019
from jobs.bench.start_and_batches import ARMS, nested_variances
from jobs.bench.step import at_batch
from tests.jobs.conftest import SMALLEST

ROOT = Path(__file__).parents[2]

SMALL = ["model.generator_width=4", "model.discriminator_width=4", "vgg.width=4", "data.size=32", 'start="random"']


def test_the_reference_computes_our_losses(tiny: Config) -> None:
    """Same weights, same batch: the same terms, and after two steps still, so the gradients are the same too."""
    config = tiny.override({"model.maps": "points", "model.head": "colour", "optim.generator_lr": 1e-4})
    ours, theirs = new_state(config, torch.device("cpu")), Step2019(config, torch.device("cpu"))
    for network in ("generator", "discriminator"):
        pairs = zip(getattr(theirs, network).parameters(), getattr(ours, network).parameters(), strict=True)
        for theirs_weight, ours_weight in pairs:
            theirs_weight.data.copy_(ours_weight.data)
    batch = random_batch(config)
    for _ in range(2):
        values = step(ours, batch)
        theirs(batch)
        assert set(theirs.terms) == {"discriminator", *config.loss.active()}
        for term, value in theirs.terms.items():
            assert values[f"loss/{term}"].item() == pytest.approx(value, rel=1e-3), term


@pytest.mark.slow
def test_the_step_benchmark_runs_without_ray(tmp_path: Path) -> None:
    absent = ("ray", "mlflow", "tyro", "safetensors", "boto3", "matplotlib")
    # Python imports it by itself at every start: these packages are missing, and facegan is not installed either.
    (tmp_path / "sitecustomize.py").write_text(
        f"import sys\nsys.modules.update(dict.fromkeys({absent}))\n"
        "sys.meta_path[:] = [finder for finder in sys.meta_path if 'editable' not in repr(finder)]\n"
    )
    arguments = ["--set", *SMALL, "--batch", "4", "--threads", "1", "--rounds", "1", "--parts", "steps"]
    done = subprocess.run(
        [sys.executable, str(ROOT / "jobs" / "bench" / "step.py"), *arguments, "--out", str(tmp_path / "out.json")],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    found = json.loads((tmp_path / "out.json").read_text())
    assert set(found) == {"conditions", "limits", "steps"}
    assert found["steps"]["rows"]["ours"]["gflop"] < found["steps"]["rows"]["2019"]["gflop"]
    assert "round 1/1" in done.stdout


@pytest.mark.slow
def test_the_benchmark_of_gradient_diagnostics_measures_a_loop_with_and_without(tmp_path: Path) -> None:
    small = [
        "model.generator_width=4",
        "model.discriminator_width=4",
        "vgg.width=4",
        "data.size=32",
        'start="random"',
        "gradient_diagnostics_every=32",
    ]
    arguments = ["--presets", "demo", "--periods", "1", "--rounds", "1", "--set", *small, "--out", str(tmp_path / "out.json")]
    done = subprocess.run(
        [sys.executable, str(ROOT / "jobs" / "bench" / "gradients.py"), *arguments],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    found = json.loads((tmp_path / "out.json").read_text())["presets"]["demo"]
    assert (found["batch"], found["anatomy_every"], found["steps_a_period"], found["terms"]) == (8, 32, 4, 6)
    assert set(found["loop"]["rounds"][0]) == {"with anatomy", "without"}
    # Gradients of six terms are not free.
    assert found["step"]["cost_cpu_of_the_step"] > 0
    assert found["step"]["peak_gib"] >= found["step"]["peak_gib_without"] > 0


@pytest.mark.slow
def test_the_benchmark_of_large_data_sets_measures_each_part(tmp_path: Path) -> None:
    arguments = ["--clips", "20", "--trained_clips", "12", "--batches", "3", "--latency", "0", "--bandwidth", "1000"]
    done = subprocess.run(
        [sys.executable, str(ROOT / "jobs" / "bench" / "scale.py"), *arguments, "--out", str(tmp_path / "out.json")],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    found = json.loads((tmp_path / "out.json").read_text())
    assert set(found["manifest"]) == {"20"}
    assert set(found["manifest"]["20"]) == {"bytes", "write", "open", "begin", "extend"}
    ways = found["training"]["ways"]
    assert set(ways) == {"complete copy", "75 %", "50 %", "25 %"}
    assert ways["complete copy"]["first_batch_mb"] == pytest.approx(found["training"]["megabytes"])
    assert ways["complete copy"]["mb_per_sample"] == 0 and all(way["samples_per_second"] > 0 for way in ways.values())


@pytest.mark.parametrize("batch", [1, 3, 48, 64, 250])
def test_the_step_benchmark_starts_at_any_batch_size(batch: int) -> None:
    """64 is its default on a GPU, and was refused: gradient_diagnostics_every stayed at 400."""
    for name in ("demo", "poster"):
        config = at_batch(preset(name), batch)
        assert config.optim.batch == batch and config.images >= 100 * batch


def test_the_command_for_a_gpu_starts_with_its_default_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path))  # the benchmark sets another one
    monkeypatch.setattr(step_benchmark, "limits", lambda device: {"gflops_fp32": 1.0})
    monkeypatch.setattr(sys, "argv", ["step.py", "--device", "cpu", "--batch", "64", "--parts"])
    step_benchmark.main()
    assert "limits: {'gflops_fp32': 1.0}" in capsys.readouterr().out


def test_nested_variances_tell_start_weights_from_batches() -> None:
    rng = np.random.default_rng(0)
    for of_start, of_batches in ((2.0, 0.5), (0.0, 1.0), (1.0, 0.0)):
        scores = 5 + of_start * rng.normal(size=(4_000, 1)) + of_batches * rng.normal(size=(4_000, 3))
        found = nested_variances(scores)
        assert (found["start"], found["batches"]) == pytest.approx((of_start, of_batches), abs=0.1)
    assert len(choose_design("figure2", preset("demo"), names=ARMS).arms) == 2
    assert nested_variances(np.array([[1.0, 3.0], [3.0, 1.0], [1.0, 3.0]]))["start"] == 0


@pytest.mark.slow
def test_the_benchmark_of_start_weights_trains_each_with_each_order(tmp_path: Path) -> None:
    small = "--orders 2 --arms full --images 8 --people 3 --test_people 1 --processes 1 --out out.json"
    command = [sys.executable, str(ROOT / "jobs" / "bench" / "start_and_batches.py"), *small.split()]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads((tmp_path / "out.json").read_text())["arms"]["full"]["target_following"]
    assert found["start"] >= 0 and found["batches"] > 0


@pytest.mark.slow
def test_the_benchmark_of_searches_trains_candidates_and_replays_their_curves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = str(ROOT / "jobs" / "bench" / "search.py")
    flags = ["--seeds", "1", "--candidates", "2", "--images", "72", "--processes", "1"]
    trained = [sys.executable, script, *flags, "--people", "3", "--out", "out.json"]
    done = subprocess.run(trained, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    # Training needs processes that import the script; what is replayed does not.
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [script, *flags, "--curves", "out.json", "--out", "again.json"])
    search_benchmark.main()
    found, again = (json.loads((tmp_path / name).read_text()) for name in ("out.json", "again.json"))
    assert found["compared"] == again["compared"] and found["searches"] == again["searches"]
    (search,) = found["compared"]
    assert 0 < search["images"] <= 1 and search["whole_runs"] >= 1 and search["rank_of_chosen"] >= 1
    assert [m["images"] for m in found["searches"][0][0]["curve"]] == [8, 16, 24, 32, 72]


@pytest.mark.ray
@pytest.mark.slow
def test_the_benchmark_of_busy_shares_runs_a_search_on_nodes_of_this_machine(data_folder: Path, tmp_path: Path) -> None:
    small = "--candidates 2 --images 72 --nodes 2 --cpus 1 --out out.json"
    more = " ".join([*SMALLEST[6:], "--data", str(data_folder)])
    command = [sys.executable, str(ROOT / "jobs" / "bench" / "busy.py"), *small.split(), "--more", more]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads((tmp_path / "out.json").read_text())
    assert 0 < found["training"] < found["busy"] <= 1 and found["of_images"] == 2 * 72
    assert {path.name for path in tmp_path.iterdir()} == {"out.json"}


def test_exchange_on_paper() -> None:
    network = Network(gigabytes_a_second=10.0, latency=1e-5, gpus_a_node=8)
    assert exchange_seconds(1e8, 8, network) == 0
    # Two nodes: each sends the whole once over its link, in 4 buckets of two hops.
    assert exchange_seconds(1e8, 16, network) == pytest.approx(1e8 / 10e9 + 4 * 2 * 1e-5)
    assert exchange_seconds(1e8, 512, network) == pytest.approx(2 * 63 / 64 * 1e8 / 10e9 + 4 * 12 * 1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("step.py --set foo", "--set has 'foo': NAME=JSON"),
        ("step.py --batch 0", "argument --batch: it is '0'"),
        ("step.py --preset x", "--preset is 'x'"),
        ("gradients.py --periods 1", "--periods has 1 numbers"),
        ("ingest.py --clips -1", "argument --clips: it is '-1'"),
        ("input.py --foo", "unrecognized arguments: --foo"),
        ("start_and_batches.py --orders 1", "--orders is 1: at least 2"),
        ("parallel.py --workers 0", "argument --workers: it is '0'"),
        ("busy.py --candidates 0", "argument --candidates: it is '0'"),
        ("estimate.py --images 0", "argument --images: it is '0'"),
    ],
)
def test_a_mistake_ends_a_benchmark_in_one_line(
    arguments: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script, *flags = arguments.split()
    path = str(ROOT / "jobs" / "bench" / script)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))  # each script puts the root in front
    monkeypatch.setattr(sys, "argv", [path, *flags])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(path, run_name="__main__")
    out, error = capsys.readouterr()
    assert end.value.code == 2 and out == ""
    assert error.startswith(f"{script}: {message}") and len(error.splitlines()) == 1


@pytest.mark.slow
def test_the_gpu_benchmark_keeps_what_it_has_when_its_time_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By a clock of its own, since a busy machine may need all of a short time for the first case.

    The second case is one of float32: on a CPU that cannot compute in bfloat16, a step in it takes seconds.
    """
    known, first = gpu._cases(), ["limits", "poster, batch 8: float32"]
    cases_in_turn = {name: known[name] for name in dict.fromkeys([*first, *known])}
    monkeypatch.setattr(gpu, "_cases", lambda: cases_in_turn)
    looks = iter([0.0, 0.0, 1.0])  # at the start, and before each of the first two cases
    clock = SimpleNamespace(monotonic=lambda: next(looks, 540.0))
    monkeypatch.setattr(gpu, "time", clock)
    flags = ["--device", "cpu", "--measure_seconds", "0.05", "--case_seconds", "300", "--out", str(tmp_path / "out.json")]
    monkeypatch.setattr(sys, "argv", ["gpu.py", *flags])
    gpu.main()
    cases = json.loads((tmp_path / "out.json").read_text())["cases"]
    assert len(cases) == 39 and list(cases)[:2] == first and cases.keys() == known.keys()
    limits, rate, *others = cases.values()
    assert set(limits) == {"gflops_fp32", "gigabytes_a_second"}
    assert rate["images_per_second"] > 0 and rate["operations"] > 300
    assert others == [{"error": "no time was left"}] * 37
    assert "2 of 39 cases measured" in capsys.readouterr().out


@pytest.mark.slow
def test_a_case_that_fails_or_hangs_keeps_its_reason() -> None:
    args = argparse.Namespace(device="cpu", measure_seconds=0.05, set=[])
    unknown = {"kind": "rate", "preset": "no_such", "batch": 1, "way": "bfloat16", "runs": 1}
    assert gpu._in_a_process(args, unknown, 60)["error"].startswith("gpu.py: --preset is 'no_such'")
    assert gpu._in_a_process(args, {"kind": "packing", "preset": "poster"}, 5.1)["error"] == "not done after 5 s"


def test_an_unknown_commit_is_refused_before_a_study_runs(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "jobs" / "bench" / "study.py"), "--against", "no-such-commit"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert done.returncode == 2 and done.stderr.startswith("study.py: --against is 'no-such-commit': fatal: not a valid object")
    assert len(done.stderr.splitlines()) == 1 and not list(tmp_path.iterdir())
