"""Recorded steps against steps without a graph: on a GPU, and on a CPU with an emulation of what a CUDA graph does.

The emulation keeps every operation with the tensors that it read and wrote. A replay runs the operations again on the same
tensors, as a graph does on the same addresses. What is computed in Python, or lies in a new tensor, stays as it was recorded.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from facegan.config import Config
from facegan.data.reading.face_data import FaceData
from facegan.errors import UserError
from facegan.training import cuda_graph
from facegan.training.cuda_graph import GraphedSteps
from facegan.training.state import TrainState, new_state
from facegan.training.train import Progress, Together

CPU = torch.device("cpu")


class EmulatedGraph(TorchDispatchMode):
    """Stands for torch.cuda.CUDAGraph."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: list[tuple[Any, Any, Any, Any]] = []
        self.before: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func._schema.is_mutable:
            for tensor in tensors_of((args, kwargs)):
                self.before.setdefault(tensor.data_ptr(), (tensor, tensor.clone()))
        out = func(*args, **kwargs)
        self.calls.append((func, args, kwargs, out))
        return out

    def end_recording(self) -> None:
        """Recording computes nothing: what was changed in place is as before."""
        with torch.no_grad():
            for tensor, value in self.before.values():
                tensor.copy_(value)
        self.before.clear()

    @torch.no_grad()
    def replay(self) -> None:
        for func, args, kwargs, out in self.calls:
            if func.is_view:
                continue
            again = func(*args, **kwargs)
            if not func._schema.is_mutable:
                for recorded, value in zip(tensors_of(out), tensors_of(again), strict=True):
                    recorded.copy_(value)


def tensors_of(values: Any) -> list[torch.Tensor]:
    return [value for value in tree_leaves(values) if isinstance(value, torch.Tensor)]


class OnlyStream:
    """Stands for torch.cuda.Stream on a device that has one queue."""

    def __init__(self, device: torch.device | None = None) -> None:
        self.device = device

    def wait_stream(self, other: "OnlyStream") -> None:
        assert isinstance(other, OnlyStream)


@pytest.fixture
def emulated(monkeypatch: pytest.MonkeyPatch) -> list[EmulatedGraph]:
    """Patches torch.cuda; returns the graphs that are made."""
    made: list[EmulatedGraph] = []

    def graph() -> EmulatedGraph:
        made.append(EmulatedGraph())
        return made[-1]

    @contextlib.contextmanager
    def recording(graph: EmulatedGraph, stream: OnlyStream) -> Iterator[None]:
        with graph:
            yield
        graph.end_recording()

    monkeypatch.setattr(torch.cuda, "CUDAGraph", graph)
    monkeypatch.setattr(torch.cuda, "graph", recording)
    monkeypatch.setattr(torch.cuda, "Stream", OnlyStream)
    monkeypatch.setattr(torch.cuda, "current_stream", OnlyStream)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: contextlib.nullcontext())
    return made


def science(reports: list[tuple[int, Any]]) -> list[tuple[int, int, dict[str, float]]]:
    assert all(isinstance(report, Progress) for _, report in reports)
    return [(p, r.images, {k: v for k, v in r.metrics.items() if k != "images_per_second"}) for p, r in reports]


def weights(state: TrainState) -> list[torch.Tensor]:
    moments = [value for entry in state.generator_optimizer.state.values() for value in entry.values()]
    average = list(state.average.parameters()) if state.average is not None else []
    return [*state.generator.parameters(), *state.discriminator.parameters(), *moments, *average]


@pytest.mark.parametrize("precision", [pytest.param("fp32", marks=pytest.mark.slow), "bf16"])
def test_replayed_steps_are_steps(
    data: FaceData, tiny: Config, emulated: list[EmulatedGraph], precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three arms, one of them shorter, with gradient diagnostics in the middle and an average: equal to the last bit."""
    config = tiny.override({"images": 32, "gradient_diagnostics_every": 16, "optim.average": 0.9, "optim.precision": precision})
    arms = [
        config,
        config.override({"loss.perceptual": 0.0, "loss.identity": 0.0, "images": 24}),
        config.override({"loss.triple_consistency": 0.0, "loss.adversarial": 0.0}),
    ]
    plain = [new_state(arm, CPU) for arm in arms]
    expected = science(list(Together(plain, data)))
    graphed = [new_state(arm, CPU) for arm in arms]
    monkeypatch.setattr("facegan.training.train.steps", GraphedSteps(CPU))
    found = science(list(Together(graphed, data)))
    # One graph of the shared input, and one of each run.
    assert len(emulated) == 4 and all(graph.calls for graph in emulated)
    assert found == expected
    for ours, theirs in zip(graphed, plain, strict=True):
        assert all(map(torch.equal, weights(ours), weights(theirs)))
        assert ours.passes == theirs.passes


def test_a_step_that_keeps_an_old_tensor_would_be_noticed(
    data: FaceData, tiny: Config, emulated: list[EmulatedGraph], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The emulation fails for what fails in a graph: here the batch is not copied to where the graph reads it."""
    expected = science(list(Together([new_state(tiny, CPU)], data)))
    monkeypatch.setattr("facegan.data.reading.batch.Batch.copy_from", lambda self, other: None)
    monkeypatch.setattr("facegan.training.train.steps", GraphedSteps(CPU))
    found = science(list(Together([new_state(tiny, CPU)], data)))
    assert found[0] == expected[0] and found[-1] != expected[-1]


def test_several_workers_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_graph, "rank_and_world", lambda: (0, 2))
    with pytest.raises(UserError, match="cuda_graph is True"):
        GraphedSteps(CPU)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
def test_a_graph_trains_as_the_steps_do(data: FaceData, tiny: Config) -> None:
    """Kernels may sum in another order, so the first reports agree to rounding, and later ones as curves do."""
    config = tiny.override({"optim.precision": "fp32", "optim.tf32": False, "optim.generator_lr": 1e-5})
    device = torch.device("cuda")
    plain = science(list(Together([new_state(config, device)], data)))
    graphed = science(list(Together([new_state(config.override({"optim.cuda_graph": True}), device)], data)))
    for (_, images, found), (_, _, expected) in zip(graphed, plain, strict=True):
        for name in (n for n in expected if n.startswith("loss/")):
            assert found[name] == pytest.approx(expected[name], rel=1e-2), (images, name)
