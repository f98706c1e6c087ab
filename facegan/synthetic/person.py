"""The identity of a synthetic person: shape of the head, colours, hair, glasses and clothes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Colour = tuple[float, float, float]  # blue, green, red in 0..255, the channel order of OpenCV

HAIR_STYLES = (
    "bald",
    "buzz",
    "short",
    "fringe",
    "parting",
    "long",
    "bob",
    "bun",
    "afro",
    "receding",
)


@dataclass(frozen=True)
class Build:
    """The shape of a person's head relative to the mean face: factors around 1, or offsets around 0 in mm."""

    width: float
    lower: float
    jaw: float
    chin: float
    forehead: float
    eye_gap: float
    eye_width: float
    eye_open: float
    eye_tilt: float
    brow_lift: float
    brow_tilt: float
    brow_arch: float
    nose_width: float
    nose_length: float
    nose_depth: float
    mouth_width: float
    mouth_lift: float
    lip_upper: float
    lip_lower: float
    ear: float


@dataclass(frozen=True)
class Look:
    """The appearance of a person: everything that is painted."""

    skin: Colour
    lips: Colour
    hair: Colour
    brows: Colour
    iris: Colour
    hair_style: str
    side: float
    brow_thickness: float
    lashes: float
    beard: float
    moustache: float
    blush: float
    age: float
    glasses: float
    glasses_shape: float
    frame: Colour
    freckles: Array
    cloth: Colour
    stripe: Colour
    collar: str


@dataclass(frozen=True)
class Person:
    """A synthetic identity."""

    build: Build
    look: Look


def random_person(rng: np.random.Generator) -> Person:
    """A random person, from wide but plausible ranges."""
    return Person(_random_build(rng), _random_look(rng))


def _random_build(rng: np.random.Generator) -> Build:
    def spread(middle: float, reach: float) -> float:
        # The sum of two uniform values: most people are near the middle, and the range is bounded.
        return middle + reach * float(rng.uniform(-1, 1) + rng.uniform(-1, 1)) * 0.75

    return Build(
        width=spread(1.0, 0.14),
        lower=spread(1.0, 0.16),
        jaw=spread(0.0, 9.0),
        chin=spread(1.0, 0.4),
        forehead=spread(1.0, 0.12),
        eye_gap=spread(0.0, 4.5),
        eye_width=spread(1.0, 0.2),
        eye_open=spread(1.25, 0.45),
        eye_tilt=spread(0.0, 3.2),
        brow_lift=spread(0.0, 5.0),
        brow_tilt=spread(0.0, 6.0),
        brow_arch=spread(1.0, 0.9),
        nose_width=spread(1.0, 0.35),
        nose_length=spread(1.0, 0.2),
        nose_depth=spread(1.0, 0.3),
        mouth_width=spread(1.0, 0.22),
        mouth_lift=spread(0.0, 4.0),
        lip_upper=spread(1.0, 0.6),
        lip_lower=spread(1.0, 0.6),
        ear=spread(1.0, 0.3),
    )


def _random_look(rng: np.random.Generator) -> Look:
    skin, age = _skin(rng), float(rng.beta(1.2, 1.6))
    hair, style = _hair(rng, age, dark=skin[1] < 110), str(rng.choice(HAIR_STYLES))
    may_have_beard = style not in ("long", "bob", "bun") and rng.random() < 0.6
    redness = rng.uniform(0.1, 0.6)
    pink = np.array(skin) * (0.66, 0.62, 0.9)
    return Look(
        skin=skin,
        lips=_mix(_colour(pink), (95, 70, 190), redness * 0.7),
        hair=hair,
        brows=_mix(_colour(np.array(hair) * 0.75), _colour(np.array(skin) * 0.35), 0.35),
        iris=_pick(rng, [(40, 62, 92), (25, 40, 62), (150, 120, 80), (90, 125, 95), (120, 112, 104)], 0.15),
        hair_style=style,
        side=float(rng.choice([-1.0, 1.0])),
        brow_thickness=float(rng.uniform(1.3, 4.2)),
        lashes=float(rng.uniform(0.7, 2.2)),
        beard=float(rng.choice([0.0, 0.35, 0.6, 0.92])) if may_have_beard else 0.0,
        moustache=float(rng.choice([0.0, 0.5, 0.9])) if may_have_beard else 0.0,
        blush=float(rng.uniform(0.0, 0.4)),
        age=age,
        glasses=float(rng.choice([0.0, 0.0, 0.0, 1.2, 2.4])),
        glasses_shape=float(rng.uniform(2.0, 5.0)),
        frame=_pick(rng, [(25, 25, 28), (40, 50, 90), (120, 130, 140), (110, 60, 40)], 0.2),
        freckles=_freckles(rng),
        cloth=_cloth_colour(rng),
        stripe=_cloth_colour(rng),
        collar=str(rng.choice(["round", "vee", "striped"])),
    )


def _skin(rng: np.random.Generator) -> Colour:
    ladder = np.array([[48, 66, 98], [70, 98, 145], [98, 135, 188], [130, 168, 216], [168, 196, 232]], float)
    tone = np.sqrt(rng.random()) * (len(ladder) - 1)
    middle = [np.interp(tone, np.arange(len(ladder)), ladder[:, channel]) for channel in range(3)]
    return _colour(np.array(middle) * rng.uniform(0.93, 1.05) * rng.uniform(0.975, 1.025, 3))


def _hair(rng: np.random.Generator, age: float, dark: bool) -> Colour:
    black_to_brown: list[Colour] = [(22, 20, 24), (24, 24, 30), (30, 38, 56), (38, 62, 98)]
    fair: list[Colour] = [(48, 84, 140), (95, 150, 200), (45, 75, 165)]
    colour = _pick(rng, black_to_brown if dark else black_to_brown + fair, 0.12)
    grey = float(np.clip((age - 0.6) * 2.5, 0, 0.9)) * float(rng.random() < 0.8)
    return _mix(colour, (182, 184, 188), grey)


def _freckles(rng: np.random.Generator) -> Array:
    """[n, 3]: spots as (across from -1 to 1, height in mm, radius in mm); some people have freckles, most have moles."""
    count = int(rng.choice([0, 0, 0, 45]))
    small = np.column_stack([rng.normal(0, 0.38, count), rng.normal(-8, 9, count), rng.uniform(0.5, 0.9, count)])
    moles = int(rng.integers(0, 4))
    large = np.column_stack([rng.uniform(-0.8, 0.8, moles), rng.uniform(-75, 55, moles), rng.uniform(1.2, 2.0, moles)])
    return np.concatenate([small, large])


def _cloth_colour(rng: np.random.Generator) -> Colour:
    """A random colour of low saturation."""
    colour = rng.uniform(15, 240, 3)
    return _colour(0.65 * colour + 0.35 * colour.mean())


def _pick(rng: np.random.Generator, choices: list[Colour], jitter: float) -> Colour:
    chosen = np.array(choices[int(rng.integers(len(choices)))])
    return _colour(chosen * rng.uniform(1 - jitter, 1 + jitter, 3))


def _mix(first: Colour, second: Colour, share: float) -> Colour:
    return _colour((1 - share) * np.array(first) + share * np.array(second))


def _colour(values: Array) -> Colour:
    blue, green, red = (float(value) for value in np.clip(values, 0, 255))
    return blue, green, red


def shade(colour: Colour, factor: float) -> Colour:
    """A darker or lighter colour."""
    return _colour(np.array(colour) * factor)
