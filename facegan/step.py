"""One training step: the discriminator learns, then the generator, from one shared forward pass.

F = G(source, target landmarks) and the third pose M = G(source, third landmarks) are one call of twice the batch, and so are
the second passes of both consistency terms. Passes that no active term needs are not made.
"""

from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor, nn

from facegan import losses
from facegan.config import Config
from facegan.data.batch import Batch
from facegan.gradient_diagnostics import measure_gradients
from facegan.landmarks.maps import landmark_input
from facegan.losses import FORMULAS, Cycle
from facegan.memory import keep_freed_memory
from facegan.nets.discriminator import Discriminator, build_discriminator
from facegan.nets.generator import Generator, build_generator
from facegan.nets.vgg import Vgg19, build_vgg
from facegan.parallel import rank_and_world, wrap
from facegan.precision import choose_precision
from facegan.start_weights.weights import load_shipped


@dataclass
class TrainState:
    """Everything a step changes, and the frozen VGG-19."""

    config: Config
    device: torch.device
    generator: Generator
    discriminator: Discriminator
    vgg: Vgg19 | None
    generator_optimizer: torch.optim.Optimizer
    discriminator_optimizer: torch.optim.Optimizer
    parallel_generator: nn.Module
    parallel_discriminator: nn.Module
    average: Generator | None = None
    """With `optim.average`: the generator whose weights are the moving average."""
    images: int = 0
    """Images seen so far, over all ranks."""
    seconds: float = 0.0
    """Training time so far, without checkpoints and scoring."""
    passes: dict[str, int] = field(default_factory=lambda: {"generator": 0, "discriminator": 0, "vgg": 0})
    """Images that each network was applied to so far, over all ranks."""

    @property
    def result(self) -> Generator:
        """The generator that is scored, shown and exported: the average if there is one."""
        return self.average or self.generator


def new_state(config: Config, device: torch.device) -> TrainState:
    """A state before its first step. Start weights follow from `start` and the seed: equal in every arm and on every rank."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        generator = build_generator(config.model)
        discriminator = build_discriminator(config.model)
    if config.start == "shipped":
        load_shipped(config.seed, generator, discriminator)
    average = build_generator(config.model).requires_grad_(False) if config.optim.average else None
    if average is not None:
        average.load_state_dict(generator.state_dict())
        average.to(device)
    vgg = build_vgg(config.vgg) if _vgg_layers(config) else None
    if device.type == "cpu":
        keep_freed_memory()
    for network in (generator, discriminator, vgg):
        if network is not None:
            # Modules change in place.
            nn.Module.to(network, device=device, memory_format=_layout(device, network))  # type: ignore[call-overload]
            if config.optim.compile:
                network.compile()
    return TrainState(
        config=config,
        device=device,
        generator=generator,
        discriminator=discriminator,
        vgg=vgg,
        generator_optimizer=torch.optim.Adam(generator.parameters(), lr=config.optim.generator_lr, fused=True),
        discriminator_optimizer=torch.optim.SGD(discriminator.parameters(), lr=config.optim.discriminator_lr, fused=True),
        parallel_generator=wrap(generator, device),
        parallel_discriminator=wrap(discriminator, device),
        average=average,
    )


def _layout(device: torch.device, network: nn.Module) -> torch.memory_format:
    """oneDNN computes the gradients of weights faster in the contiguous layout, all else faster with channels last."""
    trains = not isinstance(network, Vgg19)
    return torch.contiguous_format if trains and device.type == "cpu" else torch.channels_last


def _vgg_layers(config: Config) -> tuple[int, ...]:
    """The layers of VGG-19 that the active terms read, in order."""
    return tuple(sorted({layer for term in config.loss.active() for layer in FORMULAS[term].vgg_layers}))


def step(state: TrainState, batch: Batch, *, gradient_diagnostics: bool = False) -> dict[str, Tensor]:
    """Train both networks on a rank's batch; returns named scalars that are still on the device, so nothing waits for it.

    Keys: `loss/<term>` (unweighted) and `weighted/<term>` for each active term, `loss/generator`, `loss/discriminator` and
    `discriminator/accuracy`, the share of patches that it classifies correctly. With `gradient_diagnostics` also the keys of
    `facegan.gradient_diagnostics.measure_gradients`.
    """
    loss = state.config.loss
    active = loss.active()
    values: dict[str, Tensor] = {}

    # The generator's first pass, shared by both phases.
    passes = _StepPasses(state, batch)

    # The discriminator learns: target against F, which gets no gradient here.
    if any(FORMULAS[term].discriminator for term in active):
        values |= train_discriminator(state, passes)

    # The generator learns. The discriminator is frozen: a gradient passes through it, none reaches its weights.
    state.discriminator.requires_grad_(False)
    weights = loss.weights()
    terms = {term: FORMULAS[term].value(passes, loss) for term in active}
    weighted = {term: weights[term] * value for term, value in terms.items()}
    total = torch.stack(list(weighted.values())).sum()
    # The last step's gradients go first, so that they and the diagnostics are never in memory together.
    state.generator_optimizer.zero_grad(set_to_none=True)
    diagnostics = {}
    if gradient_diagnostics:
        diagnostics = measure_gradients(weighted, passes.generated, list(state.generator.parameters()))
    total.backward()
    state.generator_optimizer.step()
    if state.average is not None:
        _update_average(state, state.average)

    values |= {"loss/generator": total.detach(), **diagnostics}
    for term in active:
        values |= {f"loss/{term}": terms[term].detach(), f"weighted/{term}": weighted[term].detach()}
    return values


@torch.no_grad()
def _update_average(state: TrainState, average: Generator) -> None:
    """Move the average towards the generator's weights; in early steps faster, or the start weights would stay in it."""
    steps = state.images // state.config.optim.batch
    decay = min(state.config.optim.average, (1 + steps) / (10 + steps))
    torch._foreach_lerp_(list(average.parameters()), list(state.generator.parameters()), 1 - decay)


