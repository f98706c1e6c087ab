"""Presets: complete configurations by name."""

from facegan.config import Config, DataConfig, ModelConfig, OptimConfig, VggConfig
from facegan.errors import UserError, did_you_mean

PRESETS: dict[str, Config] = {
    "demo": Config(
        data=DataConfig(size=48),
        model=ModelConfig(generator_width=16, discriminator_width=8, maps="parts", map_sigma=0.6, head="mask"),
        vgg=VggConfig(weights="random", width=16),
        optim=OptimConfig(generator_lr=1e-3, discriminator_lr=1e-3),
        images=4_400,
        report_every=200,
        checkpoint_every=880,
    ),
    "hour": Config(
        data=DataConfig(size=64),
        model=ModelConfig(generator_width=24, discriminator_width=16, maps="parts", map_sigma=0.6, head="mask"),
        vgg=VggConfig(weights="random", width=16),
        optim=OptimConfig(generator_lr=1e-3, discriminator_lr=1e-3),
        images=12_000,
        report_every=400,
        checkpoint_every=2_000,
    ),
    "poster": Config(),
}


def preset(name: str) -> Config:
    """The configuration of a preset: demo (minutes on a CPU), hour (an hour on a CPU), poster (2019's, for GPUs)."""
    if name not in PRESETS:
        raise UserError(f"--preset is {name!r}: {did_you_mean(name, list(PRESETS))}")
    return PRESETS[name]
