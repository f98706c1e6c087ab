"""The configuration of one training run: frozen dataclasses, presets, dotted overrides, a JSON round trip.

A value has one spelling everywhere: the field `loss.triple_consistency` is the flag `--loss.triple_consistency`, the key of an
arm's override, the MLflow parameter, and its metrics are `loss/triple_consistency` and `weighted/triple_consistency`.
"""

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, get_args, get_origin, get_type_hints

from facegan.errors import UserError, did_you_mean

TERMS = (
    "adversarial",
    "pixel",
    "self_consistency",
    "triple_consistency",
    "perceptual",
    "identity",
    "style",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class LossConfig:
    """Weights of the generator's terms (a term of weight 0 is not computed) and the form of the pixel-space ones."""

    adversarial: float = 1.0
    """Non-saturating binary cross-entropy on the discriminator's logits, a patch at a time."""
    pixel: float = 10.0
    """Distance of the generated image and the target."""
    self_consistency: float = 100.0
    """Distance of the source and the generated image driven back to the source's landmarks."""
    triple_consistency: float = 100.0
    """Distance of the generated image and the one that took a detour over a third pose."""
    perceptual: float = 10.0
    """L1 of VGG-19 activations at relu1_2, relu2_2, relu3_3 and relu4_3."""
    identity: float = 1.0
    """L1 of VGG-19 activations at relu3_2."""
    style: float = 0.0
    """L1 of the Gram matrices at the perceptual layers."""
    pixel_form: Literal["l2", "l1_squared", "l1"] = "l2"
    """l2: mean squared error; l1_squared: as in the 2019 code, the square of an image's mean absolute error; l1."""
    consistency_form: Literal["l1_squared", "l1", "l2"] = "l1_squared"
    """The form of both consistency terms."""

    def __post_init__(self) -> None:
        for term, weight in self.weights().items():
            if not math.isfinite(weight) or weight < 0:
                raise UserError(f"loss.{term} is {weight}: a weight is a finite number >= 0 (0 leaves the term out)")
        if not any(self.weights().values()):
            raise UserError("loss: every weight is 0, so there is nothing to train; set at least one above 0")

    def weights(self) -> dict[str, float]:
        """The weight of each term, by its name."""
        return {term: float(getattr(self, term)) for term in TERMS}

    def active(self) -> list[str]:
        """The names of the terms that are computed."""
        return [term for term, weight in self.weights().items() if weight]


@dataclass(frozen=True, kw_only=True, slots=True)
class DataConfig:
    """What of a data set a run sees."""

    size: int = 128
    """Side of the square images, pixels; a multiple of 16. It must be the size of the data set."""
    flip: bool = True
    """Mirror half of the samples, their left and right landmarks exchanged."""
    resident: bool = False
    """Decode every training frame once and keep it on the device, where memory allows; the batches are the same."""
    validation_fraction: float = 0.1
    """Share of the training clips that no run trains on: curves and the lambda search are judged on them."""

    def __post_init__(self) -> None:
        if self.size < 32 or self.size % 16:
            raise UserError(f"data.size is {self.size}: a multiple of 16, at least 32")
        if not 0 <= self.validation_fraction <= 0.5:
            raise UserError(f"data.validation_fraction is {self.validation_fraction}: between 0 and 0.5")


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelConfig:
    """Sizes of the two networks and how they are shown the landmarks."""

    generator_width: int = 64
    """Channels of the U-Net's first level; the bottleneck has 16 times as many."""
    head: Literal["colour", "mask"] = "colour"
    """colour: every pixel is drawn, as in 2019; mask: the network also says where to keep the source's pixel."""
    discriminator_width: int = 32
    """Channels of the PatchGAN's first level."""
    maps: Literal["points", "parts"] = "points"
    """points: 68 Gaussians as in 2019; parts: a line drawing per facial part, 8 channels."""
    map_sigma: float = 1.0
    """Width of a point or a line in the maps, pixels."""
    first_layer: Literal["auto", "dense", "sparse"] = "auto"
    """How both networks read point maps: dense draws all 68 and convolves them; sparse computes the same response from the
    points alone, to 1e-5; auto is the one that measures faster: sparse on a CPU, dense elsewhere and for parts."""

    def __post_init__(self) -> None:
        for name in ("generator_width", "discriminator_width"):
            if getattr(self, name) < 4:
                raise UserError(f"model.{name} is {getattr(self, name)}: at least 4")
        if not 0.3 <= self.map_sigma <= 8:
            raise UserError(f"model.map_sigma is {self.map_sigma}: between 0.3 and 8 pixels")
        if self.first_layer == "sparse" and self.maps != "points":
            raise UserError(f"model.first_layer is 'sparse' with maps {self.maps!r}: only maps 'points' are sparse")


@dataclass(frozen=True, kw_only=True, slots=True)
class VggConfig:
    """The frozen VGG-19 behind the perceptual, identity and style terms."""

    weights: str = "imagenet"
    """'imagenet' (the public file, checked by its hash and cached), 'random' (seeded, said on every result), or a file."""
    width: int = 64
    """Channels of the first block; 64 is VGG-19, fewer only with random weights."""
    seed: int = 0
    """Seed of random weights."""

    def __post_init__(self) -> None:
        if self.width < 4:
            raise UserError(f"vgg.width is {self.width}: at least 4; 64 is VGG-19")
        if self.weights != "random" and self.width != 64:
            raise UserError(f"vgg.width is {self.width} with weights {self.weights!r}: trained weights need width 64")


@dataclass(frozen=True, kw_only=True, slots=True)
class OptimConfig:
    """Adam for the generator, SGD without momentum for the discriminator, one step each, no decay."""

    generator_lr: float = 2e-4
    """Learning rate of Adam."""
    discriminator_lr: float = 5e-5
    """Learning rate of SGD."""
    batch: int = 8
    """Images in a global batch, over all workers."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """bf16: the networks' passes in bfloat16, losses, statistics and weights in float32; auto: bf16 on a GPU, fp32 on a CPU."""
    compile: bool = False
    """Compile the networks with TorchInductor: minutes at the start, and a C++ compiler or, on a GPU, Triton. Off until
    jobs/bench/step.py has measured on the device at hand that it pays."""

    def __post_init__(self) -> None:
        for name in ("generator_lr", "discriminator_lr"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"optim.{name} is {getattr(self, name)}: between 0 and 1")
        if self.batch < 1:
            raise UserError(f"optim.batch is {self.batch}: at least 1")


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """One training run, whole. Time is counted in images seen."""

    loss: LossConfig = field(default_factory=LossConfig)
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    vgg: VggConfig = field(default_factory=VggConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    seed: int = 0
    """Start weights and batches follow from it; runs of one seed share both."""
    images: int = 2_000_000
    """Images to train on; a multiple of the batch."""
    report_every: int = 2_000
    """Images between two rows of metrics."""
    checkpoint_every: int = 40_000
    """Images between two checkpoints, sample grids and validation scores."""

    anatomy_every: int = 400
    """Images between two gradient diagnostics of the loss (facegan.gradient_diagnostics); 0: none."""

    def __post_init__(self) -> None:
        for name in ("images", "report_every", "checkpoint_every", "anatomy_every"):
            value, batch = getattr(self, name), self.optim.batch
            if name == "anatomy_every" and value == 0:
                continue
            if value < batch or value % batch:
                nearest = max(batch, round(value / batch) * batch)
                raise UserError(f"{name} is {value}: a multiple of optim.batch ({batch}), such as {nearest}")
        if self.seed < 0:
            raise UserError(f"seed is {self.seed}: at least 0")

    def to_dict(self) -> dict[str, Any]:
        """Nested plain values, ready for JSON."""
        return asdict(self)

    def flat(self) -> dict[str, Any]:
        """Every value by its dotted name."""
        return dict(_flatten("", self.to_dict()))

    def override(self, values: Mapping[str, Any]) -> "Config":
        """A copy with values replaced by dotted name; unknown names and values of another type are refused."""
        config = self
        for name, value in values.items():
            config = _replace(config, name, name.split("."), value)
        return config


def from_dict(values: Mapping[str, Any]) -> Config:
    """The inverse of `Config.to_dict`, every field checked."""
    return Config().override(dict(_flatten("", values)))


def from_json(text: str) -> Config:
    """The configuration that `json.dumps(config.to_dict())` wrote."""
    return from_dict(json.loads(text))


def _flatten(prefix: str, values: Mapping[str, Any]) -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for key, value in values.items():
        rows += _flatten(f"{prefix}{key}.", value) if isinstance(value, Mapping) else [(prefix + key, value)]
    return rows


def _replace(node: Any, name: str, path: list[str], value: Any) -> Any:
    names = [f.name for f in fields(node)]
    if path[0] not in names:
        raise UserError(f"{name!r} is no field of the configuration: {did_you_mean(path[0], names)}")
    child = getattr(node, path[0])
    is_group = dataclasses.is_dataclass(child)
    if is_group != (len(path) > 1):
        raise UserError(f"{name!r} is {'a group' if is_group else 'a single value'} of the configuration: name one field")
    new = _replace(child, name, path[1:], value) if is_group else _checked(node, path[0], name, value)
    return replace(node, **{path[0]: new})


def _checked(node: Any, attribute: str, name: str, value: Any) -> Any:
    kind = get_type_hints(type(node))[attribute]
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise UserError(f"{name} is {value!r}: one of {', '.join(get_args(kind))}")
        return value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not kind:
        raise UserError(f"{name} is {value!r}: it takes a value of type {kind.__name__}")
    return value


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
    "poster": Config(data=DataConfig(validation_fraction=0.0)),
}


def preset(name: str) -> Config:
    """The configuration of a preset: demo (minutes on a CPU), hour (an hour on a CPU), poster (2019's, for GPUs)."""
    if name not in PRESETS:
        raise UserError(f"--preset is {name!r}: {did_you_mean(name, list(PRESETS))}")
    return PRESETS[name]
