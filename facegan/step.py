"""One training step: the discriminator learns, then the generator, from one shared forward pass.

F = G(source, target's landmarks) and M = G(source, third's landmarks) are one call of twice the batch, the way back from both
another. Terms of weight 0 cost nothing: their passes are not made.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from facegan import losses
from facegan.config import Config
from facegan.data.batch import Batch
from facegan.gradient_diagnostics import dissect
from facegan.landmarks.maps import landmark_input
from facegan.memory import keep_freed_memory
from facegan.nets.discriminator import Discriminator, build_discriminator
from facegan.nets.generator import Generator, build_generator
from facegan.nets.vgg import IDENTITY_LAYER, PERCEPTUAL_LAYERS, Vgg19, build_vgg
from facegan.parallel import wrap

FEATURE_TERMS = ("perceptual", "identity", "style")


@dataclass
class TrainState:
    """Everything a step changes, and the frozen VGG-19. `images` and `seconds` count what the run has had so far."""

    config: Config
    device: torch.device
    generator: Generator
    discriminator: Discriminator
    vgg: Vgg19 | None
    generator_optimizer: torch.optim.Adam
    discriminator_optimizer: torch.optim.SGD
    parallel_generator: nn.Module
    parallel_discriminator: nn.Module
    images: int = 0
    seconds: float = 0.0
    passes: dict[str, int] = field(default_factory=lambda: {"generator": 0, "discriminator": 0, "vgg": 0})


def new_state(config: Config, device: torch.device) -> TrainState:
    """Start weights follow from the seed alone: equal in every arm, on every rank."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        generator = build_generator(config.model)
        discriminator = build_discriminator(config.model)
    needs_vgg = any(term in FEATURE_TERMS for term in config.loss.active())
    vgg = build_vgg(config.vgg) if needs_vgg else None
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
    )


def _layout(device: torch.device, network: nn.Module) -> torch.memory_format:
    """oneDNN computes the gradients of weights faster in the contiguous layout, all else faster with channels last."""
    trains = not isinstance(network, Vgg19)
    return torch.contiguous_format if trains and device.type == "cpu" else torch.channels_last


def to_signed(images: Tensor) -> Tensor:
    """uint8 in [0, 255] to floats in [-1, 1]."""
    # A CPU trains in the contiguous layout; on a GPU the pixels may stay in the order that they came in, channels last.
    return (images if images.is_cuda else images.contiguous()) / 127.5 - 1


def _mixed_precision(state: TrainState) -> torch.autocast:
    """The networks' passes in bfloat16 where the configuration says so; losses stay outside, in float32."""
    wanted = state.config.optim.precision
    enabled = state.device.type == "cuda" if wanted == "auto" else wanted == "bf16"
    return torch.autocast(state.device.type, torch.bfloat16, enabled=enabled)


def step(state: TrainState, batch: Batch, *, anatomy: bool = False) -> dict[str, Tensor]:
    """Train both networks on a rank's batch; returns named scalars still on the device, so nothing waits for it.

    Keys: `loss/<term>` unweighted and `weighted/<term>` for each active term, `loss/generator`, `loss/discriminator` and
    `discriminator/accuracy`, the share of patches classified correctly; with `anatomy` also those of `dissect`.
    """
    scene = _Scene(state, batch)
    values: dict[str, Tensor] = {}
    if "adversarial" in state.config.loss.active():
        values |= _discriminator_phase(state, scene)
    return values | _generator_phase(state, scene, anatomy)


class _Scene:
    """The batch on the device, its landmarks, and the generator's first pass, shared by both phases."""

    def __init__(self, state: TrainState, batch: Batch) -> None:
        config, size = state.config, batch.source.shape[-1]
        active = config.loss.active()
        batch = batch.to(state.device)
        self.source, self.target = to_signed(batch.source), to_signed(batch.target)
        self.target_landmarks = landmark_input(batch.target_points, size, config.model)
        images, landmarks = [self.source], [self.target_landmarks]
        if "triple_consistency" in active:
            images.append(self.source)
            landmarks.append(landmark_input(batch.third_points, size, config.model))
        if "self_consistency" in active:
            self.source_landmarks = landmark_input(batch.source_points, size, config.model)
        out = _generate(state, images, landmarks)
        self.generated = out[0]
        self.detour = out[1] if len(out) > 1 else None


