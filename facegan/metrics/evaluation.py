"""An evaluation, clip by clip: what is measured of a checkpoint or a reference on one clip, and the cards of all clips.

The parts are independent of each other, so they can be made anywhere, in any order, and kept.
"""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegan.data.face_data import FaceData
from facegan.metrics.card import Card, Scores, summarise, with_kid
from facegan.metrics.discrimination import Discrimination, discrimination
from facegan.metrics.evaluation_config import Sampling
from facegan.metrics.evaluators import Evaluators
from facegan.metrics.measure import EvaluationSet, measure_references, prepare_evaluation_set

Part = dict[str, NDArray[Any]]
"""What was measured on one clip, by name; of the references by `<row>|<name>`."""

NO_MOTION = "not measured of another person: frames chosen by their pose are no motion"
EMBEDDINGS, ROWS = "embeddings", "rows"


def reference_part(data: FaceData, evaluation_set: EvaluationSet, evaluators: Evaluators) -> Part:
    """The reference rows of a clip, and the embeddings of its real frames."""
    rows = measure_references(data, evaluation_set, evaluators)
    part: Part = {f"{row}|{name}": values for row, scores in rows.items() for name, values in scores.items()}
    part[EMBEDDINGS] = np.concatenate([evaluation_set.source_embeddings, evaluation_set.target_embeddings])
    part[ROWS] = np.concatenate([evaluation_set.pairs.source, evaluation_set.pairs.target])
    return part


def study_references(data: FaceData, evaluators: Evaluators, cache: Path) -> tuple[dict[str, Card], Discrimination]:
    """The reference cards of a study, and how well the identity judge tells its test people apart."""
    evaluation_set = prepare_evaluation_set(data, evaluators, cache, Sampling())
    rows = measure_references(data, evaluation_set, evaluators)
    people = [data.person_of(clip) for clip in (*evaluation_set.pairs.clip, *evaluation_set.pairs.clip)]
    cards = {row: make_card(measured, evaluation_set.pairs.clip, data, evaluators) for row, measured in rows.items()}
    embeddings = np.concatenate([evaluation_set.source_embeddings, evaluation_set.target_embeddings])
    return cards, discrimination(embeddings, np.concatenate([evaluation_set.pairs.source, evaluation_set.pairs.target]), people)


def make_card(measured: Scores, clips: list[str], data: FaceData, evaluators: Evaluators) -> Card:
    """The card of what was measured on pairs of these clips: every metric, with a note where it was not measured."""
    scores, missing = with_kid(measured, clips, evaluators.config.kid_images)
    still = {name: NO_MOTION for name in ("identity_jitter", "landmark_jitter") if name not in scores}
    people = {clip: data.person_of(clip) for clip in clips}
    return summarise(scores, clips, categories_of(data), evaluators.missing | missing | still, people)


def pack(part: Part) -> bytes:
    """A part as bytes, without pickle."""
    sink = io.BytesIO()
    np.savez(sink, allow_pickle=False, **part)
    return sink.getvalue()


def unpack(content: bytes) -> Part:
    """The inverse of `pack`."""
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return dict(archive)


def card_of(parts: Mapping[str, Part], data: FaceData, evaluators: Evaluators) -> Card:
    """The card of a checkpoint from its parts by clip."""
    clips = [clip for clip, part in parts.items() for _ in range(len(part["face_error"]))]
    measured: Scores = {name: np.concatenate([part[name] for part in parts.values()]) for name in next(iter(parts.values()))}
    return make_card(measured, clips, data, evaluators)


def reference_cards(parts: Mapping[str, Part], data: FaceData, evaluators: Evaluators) -> dict[str, Card]:
    """The cards of the reference rows from their parts by clip."""
    names = list(dict.fromkeys(name.partition("|")[0] for part in parts.values() for name in part if "|" in name))
    rows = {}
    for row in names:
        of_row = {
            clip: {name.removeprefix(f"{row}|"): values for name, values in part.items() if name.startswith(f"{row}|")}
            for clip, part in parts.items()
        }
        rows[row] = card_of(of_row, data, evaluators)
    return rows


def discrimination_of(parts: Mapping[str, Part], data: FaceData) -> Discrimination:
    """How well the identity judge tells the people of the reference parts apart."""
    people = [data.person_of(clip) for clip, part in parts.items() for _ in part[ROWS]]
    embeddings, rows = (np.concatenate([part[name] for part in parts.values()]) for name in (EMBEDDINGS, ROWS))
    return discrimination(embeddings, rows, people)


def categories_of(data: FaceData) -> dict[str, str]:
    """The category of each clip."""
    return {clip.clip: clip.category for clip in data.manifest.clips}
