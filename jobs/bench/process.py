"""Training steps in a process of their own, run on demand and counted, for step.py and gradients.py."""

import contextlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from torch import multiprocessing
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from facegan.config import Config
from facegan.data.reading.face_data import open_data
from facegan.data.reading.sampling import batches
from facegan.training.state import TrainState, new_state
from facegan.training.step import step
from facegan.training.train import Progress, train
from jobs.bench.reference_2019 import Step2019


class Measured:
    """A step in its own process, so that its CPU time and its peak memory are its own; `ask` returns what the process found."""

    def __init__(self, kind: str, config: Config, data: Path, device: str, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, kind, config, data, device, threads), daemon=True)
        self._process.start()
        theirs.close()

    def ask(self, what: str, *arguments: Any) -> Any:
        """`steps` n, `steps_with_diagnostics` n, `loop` n, `split` n, `operations` or `peak`; see the methods of `_Bench`."""
        self._pipe.send((what, arguments))
        return self._pipe.recv()

    def close(self) -> None:
        """End the process and give its memory back."""
        self._pipe.send(("", ()))
        self._process.join()


def _serve(pipe: Connection, kind: str, config: Config, data: Path, device: str, threads: int) -> None:
    torch.set_num_threads(threads)
    bench = _Bench(kind, config, data, torch.device(device))
    while True:
        what, arguments = pipe.recv()
        if not what:
            return
        pipe.send(getattr(bench, what)(*arguments))


class _Bench:
    def __init__(self, kind: str, config: Config, data: Path, device: torch.device) -> None:
        self.device, self.batch, self.data = device, config.optim.batch, open_data(data)
        self.feed = batches(self.data, config, 0, 0, 1, pin=device.type == "cuda")
        self.owner: TrainState | Step2019 = Step2019(config, device) if kind == "2019" else new_state(config, device)
        owner = self.owner
        self.once: Callable[[Any], Any] = owner if isinstance(owner, Step2019) else lambda batch: step(owner, batch)
        self.reports: Iterator[Progress] | None = None

    def steps(self, count: int) -> dict[str, float]:
        """Seconds of wall clock, of CPU over all threads, and of waiting for input, each a step."""
        return self._steps(count, self.once)

    def steps_with_diagnostics(self, count: int) -> dict[str, float]:
        """The same of steps with gradient diagnostics."""
        return self._steps(count, lambda batch: step(self._state(), batch, gradient_diagnostics=True))

    def loop(self, reports: int) -> dict[str, float]:
        """Seconds of wall clock and of CPU a step, of the training loop itself up to so many of its reports."""
        state = self._state()
        if self.reports is None:
            self.reports = train(state, self.data)
        before, cpu, began = state.images, time.process_time(), time.perf_counter()
        for _ in range(reports):
            next(self.reports)
        steps = (state.images - before) / self.batch
        return {"seconds": (time.perf_counter() - began) / steps, "cpu": (time.process_time() - cpu) / steps}

    def _state(self) -> TrainState:
        assert isinstance(self.owner, TrainState)
        return self.owner

    def _steps(self, count: int, once: Callable[[Any], Any]) -> dict[str, float]:
        self._wait_for_device()
        waited, cpu, began = 0.0, time.process_time(), time.perf_counter()
        for _ in range(count):
            asked = time.perf_counter()
            batch = next(self.feed)
            waited += time.perf_counter() - asked
            once(batch)
        self._wait_for_device()
        seconds = time.perf_counter() - began
        cpu = time.process_time() - cpu
        rate = count * self.batch / seconds
        return {"seconds": seconds / count, "cpu": cpu / count, "input wait": waited / count, "images_per_second": rate}

    def split(self, count: int) -> dict[str, float]:
        """Seconds a step of each network's forward passes, backward, optimizers and the rest; no fences on a GPU's queue."""
        clock = _Clock(self.device)
        with clock.watching(self.owner):
            for _ in range(count):
                batch = next(self.feed)
                with clock.span("step"):
                    self.once(batch)
        self._wait_for_device()
        seconds = {name: value / count for name, value in clock.seconds().items()}
        whole = seconds.pop("step")
        return {**seconds, "rest": whole - sum(seconds.values())}

    def operations(self) -> dict[str, float]:
        """GFLOP an image as torch counts them, and GB an image that the operators read and write."""
        batch = next(self.feed)
        with FlopCounterMode(display=False) as counted, _Traffic() as traffic:
            self.once(batch)
        return {"gflop": counted.get_total_flops() / self.batch / 1e9, "gigabytes": traffic.bytes / self.batch / 1e9}

    def peak(self) -> float:
        """Peak memory so far in GiB: of the GPU's tensors, or of the whole process on a CPU."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device) / 2**30
        line = next(x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) / 2**20

    def _wait_for_device(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def count_operations(once: Callable[[], Any]) -> int:
    """Operations that a call dispatches, without views and allocations. A CUDA graph is none."""
    with _Count() as counted:
        once()
    return int(counted.operations)


class _Count(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations: int = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if not func.is_view and not str(func).startswith(("aten.empty", "profiler.")):
            self.operations += 1
        return func(*args, **(kwargs or {}))


class _Traffic(TorchDispatchMode):
    """Sums the sizes of what operators read and write. Views cost nothing; caches are not known to it."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if not func.is_view:
            tensors = [t for t in tree_leaves((args, kwargs, out)) if isinstance(t, torch.Tensor)]
            self.bytes += sum(t.numel() * t.element_size() for t in tensors)
        return out