def train_discriminator(state: TrainState, passes: "_StepPasses") -> dict[str, Tensor]:
    """One step of the discriminator on real and generated images, in a single pass; its loss and accuracy."""
    state.discriminator.requires_grad_(True)
    size = len(passes.source)
    logits = passes.discriminate(
        torch.cat([passes.target, passes.generated.detach()]), torch.cat([passes.target_landmarks] * 2), train=True
    )
    real, fake = logits[:size], logits[size:]
    loss = losses.discriminator(real, fake)
    state.discriminator_optimizer.zero_grad(set_to_none=True)
    loss.backward()
    state.discriminator_optimizer.step()
    accuracy = ((real > 0).float().mean() + (fake < 0).float().mean()) / 2
    return {"loss/discriminator": loss.detach(), "discriminator/accuracy": accuracy}


class _StepPasses:
    """The networks' results on one batch (see `facegan.losses.Passes`): the first generator pass now, the rest when read.

    Several generator passes are made as one call wherever they do not depend on each other.
    """

    def __init__(self, state: TrainState, batch: Batch) -> None:
        config, size = state.config, batch.source.shape[-1]
        self._state = state
        self._cycles = [cycle for term in config.loss.active() if (cycle := FORMULAS[term].cycle)]
        batch = batch.to(state.device)
        self.source, self.target = to_signed(batch.source), to_signed(batch.target)
        self.target_landmarks = landmark_input(batch.target_points, size, config.model)
        images, landmarks = [self.source], [self.target_landmarks]
        if "by_way_of_third" in self._cycles:
            images.append(self.source)
            landmarks.append(landmark_input(batch.third_points, size, config.model))
        if "back_to_source" in self._cycles:
            self._source_landmarks = landmark_input(batch.source_points, size, config.model)
        self.generated, *self._third_pose = self._generate(images, landmarks)

    def cycle(self, name: Cycle) -> Tensor:
        return self._second_passes[name]

    @cached_property
    def _second_passes(self) -> dict[Cycle, Tensor]:
        images, landmarks = [], []
        for cycle in self._cycles:
            if cycle == "back_to_source":
                images.append(self.generated)
                landmarks.append(self._source_landmarks)
            else:
                images.append(self._third_pose[0])
                landmarks.append(self.target_landmarks)
        return dict(zip(self._cycles, self._generate(images, landmarks), strict=True))

    @cached_property
    def generated_logits(self) -> Tensor:
        return self.discriminate(self.generated, self.target_landmarks, train=False)

    @cached_property
    def target_features(self) -> dict[int, Tensor]:
        with torch.no_grad():
            return self._features(self.target)

    @cached_property
    def generated_features(self) -> dict[int, Tensor]:
        # The target first, as in every term that compares the two: the order of passes decides the last digits of a sum.
        _ = self.target_features
        return self._features(self.generated)

    def _generate(self, images: list[Tensor], landmarks: list[Tensor]) -> list[Tensor]:
        self._count("generator", sum(len(group) for group in images))
        with mixed_precision(self._state):
            out: Tensor = self._state.parallel_generator(torch.cat(images), torch.cat(landmarks))
        return list(out.split([len(group) for group in images]))

    def discriminate(self, images: Tensor, landmarks: Tensor, *, train: bool) -> Tensor:
        """Patch logits. While it trains the discriminator goes through its data-parallel wrapper, which averages gradients."""
        self._count("discriminator", len(images))
        network = self._state.parallel_discriminator if train else self._state.discriminator
        with mixed_precision(self._state):
            logits: Tensor = network(images, landmarks)
        return logits

    def _features(self, images: Tensor) -> dict[int, Tensor]:
        vgg = self._state.vgg
        assert vgg is not None, "no active term declares a layer of VGG-19 (facegan.losses.FORMULAS)"
        self._count("vgg", len(images))
        with mixed_precision(self._state):
            features: dict[int, Tensor] = vgg(images, _vgg_layers(self._state.config))
        return features

    def _count(self, network: str, images: int) -> None:
        # Every rank makes as many passes, so the sum over ranks needs no communication.
        self._state.passes[network] += images * rank_and_world()[1]


def mixed_precision(state: TrainState) -> torch.autocast:
    """The networks' passes in bfloat16 where the configuration says so; losses stay outside, in float32."""
    precision = choose_precision(state.config.optim.precision, on_gpu=state.device.type == "cuda")
    return torch.autocast(state.device.type, torch.bfloat16, enabled=precision == "bf16")


def to_signed(images: Tensor) -> Tensor:
    """uint8 images in [0, 255] as floats in [-1, 1]."""
    # A CPU trains in the contiguous layout; on a GPU the pixels may stay in the order that they came in, channels last.
    return (images if images.is_cuda else images.contiguous()) / 127.5 - 1
