"""The configuration of one training run: frozen dataclasses, overrides by dotted name, and a JSON round trip.

A value has one name everywhere. The field `loss.triple_consistency` is also the flag `--loss.triple_consistency`, the key of an
override and the MLflow parameter. Its metrics are `loss/triple_consistency` and `weighted/triple_consistency`.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from facegan.dotted_names import flatten, path_of
from facegan.errors import UserError
from facegan.optim_config import OptimConfig
from facegan.records import BadRecord, from_json

Group = Literal["consistency", "pixel_space", "feature_space"]


@dataclass(frozen=True, slots=True)
class Term:
    """How a term of the generator's loss is shown, and the groups of terms that a design can switch it with."""

    label: str
    short: str
    """Label where there is little room."""
    groups: tuple[Group, ...] = ()


def _term(weight: float, label: str, short: str, *groups: Group) -> Any:
    return field(default=weight, metadata={"term": Term(label, short, groups)})


SMALLEST_WEIGHT, LARGEST_WEIGHT = 1e-12, 1e38
"""Weights of terms are multiplied in float32, in which 1e-46 is 0 and 1e39 is infinite."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LossConfig:
    """Weights of the generator's terms, and the distance that the pixel-space ones use. A term of weight 0 is not computed."""

    # To add a term, add its weight here and its formula to `facegan.losses.FORMULAS`.

    adversarial: float = _term(1.0, "Adversarial", "Adv")
    """Non-saturating binary cross-entropy on the discriminator's patch logits."""
    pixel: float = _term(10.0, "Pixel", "Pix", "pixel_space")
    """Distance between the generated image and the target."""
    self_consistency: float = _term(100.0, "Self", "Self", "consistency", "pixel_space")
    """Distance between the source and the generated image moved back to the source's landmarks."""
    triple_consistency: float = _term(100.0, "Triple", "Trip", "consistency", "pixel_space")
    """Distance between the generated image and the one that reached the target by way of a third pose."""
    perceptual: float = _term(10.0, "Perceptual", "Perc", "feature_space")
    """L1 of VGG-19 activations at relu1_2, relu2_2, relu3_3 and relu4_3."""
    identity: float = _term(1.0, "Identity", "Id", "feature_space")
    """L1 of VGG-19 activations at relu3_2."""
    style: float = _term(0.0, "Style", "Sty", "feature_space")
    """L1 of the Gram matrices at the perceptual layers."""
    pixel_form: Literal["l2", "l1_squared", "l1"] = "l2"
    """l2: mean squared error; l1_squared: the square of an image's mean absolute error, as in the 2019 code; l1."""
    consistency_form: Literal["l1_squared", "l1", "l2"] = "l1_squared"
    """The distance of both consistency terms."""

    def __post_init__(self) -> None:
        for term, weight in self.weights().items():
            if not (weight == 0 or SMALLEST_WEIGHT <= weight <= LARGEST_WEIGHT):
                allowed = f"from {SMALLEST_WEIGHT:g} to {LARGEST_WEIGHT:g}, or 0, which leaves the term out"
                raise UserError(f"loss.{term} is {weight}: a weight is {allowed}")
        if not any(self.weights().values()):
            raise UserError("loss: every weight is 0, so there is nothing to train; set at least one above 0")

    def weights(self) -> dict[str, float]:
        """The weight of each term, by its name."""
        return {term: float(getattr(self, term)) for term in TERMS}

    def active(self) -> list[str]:
        """The names of the terms that are computed."""
        return [term for term, weight in self.weights().items() if weight]


TERMS: dict[str, Term] = {f.name: f.metadata["term"] for f in dataclasses.fields(LossConfig) if "term" in f.metadata}
"""The terms by name, in the order in which they are computed and shown."""

GROUPS: dict[str, tuple[str, ...]] = {
    group: tuple(name for name, term in TERMS.items() if group in term.groups)
    for group in ("consistency", "pixel_space", "feature_space")
}
"""The terms of each group, which a design can switch together under the group's name."""

