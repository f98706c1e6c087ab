"""The state of a training run: two networks, their optimizers and the frozen VGG-19."""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from facegan.config import Config
from facegan.losses import FORMULAS
from facegan.nets.discriminator import Discriminator, build_discriminator
from facegan.nets.generator import Generator, build_generator
from facegan.nets.norm import use_fused_norms
from facegan.nets.vgg import Vgg19, build_vgg
from facegan.nets.weight_copies import Weights, WithWeights, bf16_copies
from facegan.start_weights.weights import load_shipped
from facegan.training.memory import keep_freed_memory
from facegan.training.optimizers import SGD, Adam
from facegan.training.parallel import wrap
from facegan.training.precision import choose_precision

NETWORKS = ("generator", "discriminator", "vgg")
"""What passes are counted of."""


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
    term_weights: Tensor
    """Weights of the active terms [terms], on the device."""
    bf16: bool
    """Whether passes through the networks are made in bfloat16."""
    average: Generator | None = None
    """With `optim.average`: the generator whose weights are the moving average."""
    images: int = 0
    """Images seen so far, over all ranks."""
    seconds: float = 0.0
    """Training time so far, without checkpoints and scoring."""
    passes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NETWORKS, 0))
    """Images that each network was applied to so far, over all ranks."""

    @property
    def result(self) -> Generator:
        """The generator that is scored, shown and exported: the average if there is one."""
        return self.average or self.generator

    def weights(self, network: nn.Module, passes: int) -> list[Weights | None]:
        """What a network computes with in each of its next passes: copies in bfloat16, or None for its own weights."""
        return bf16_copies(network, passes) if self.bf16 else [None] * passes


def new_state(config: Config, device: torch.device, vgg: Vgg19 | None = None) -> TrainState:
    """A state before its first step. Start weights follow from `start` and the seed: equal in every arm and on every rank.

    `vgg` is the frozen network of another run with the same configuration of it, where there is one.
    """
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
    bf16 = choose_precision(config.optim.precision, on_gpu=device.type == "cuda") == "bf16"
    if not vgg_layers(config):
        vgg = None
    elif vgg is None:
        vgg = build_vgg(config.vgg)
        if bf16:
            vgg.features.bfloat16()
    if device.type == "cpu":
        keep_freed_memory()
    if device.type == "cuda":
        use_gpu(config)
    training = layout_of_training(device)
    for network, layout in ((generator, training), (discriminator, training), (vgg, torch.channels_last)):
        if network is not None:
            # Modules change in place.
            nn.Module.to(network, device=device, memory_format=layout)  # type: ignore[call-overload]
            if config.optim.fused_norm and device.type != "cpu":
                use_fused_norms(network)
            if config.optim.compile:
                network.compile()
    graphed = config.optim.cuda_graph and device.type == "cuda"
    return TrainState(
        config=config,
        device=device,
        generator=generator,
        discriminator=discriminator,
        vgg=vgg,
        generator_optimizer=Adam(generator.parameters(), lr=config.optim.generator_lr, fused=True, capturable=graphed),
        discriminator_optimizer=SGD(discriminator.parameters(), lr=config.optim.discriminator_lr, fused=True),
        parallel_generator=wrap(WithWeights(generator), device),
        parallel_discriminator=wrap(WithWeights(discriminator), device),
        term_weights=torch.tensor([config.loss.weights()[term] for term in config.loss.active()], device=device),
        bf16=bf16,
        average=average,
    )


def layout_of_training(device: torch.device) -> torch.memory_format:
    """oneDNN computes the gradients of weights faster in the contiguous layout, all else faster with channels last."""
    return torch.contiguous_format if device.type == "cpu" else torch.channels_last


def use_gpu(config: Config) -> None:
    """PyTorch's settings for the whole process: the fastest algorithm for each shape, and whether float32 may be TF32."""
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = config.optim.tf32


def vgg_layers(config: Config) -> tuple[int, ...]:
    """The layers of VGG-19 that the active terms read, in order."""
    return tuple(sorted({layer for term in config.loss.active() for layer in FORMULAS[term].vgg_layers}))
