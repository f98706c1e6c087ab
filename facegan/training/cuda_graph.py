"""Steps of some runs, recorded once as CUDA graphs and replayed: the device then waits for no launches.

What the runs share is one graph. The step of each run is a graph of its own, which reads the shared one's results, and the
graphs of several runs are replayed on several streams. A step's gradient diagnostics, and the first steps of a run, which
allocate the optimizers' moments, are taken without a graph. No GPU has run this yet.
"""

from collections.abc import Sequence

import torch

from facegan.data.reading.batch import Batch
from facegan.errors import UserError
from facegan.training.parallel import rank_and_world
from facegan.training.passes import StepInput, make_input
from facegan.training.state import TrainState
from facegan.training.step import Values, steps, train_networks, update_average

_WARM_STEPS = 3
"""As PyTorch's notes on CUDA graphs advise, on a stream of their own."""


class GraphedSteps:
    """A replacement of `facegan.training.step.steps`. Raises UserError with several data-parallel workers."""

    def __init__(self, device: torch.device) -> None:
        if rank_and_world()[1] > 1:
            raise UserError("optim.cuda_graph is True: a run on several workers cannot be recorded; set it to False")
        self._device, self._stream = device, torch.cuda.Stream(device)
        self._taken: dict[int, int] = {}
        self._recorded: dict[int, _RecordedStep] = {}

    def __call__(self, states: Sequence[TrainState], batch: Batch, diagnostics: Sequence[bool]) -> list[Values]:
        if any(diagnostics) or any(self._taken.get(id(state), 0) < _WARM_STEPS for state in states):
            return self._without_graph(states, batch, diagnostics)
        if any(id(state) not in self._recorded for state in states):
            self._record(states, batch)

        # The shared input, then the runs side by side.
        self._batch.copy_from(batch)
        self._input_graph.replay()
        here = torch.cuda.current_stream(self._device)
        found = []
        for state in states:
            recorded = self._recorded[id(state)]
            recorded.stream.wait_stream(here)
            with torch.cuda.stream(recorded.stream):
                recorded.graph.replay()
            found.append(recorded.values)
        for state in states:
            here.wait_stream(self._recorded[id(state)].stream)
            update_average(state)
            for network, images in self._recorded[id(state)].passes.items():
                state.passes[network] += images
        return found

    def _without_graph(self, states: Sequence[TrainState], batch: Batch, diagnostics: Sequence[bool]) -> list[Values]:
        here = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(here)
        with torch.cuda.stream(self._stream):
            found = steps(states, batch, diagnostics)
        here.wait_stream(self._stream)
        for state in states:
            self._taken[id(state)] = self._taken.get(id(state), 0) + 1
        return found

    def _record(self, states: Sequence[TrainState], batch: Batch) -> None:
        """Record the shared input and the step of each run. Recording computes nothing."""
        self._batch = batch.to(self._device).clone()
        self._input_graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._input_graph, stream=self._stream):
            step_input = make_input(self._batch, states)
        self._recorded = {id(state): _RecordedStep(state, step_input, self._device) for state in states}


class _RecordedStep:
    def __init__(self, state: TrainState, step_input: StepInput, device: torch.device) -> None:
        self.graph, self.stream = torch.cuda.CUDAGraph(), torch.cuda.Stream(device)
        before = dict(state.passes)
        with torch.cuda.graph(self.graph, stream=self.stream):
            self.values = train_networks(state, step_input)
        self.passes = {network: images - before[network] for network, images in state.passes.items()}
        state.passes.update(before)