LABELS: dict[str, Term] = {
    **TERMS,
    "consistency": Term("Cons.", "Cons"),
    "pixel_space": Term("Pixel space", "PixSp"),
    "feature_space": Term("Feature space", "FeatSp"),
}
"""How terms and groups are shown."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DataConfig:
    """What a run reads of its data set."""

    size: int = 128
    """Side of the square images, pixels; a multiple of 16. It must be the size of the data set."""
    flip: bool = True
    """Mirror half of the samples, their left and right landmarks exchanged."""
    resident: bool = False
    """Decode every training frame once and keep it on the device, if its memory allows; the batches stay the same."""
    validation_fraction: float = 0.1
    """Share of the training people, with all of their clips, held out for loss curves and the lambda search."""

    def __post_init__(self) -> None:
        if not 32 <= self.size <= 1024 or self.size % 16:
            raise UserError(f"data.size is {self.size}: a multiple of 16, from 32 to 1024")
        if not 0 <= self.validation_fraction <= 0.5:
            raise UserError(f"data.validation_fraction is {self.validation_fraction}: between 0 and 0.5")


_WIDEST = 256
"""Channels. A generator of this width has 500 M parameters, which with Adam take 8 GB."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelConfig:
    """Sizes of the two networks, and the form of the landmark maps."""

    generator_width: int = 64
    """Channels of the U-Net's first level; the bottleneck has 16 times as many."""
    head: Literal["colour", "mask"] = "colour"
    """colour: the network generates every pixel, as in 2019; mask: it also predicts where to keep the source's pixel."""
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
            if not 4 <= getattr(self, name) <= _WIDEST:
                raise UserError(f"model.{name} is {getattr(self, name)}: from 4 to {_WIDEST}")
        if not 0.3 <= self.map_sigma <= 8:
            raise UserError(f"model.map_sigma is {self.map_sigma}: between 0.3 and 8 pixels")
        if self.first_layer == "sparse" and self.maps != "points":
            raise UserError(f"model.first_layer is 'sparse' with maps {self.maps!r}: only maps 'points' are sparse")