class _Clock:
    """Spans of time by name: events on a GPU's queue, which do not hold it up, or the clock of the CPU."""

    def __init__(self, device: torch.device) -> None:
        self.cuda = device.type == "cuda"
        self.spans: dict[str, list[tuple[Any, Any]]] = defaultdict(list)
        self.open: list[Any] = []

    def now(self) -> Any:
        if not self.cuda:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    @contextlib.contextmanager
    def span(self, name: str) -> Iterator[None]:
        began = self.now()
        yield
        self.spans[name].append((began, self.now()))

    def start(self, *_: Any) -> None:
        self.open.append(self.now())

    def stop(self, name: str) -> Callable[..., None]:
        return lambda *_: self.spans[name].append((self.open.pop(), self.now()))

    @contextlib.contextmanager
    def watching(self, owner: TrainState | Step2019) -> Iterator[None]:
        """Time the networks by their hooks, the optimizers by theirs, and every backward."""
        networks = {"forward G": owner.generator, "forward D": owner.discriminator, "forward VGG": owner.vgg}
        hooks: list[Any] = []
        for name, network in networks.items():
            if network is not None:
                hooks += [network.register_forward_pre_hook(self.start), network.register_forward_hook(self.stop(name))]
        for optimizer in (owner.generator_optimizer, owner.discriminator_optimizer):
            hooks += [optimizer.register_step_pre_hook(self.start), optimizer.register_step_post_hook(self.stop("optimiser"))]
        stock = torch.Tensor.backward

        def timed(tensor: torch.Tensor, *arguments: Any, **named: Any) -> None:
            with self.span("backward"):
                stock(tensor, *arguments, **named)  # type: ignore[no-untyped-call]

        torch.Tensor.backward = timed  # type: ignore[method-assign, assignment]
        try:
            yield
        finally:
            torch.Tensor.backward = stock  # type: ignore[method-assign]
            for hook in hooks:
                hook.remove()

    def seconds(self) -> dict[str, float]:
        """The sum of each name's spans."""
        if self.cuda:
            torch.cuda.synchronize()
        return {
            name: sum(a.elapsed_time(b) / 1e3 if self.cuda else b - a for a, b in spans) for name, spans in self.spans.items()
        }