def _generate(state: TrainState, images: list[Tensor], landmarks: list[Tensor]) -> list[Tensor]:
    """Several generator passes as one call."""
    state.passes["generator"] += sum(len(group) for group in images)
    with _mixed_precision(state):
        out: Tensor = state.parallel_generator(torch.cat(images), torch.cat(landmarks))
    return list(out.split([len(group) for group in images]))


def _discriminator_phase(state: TrainState, scene: _Scene) -> dict[str, Tensor]:
    state.discriminator.requires_grad_(True)
    size = len(scene.source)
    images = torch.cat([scene.target, scene.generated.detach()])
    state.passes["discriminator"] += 2 * size
    with _mixed_precision(state):
        logits = state.parallel_discriminator(images, torch.cat([scene.target_landmarks] * 2))
    real, fake = logits[:size], logits[size:]
    loss = losses.discriminator(real, fake)
    state.discriminator_optimizer.zero_grad(set_to_none=True)
    loss.backward()
    state.discriminator_optimizer.step()
    accuracy = ((real > 0).float().mean() + (fake < 0).float().mean()) / 2
    return {"loss/discriminator": loss.detach(), "discriminator/accuracy": accuracy}


def _generator_phase(state: TrainState, scene: _Scene, anatomy: bool) -> dict[str, Tensor]:
    # The discriminator only judges here: no gradient for its weights, only through it.
    state.discriminator.requires_grad_(False)
    weights = state.config.loss.weights()
    terms = generator_terms(state, scene)
    weighted = {term: weights[term] * value for term, value in terms.items()}
    total = torch.stack(list(weighted.values())).sum()
    dissected = dissect(weighted, scene.generated) if anatomy else {}
    state.generator_optimizer.zero_grad(set_to_none=True)
    total.backward()
    state.generator_optimizer.step()
    values = {"loss/generator": total.detach(), **dissected}
    for term in terms:
        values |= {f"loss/{term}": terms[term].detach(), f"weighted/{term}": weighted[term].detach()}
    return values


def generator_terms(state: TrainState, scene: _Scene) -> dict[str, Tensor]:
    """The unweighted value of each active term, by name."""
    loss, active = state.config.loss, state.config.loss.active()
    terms: dict[str, Tensor] = {}
    if "adversarial" in active:
        state.passes["discriminator"] += len(scene.source)
        with _mixed_precision(state):
            judged = state.discriminator(scene.generated, scene.target_landmarks)
        terms["adversarial"] = losses.adversarial(judged)
    if "pixel" in active:
        terms["pixel"] = losses.distance(scene.generated, scene.target, loss.pixel_form)
    terms |= _consistency_terms(state, scene)
    terms |= _feature_terms(state, scene)
    return terms


def _consistency_terms(state: TrainState, scene: _Scene) -> dict[str, Tensor]:
    active, form = state.config.loss.active(), state.config.loss.consistency_form
    goals = {}
    if "self_consistency" in active:
        goals["self_consistency"] = (scene.generated, scene.source_landmarks, scene.source)
    if scene.detour is not None:
        goals["triple_consistency"] = (scene.detour, scene.target_landmarks, scene.generated)
    if not goals:
        return {}
    images, landmarks, aims = (list(column) for column in zip(*goals.values(), strict=True))
    returned = _generate(state, images, landmarks)
    return {term: losses.distance(a, b, form) for term, a, b in zip(goals, returned, aims, strict=True)}


def _feature_terms(state: TrainState, scene: _Scene) -> dict[str, Tensor]:
    active = [term for term in state.config.loss.active() if term in FEATURE_TERMS]
    if not active:
        return {}
    assert state.vgg is not None
    layers = tuple(sorted({k for t in active for k in ((IDENTITY_LAYER,) if t == "identity" else PERCEPTUAL_LAYERS)}))
    state.passes["vgg"] += 2 * len(scene.source)
    with torch.no_grad(), _mixed_precision(state):
        target = state.vgg(scene.target, layers)
    with _mixed_precision(state):
        generated = state.vgg(scene.generated, layers)
    terms = {
        "perceptual": lambda: losses.feature_l1(generated, target, PERCEPTUAL_LAYERS),
        "identity": lambda: losses.feature_l1(generated, target, (IDENTITY_LAYER,)),
        "style": lambda: losses.style(generated, target, PERCEPTUAL_LAYERS),
    }
    return {term: terms[term]() for term in active}
