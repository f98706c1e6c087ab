"""Presets: complete configurations by name."""

from dataclasses import replace

from facegan.config import SHIPPED_MODEL, SHIPPED_SIZE, Config, DataConfig, ModelConfig, VggConfig
from facegan.errors import UserError, did_you_mean
from facegan.optim_config import OptimConfig

_SMALL = Config(
    data=DataConfig(size=SHIPPED_SIZE),
    model=SHIPPED_MODEL,
    vgg=VggConfig(weights="random", width=16),
    # At the poster's rate of 5e-5 the discriminator of so small a network never leaves chance.
    optim=OptimConfig(generator_lr=1e-3, discriminator_lr=0.02),
)
"""What the presets for CPUs share."""

PRESETS: dict[str, Config] = {
    "demo": replace(_SMALL, start="shipped", images=400, report_every=40, checkpoint_every=200, gradient_diagnostics_every=80),
    "hour": replace(_SMALL, images=12_000, report_every=400, checkpoint_every=2_000),
    "study": Config(
        data=DataConfig(size=96),
        model=ModelConfig(generator_width=32, discriminator_width=32, maps="parts", map_sigma=0.8, head="mask"),
        optim=OptimConfig(generator_lr=1e-3, discriminator_lr=0.02, batch=16, average=0.999),
        images=160_000,
        report_every=1_600,
        checkpoint_every=16_000,
        gradient_diagnostics_every=1_600,
    ),
    "poster": Config(),
    "warm_up": replace(
        _SMALL,
        optim=replace(_SMALL.optim, average=0.999, precision="bf16"),
        images=64_000,
        report_every=2_000,
        checkpoint_every=8_000,
        gradient_diagnostics_every=4_000,
    ),
}


def preset(name: str) -> Config:
    """The configuration of a preset: demo (minutes on a CPU), hour (an hour on a CPU), study and poster (2019's) for GPUs.

    demo starts from the shipped weights, which warm_up makes; the others start from random weights.
    """
    if name not in PRESETS:
        raise UserError(f"--preset is {name!r}: {did_you_mean(name, list(PRESETS))}")
    return PRESETS[name]
