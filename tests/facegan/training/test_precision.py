"""Other ways to the same numbers: bfloat16, compiled networks, a GPU; and what a GPU must not do: wait in a step."""

import shutil
from pathlib import Path

import pytest
import torch

from facegan.config import TERMS, Config
from facegan.data.reading.face_data import FaceData
from facegan.training import precision
from facegan.training.packing import random_batch
from facegan.training.precision import choose_precision
from facegan.training.state import new_state
from facegan.training.step import step
from facegan.training.train import train

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")


def test_auto_is_bfloat16_where_the_device_multiplies_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for flags, expected in (
        ("fpu avx2 avx512_bf16", "bf16"),
        ("fpu amx_bf16", "bf16"),
        ("fpu avx512f", "fp32"),
        (None, "fp32"),
    ):
        file = tmp_path / f"cpuinfo{flags}"
        if flags:
            file.write_text(f"processor\t: 0\nflags\t\t: {flags}\nbugs\t: none\n")
        monkeypatch.setattr(precision, "_CPUINFO", file)
        assert choose_precision("auto", on_gpu=False) == expected
        assert choose_precision("auto", on_gpu=True) == "bf16"
        assert choose_precision("fp32", on_gpu=True) == "fp32" and choose_precision("bf16", on_gpu=False) == "bf16"


def test_a_step_follows_the_chosen_precision(tiny: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "multiplies_bf16", lambda cpuinfo: True)
    values = {}
    for name in ("auto", "bf16", "fp32"):
        state = new_state(tiny.override({"optim.precision": name}), torch.device("cpu"))
        values[name] = step(state, random_batch(tiny))["loss/pixel"].item()
    assert values["auto"] == values["bf16"] != values["fp32"]


def test_bfloat16_keeps_losses_and_weights_in_float32_and_near_their_values(tiny: Config) -> None:
    values = {}
    for name in ("fp32", "bf16"):
        config = tiny.override({"optim.precision": name, "loss.style": 1.0})
        state = new_state(config, torch.device("cpu"))
        values[name] = step(state, random_batch(config))
        assert {v.dtype for v in values[name].values()} == {torch.float32}
        assert {p.dtype for p in state.generator.parameters()} == {torch.float32}
    for name, exact in values["fp32"].items():
        if name != "discriminator/accuracy":
            assert values["bf16"][name].item() == pytest.approx(exact.item(), rel=0.05), name
    assert values["bf16"]["loss/pixel"].item() != values["fp32"]["loss/pixel"].item()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")  # TorchInductor uses what torch deprecates
@pytest.mark.skipif(not shutil.which("g++"), reason="TorchInductor needs a C++ compiler")
def test_compiled_networks_compute_the_same(tiny: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    # Each kind of layer once: the C++ compiler takes seconds for each level.
    monkeypatch.setattr("facegan.nets.generator.LEVELS", 1)
    pixel_only = {f"loss.{term}": float(term == "pixel") for term in TERMS}
    # The dense first layer is what a GPU uses, where compiling may pay; it also compiles in half of the time.
    shape = {"model.maps": "points", "model.first_layer": "dense", "model.head": "colour"}
    config = tiny.override({**pixel_only, "loss.pixel": 10.0, **shape})
    eager, compiled = (new_state(config.override({"optim.compile": on}), torch.device("cpu")) for on in (False, True))
    for _ in range(3):
        expected, found = step(eager, random_batch(config)), step(compiled, random_batch(config))
        assert found["loss/pixel"].item() == pytest.approx(expected["loss/pixel"].item(), rel=1e-3)
    assert compiled.generator._compiled_call_impl is not None


@pytest.mark.gpu
@needs_gpu
def test_bfloat16_follows_float32_for_two_hundred_steps(data: FaceData, tiny: Config) -> None:
    """Means over 50 steps agree to 10 %, and to 3 % for the generator's loss: curves, not digits, since training is chaotic."""
    budget = {"images": 800, "report_every": 200, "checkpoint_every": 800, "model.generator_width": 16}
    curves = {}
    for name in ("fp32", "bf16"):
        config = tiny.override({**budget, "optim.precision": name})
        curves[name] = [p.metrics for p in train(new_state(config, torch.device("cuda")), data)]
    for exact, rounded in zip(curves["fp32"], curves["bf16"], strict=True):
        assert rounded["loss/generator"] == pytest.approx(exact["loss/generator"], rel=0.03)
        for name in (n for n in exact if n.startswith("loss/")):
            assert rounded[name] == pytest.approx(exact[name], rel=0.10), name


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("maps", ["parts", "points"])
def test_a_step_never_waits_for_the_device(tiny: Config, maps: str) -> None:
    config = tiny.override({"model.maps": maps})
    state, batch = new_state(config, torch.device("cuda")), random_batch(config)
    batch = type(batch)(*(getattr(batch, name).pin_memory() for name in batch.__slots__))
    step(state, batch)
    torch.cuda.set_sync_debug_mode("error")
    try:
        step(state, batch)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.gpu
@needs_gpu
def test_cpu_and_gpu_agree_on_a_step(tiny: Config) -> None:
    config = tiny.override({"optim.precision": "fp32", "model.maps": "points"})
    on_cpu, on_gpu = (step(new_state(config, torch.device(d)), random_batch(config)) for d in ("cpu", "cuda"))
    for name in (n for n in on_cpu if n.startswith("loss/")):
        assert on_gpu[name].item() == pytest.approx(on_cpu[name].item(), rel=1e-2), name