MAX_SEED = 2**63 - 1
"""The largest seed that PyTorch takes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VggConfig:
    """The frozen VGG-19 behind the perceptual, identity and style terms."""

    weights: str = "imagenet"
    """'imagenet' (the public file, checked by its hash), 'random' (seeded, named on every result), a file or a URI."""
    width: int = 64
    """Channels of the first block; 64 is VGG-19, fewer only with random weights."""
    seed: int = 0
    """Seed of random weights."""

    def __post_init__(self) -> None:
        if not 4 <= self.width <= 64:
            raise UserError(f"vgg.width is {self.width}: from 4 to 64, which is VGG-19")
        if not 0 <= self.seed <= MAX_SEED:
            raise UserError(f"vgg.seed is {self.seed}: from 0 to {MAX_SEED}")
        if self.weights != "random" and self.width != 64:
            raise UserError(f"vgg.width is {self.width} with weights {self.weights!r}: trained weights need width 64")


SHIPPED_SIZE = 64
"""Image size in pixels that the shipped start weights were trained at (facegan/start_weights)."""
SHIPPED_MODEL = ModelConfig(generator_width=16, discriminator_width=8, maps="parts", map_sigma=0.6, head="mask")
"""The networks of the shipped start weights."""
SHIPPED_SEEDS = 3
"""Number of seeds with shipped start weights; a run of seed s starts from those of s modulo this number."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """One training run. Time is counted in images seen."""

    loss: LossConfig = field(default_factory=LossConfig)
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    vgg: VggConfig = field(default_factory=VggConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    seed: int = 0
    """Determines start weights and batches: runs of one seed share both."""
    start: Literal["random", "shipped"] = "random"
    """Weights that both networks start from. random: drawn from the seed; shipped: trained without the consistency terms on
    rendered people, for the networks and the size of the preset demo (facegan/start_weights/README.md)."""
    warm_up: int = 0
    """Images that a study trains on without the consistency terms, once per seed, before its arms branch from the result with
    new optimizers; a multiple of the batch. 0: none."""
    images: int = 2_000_000
    """Images to train on; a multiple of the batch."""
    report_every: int = 2_000
    """Images between two rows of metrics."""
    checkpoint_every: int = 40_000
    """Images between two checkpoints, sample grids and validation scores."""
    checkpoint_at: tuple[int, ...] = ()
    """Images at which there are further ones, rising multiples of the batch. A search puts its rungs there."""
    gradient_diagnostics_every: int = 400
    """Images between two gradient diagnostics of the loss (facegan.training.gradient_diagnostics); 0: none."""

    def __post_init__(self) -> None:
        batch = self.optim.batch
        wrong = {}
        for name in _COUNTED_IN_IMAGES:
            value = getattr(self, name)
            may_be_zero = name in _MAY_BE_ZERO and value == 0
            if value > _MAX_IMAGES:
                raise UserError(f"{name} is {value}: at most {_MAX_IMAGES}")
            if not may_be_zero and (value < batch or value % batch):
                wrong[name] = value
        if wrong:
            given = ", ".join(f"{name} is {value}" for name, value in wrong.items())
            cure = " ".join(f"--{name} {_nearest_multiple(value, batch)}" for name, value in wrong.items())
            raise UserError(f"{given}: a multiple of optim.batch ({batch}), such as {cure}")
        self._check_checkpoint_at()
        if not 0 <= self.seed <= MAX_SEED:
            raise UserError(f"seed is {self.seed}: from 0 to {MAX_SEED}")
        if self.start == "shipped" and (self.model, self.data.size) != (SHIPPED_MODEL, SHIPPED_SIZE):
            raise UserError(
                f"start is 'shipped': these weights are for data.size {SHIPPED_SIZE} and the networks (model.*) of the preset "
                "demo; give --start random"
            )
        if self.warm_up and not set(self.loss.active()) - set(GROUPS["consistency"]):
            raise UserError(
                f"warm_up is {self.warm_up}: without the consistency terms no term of the loss is left; give --warm_up 0"
            )

    def _check_checkpoint_at(self) -> None:
        images, batch = self.checkpoint_at, self.optim.batch
        rising = list(images) == sorted(set(images)) and len(images) <= _MOST_CHECKPOINTS
        if not rising or any(not batch <= number <= _MAX_IMAGES or number % batch for number in images):
            shown = " ".join(map(str, images[:5]))
            raise UserError(f"checkpoint_at is {shown}: rising multiples of optim.batch ({batch}), at most {_MOST_CHECKPOINTS}")

    def of_warm_up(self) -> "Config":
        """The configuration of the warm-up itself: no consistency terms, and as many images as `warm_up` says."""
        off = {f"loss.{term}": 0.0 for term in GROUPS["consistency"]}
        return self.override({**off, "images": self.warm_up, "warm_up": 0, "checkpoint_at": []})

    def to_dict(self) -> dict[str, Any]:
        """Nested plain values, as they come back from JSON."""
        return {**asdict(self), "checkpoint_at": list(self.checkpoint_at)}

    def flat(self) -> dict[str, Any]:
        """Every value by its dotted name."""
        return flatten(self.to_dict())

    def override(self, values: Mapping[str, Any]) -> "Config":
        """A copy with values replaced by dotted name.

        All values are replaced before the configuration is checked, so their order does not matter. Raises UserError for an
        unknown name, a value of another type, or a combination that the configuration refuses.
        """
        nested = self.to_dict()
        for name, value in values.items():
            *groups, last = path_of(name, self)
            group = nested
            for step in groups:
                group = group[step]
            group[last] = value
        return from_dict(nested)

    def with_batch(self, batch: int) -> "Config":
        """A copy with another batch size; counts of images become the nearest multiples of it."""
        counts = {name: getattr(self, name) for name in _COUNTED_IN_IMAGES}
        rounded = {name: _nearest_multiple(count, batch) if count else 0 for name, count in counts.items()}
        at = sorted({_nearest_multiple(count, batch) for count in self.checkpoint_at})
        return self.override({"optim.batch": batch, "checkpoint_at": at, **rounded})


_MAX_IMAGES = 10**12
_MOST_CHECKPOINTS = 100
_COUNTED_IN_IMAGES = ("images", "warm_up", "report_every", "checkpoint_every", "gradient_diagnostics_every")
_MAY_BE_ZERO = ("warm_up", "gradient_diagnostics_every")


def _nearest_multiple(value: int, batch: int) -> int:
    return max(batch, (2 * value + batch) // (2 * batch) * batch)


def from_dict(values: Mapping[str, Any]) -> Config:
    """The inverse of `Config.to_dict`. Raises UserError if a field is missing, unknown, of another type or refused."""
    try:
        return from_json(Config, dict(values))
    except BadRecord as reason:
        raise UserError(str(reason)) from None
