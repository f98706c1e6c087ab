"""What the JSON file beside a video, and the comment inside it, say of how the video was made.

The terms are those of a C2PA manifest: claim generator, assertions, actions with IPTC's digital source type, ingredients. It is
not a C2PA manifest, since it is not signed and not embedded: a signature needs a certificate, which a research tool has none
of. It says what the program did, to whoever did not change it.
"""

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from facegan.code_commit import code_commit
from facegan.reenact.inputs import Clip
from facegan.reenact.options import ReenactOptions
from facegan.reenact.source import Source
from facegan.study.design.arms import Arm
from facegan.study.design.plan import Plan, Trial

IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
DRAWN, COMPOSITE = "trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia"
NOT_SIGNED = (
    "Modelled on C2PA's manifest and NOT SIGNED: it says what the program did, and anyone can change it. The hash tells only "
    "whether it belongs to this file."
)

_NOT_SAID = ("mark", "landmark_weights")
"""Options that are said elsewhere, or are a path of the user's machine."""


@dataclass(frozen=True, slots=True)
class DrawnArm:
    """An arm that drew faces: its name and label, and the run that it was represented by."""

    name: str
    label: str
    trial: str
    seed: int


@dataclass(frozen=True, slots=True)
class Ingredient:
    """A file that a video was made from. `sha256` is of its content, '' if a program has rendered it."""

    title: str
    sha256: str
    role: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """How a video was made."""

    study: str
    commit: str
    """Of the code that made it."""
    arms: tuple[DrawnArm, ...]
    ingredients: tuple[Ingredient, ...]
    options: ReenactOptions

    @property
    def generator(self) -> str:
        """The program's name and version."""
        return f"facegan/{version('facegan')} (commit {self.commit})"


def comment(provenance: Provenance) -> str:
    """One line for the metadata of the video's container."""
    made = f"{provenance.generator}, study {provenance.study}, arms {', '.join(arm.label for arm in provenance.arms)}"
    return f"Faces drawn by networks, not recorded ({DRAWN}). Made by {made}. Not signed."


def manifest(provenance: Provenance, video: Path, sha256: str, frames: dict[str, int], reference: int) -> dict[str, Any]:
    """The content of the JSON file beside a video with this hash.

    `frames` counts them by what became of them, and `reference` is the number of that which motion is measured from.
    """
    actions = [
        {
            "action": "c2pa.created",
            "softwareAgent": provenance.generator,
            "digitalSourceType": IPTC + DRAWN,
            "description": "a network drew the face in each column that has an arm's name",
        },
        {
            "action": "c2pa.placed",
            "softwareAgent": provenance.generator,
            "digitalSourceType": IPTC + COMPOSITE,
            "description": "drawn faces side by side with the source and the driving clip"
            + (", put back into the source's picture" if provenance.options.paste else ""),
        },
    ]
    return {
        "note": NOT_SIGNED,
        "signed": False,
        "claim_generator": provenance.generator,
        "claim_generator_info": [{"name": "facegan", "version": version("facegan"), "commit": provenance.commit}],
        "title": video.name,
        "format": "video/mp4",
        "instance_id": f"xmp:iid:{uuid.uuid5(uuid.NAMESPACE_OID, sha256)}",
        "ingredients": [
            {"title": one.title, "relationship": "inputTo", "role": one.role, "alg": "sha256", "hash": one.sha256}
            for one in provenance.ingredients
        ],
        "assertions": [
            {"label": "c2pa.actions", "data": {"actions": actions}},
            {"label": "c2pa.hash.data", "data": {"alg": "sha256", "hash": sha256, "name": video.name}},
            {"label": "facegan.reenactment", "data": _facts(provenance, frames) | {"reference_frame": reference}},
        ],
    }


def _facts(provenance: Provenance, frames: dict[str, int]) -> dict[str, Any]:
    return {
        "study": provenance.study,
        "arms": [asdict(arm) for arm in provenance.arms],
        "visible_mark": provenance.options.mark,
        "options": {name: value for name, value in asdict(provenance.options).items() if name not in _NOT_SAID},
        "frames": frames,
    }


def provenance_of(
    plan: Plan, arms: Sequence[tuple[Arm, Trial]], source: Source, driving: Clip, options: ReenactOptions
) -> Provenance:
    """How a video of these arms of a study is made. Files are named without the folders that they lie in."""
    return Provenance(
        study=plan.id(),
        commit=code_commit(),
        arms=tuple(DrawnArm(arm.name, arm.label, trial.key, trial.seed) for arm, trial in arms),
        ingredients=tuple(
            Ingredient(Path(one.name).name, one.sha256, role) for role, one in (("source", source), ("driving", driving))
        ),
        options=options,
    )
