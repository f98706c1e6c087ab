"""What a step computes with: its input on the device, and the networks' results on it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from facegan.data.reading.batch import Batch, to_signed
from facegan.landmarks.maps import landmark_input
from facegan.losses import FORMULAS, Cycle
from facegan.nets.weight_copies import WithWeights
from facegan.training.parallel import rank_and_world
from facegan.training.state import TrainState, layout_of_training, vgg_layers


@dataclass(frozen=True, slots=True)
class StepInput:
    """A batch as the networks take it. Runs with equal `facegan.training.train.same_batches` share one.

    Images are [batch, 3, size, size] in [-1, 1]; landmarks are maps, or points for a sparse first layer. What no run needs is
    not made: the landmarks of the source and of the third frame, and VGG-19's activations of the target, by layer.
    """

    source: Tensor
    target: Tensor
    target_landmarks: Tensor
    third_landmarks: Tensor | None
    source_landmarks: Tensor | None
    target_features: dict[int, Tensor] = field(default_factory=dict)


def make_input(batch: Batch, states: Sequence[TrainState]) -> StepInput:
    """The input of one step of some runs."""
    first, size, count = states[0], batch.source.shape[-1], len(batch.source)
    config, batch = first.config, batch.to(first.device)
    source, target = to_signed(torch.cat([batch.source, batch.target])).split(count)

    # The landmarks of all passes are drawn together.
    cycles = {cycle for state in states for cycle in cycles_of(state)}
    points = {"target": batch.target_points}
    if "by_way_of_third" in cycles:
        points["third"] = batch.third_points
    if "back_to_source" in cycles:
        points["source"] = batch.source_points
    landmarks = landmark_input(torch.cat(list(points.values())), size, config.model)
    if first.bf16 and landmarks.dim() == 4:
        landmarks = landmarks.to(torch.bfloat16, memory_format=layout_of_training(first.device))
    drawn = dict(zip(points, landmarks.split(count), strict=True))

    layers = tuple(sorted({layer for state in states for layer in vgg_layers(state.config)}))
    vgg = next((state.vgg for state in states if state.vgg is not None), None)
    with torch.no_grad():
        features = vgg(target, layers) if vgg is not None else {}
    return StepInput(source, target, drawn["target"], drawn.get("third"), drawn.get("source"), features)


def cycles_of(state: TrainState) -> list[Cycle]:
    """The second generator passes that the active terms read."""
    return [cycle for term in state.config.loss.active() if (cycle := FORMULAS[term].cycle)]


class StepPasses:
    """The networks' results on one input (see `facegan.losses.Passes`): the first generator pass now, the rest when read.

    Several generator passes are made as one call wherever they do not depend on each other.
    """

    def __init__(self, state: TrainState, step_input: StepInput) -> None:
        self._state, self._input = state, step_input
        self.source, self.target = step_input.source, step_input.target
        self.target_landmarks = step_input.target_landmarks
        self._cycles = cycles_of(state)
        self._weights = state.weights(state.generator, passes=2 if self._cycles else 1)
        images, landmarks = [self.source], [self.target_landmarks]
        if "by_way_of_third" in self._cycles:
            assert step_input.third_landmarks is not None
            images.append(self.source)
            landmarks.append(step_input.third_landmarks)
        self.generated, *self._third_pose = self._generate(images, landmarks)

    def cycle(self, name: Cycle) -> Tensor:
        return self._second_passes[name]

    @cached_property
    def _second_passes(self) -> dict[Cycle, Tensor]:
        images, landmarks = [], []
        for cycle in self._cycles:
            if cycle == "back_to_source":
                images.append(self.generated)
                assert self._input.source_landmarks is not None
                landmarks.append(self._input.source_landmarks)
            else:
                images.append(self._third_pose[0])
                landmarks.append(self.target_landmarks)
        return dict(zip(self._cycles, self._generate(images, landmarks), strict=True))

    @cached_property
    def generated_logits(self) -> Tensor:
        return self.discriminate(self.generated, self.target_landmarks, train=False)

    @property
    def target_features(self) -> dict[int, Tensor]:
        return self._input.target_features

    @cached_property
    def generated_features(self) -> dict[int, Tensor]:
        vgg = self._state.vgg
        assert vgg is not None, "no active term declares a layer of VGG-19 (facegan.losses.FORMULAS)"
        # Of the target and of F.
        self._count("vgg", 2 * len(self.generated))
        features: dict[int, Tensor] = vgg(self.generated, vgg_layers(self._state.config))
        return features

    def _generate(self, images: list[Tensor], landmarks: list[Tensor]) -> list[Tensor]:
        self._count("generator", sum(len(group) for group in images))
        weights = self._weights.pop()
        out: Tensor = self._state.parallel_generator(weights, torch.cat(images), torch.cat(landmarks))
        return list(out.split([len(group) for group in images]))

    def discriminate(self, images: Tensor, landmarks: Tensor, *, train: bool) -> Tensor:
        """Patch logits. While it trains the discriminator goes through its data-parallel wrapper, which averages gradients."""
        self._count("discriminator", len(images))
        parallel = self._state.parallel_discriminator
        network = parallel if train else WithWeights(self._state.discriminator)
        (weights,) = self._state.weights(self._state.discriminator, passes=1)
        logits: Tensor = network(weights, images, landmarks)
        return logits

    def _count(self, network: str, images: int) -> None:
        # Every rank makes as many passes, so the sum over ranks needs no communication.
        self._state.passes[network] += images * rank_and_world()[1]
