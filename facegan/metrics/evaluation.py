"""An evaluation in pieces: the measurements of one clip, and the cards made from those of all clips.

The measurements of a clip do not depend on the other clips, so they can be made on any machine, in any order, and stored.
"""

import io
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegan.data.reading.face_data import FaceData
from facegan.errors import UserError
from facegan.metrics.card import LARGE_POSE, Card, CategorySummary, Scores, summarise, with_kid
from facegan.metrics.discrimination import Discrimination, discrimination
from facegan.metrics.evaluation_set import EvaluationSet
from facegan.metrics.evaluators import Evaluators
from facegan.metrics.measure import measure_references
from facegan.metrics.table import PROBES

ClipMeasurements = dict[str, NDArray[Any]]
"""Arrays of one clip by name: the scores of a checkpoint; or of the references, `<row>|<metric>`, EMBEDDINGS and ROWS."""

NO_MOTION = "not measured of another person: frames chosen by their pose are no motion"
NO_GENERATOR = "not measured of reference rows: they have no generator"
ONE_PERSON = "not measured: all test clips are of one person"
EMBEDDINGS, ROWS = "embeddings", "rows"
_OF_SEQUENCES = ("identity_jitter", "landmark_jitter")
_OF_GENERATORS = PROBES
_OF_TWO_PEOPLE = ("identity_kept", "identity_measured")


def reference_measurements(data: FaceData, evaluation_set: EvaluationSet, evaluators: Evaluators) -> ClipMeasurements:
    """The scores of the reference rows of a clip, and the embeddings and rows of its real frames; NaN without a face."""
    rows = measure_references(data, evaluation_set, evaluators)
    measured: ClipMeasurements = {f"{row}|{name}": values for row, scores in rows.items() for name, values in scores.items()}
    measured[EMBEDDINGS], measured[ROWS] = _real_embeddings(evaluation_set)
    return measured


def study_references(
    data: FaceData, evaluators: Evaluators, evaluation_set: EvaluationSet
) -> tuple[dict[str, Card], Discrimination]:
    """The cards of the reference rows of a study, and the result of `discrimination` on its test people."""
    pairs = evaluation_set.pairs
    rows = measure_references(data, evaluation_set, evaluators)
    cards = {row: make_card(measured, pairs.clip, data, evaluators) for row, measured in rows.items()}
    people = [data.person_of(clip) for clip in (*pairs.clip, *pairs.clip)]
    return cards, discrimination(*_real_embeddings(evaluation_set), people)


def _real_embeddings(evaluation_set: EvaluationSet) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Embeddings [2 n, d] and rows [2 n] of the sources and then the targets of n pairs."""
    pairs, sources, targets = evaluation_set.pairs, evaluation_set.source_faces, evaluation_set.target_faces
    return np.concatenate([sources.embeddings, targets.embeddings]), np.concatenate([pairs.source, pairs.target])


def make_card(measured: Scores, clips: list[str], data: FaceData, evaluators: Evaluators) -> Card:
    """The metric card of measurements on pairs of these clips [n]; a metric that was not measured has a note.

    Pairs that were chosen by a large change of pose are summarised apart from the others.
    """
    is_large = measured[LARGE_POSE].astype(bool)
    usual, large = (_select(measured, clips, part) for part in (~is_large, is_large))
    scores, missing = with_kid(*usual, evaluators.config.kid_images)
    unmeasured = {name: NO_MOTION for name in _OF_SEQUENCES if name not in scores}
    unmeasured |= {name: NO_GENERATOR for name in _OF_GENERATORS if name not in scores}
    unmeasured |= {name: ONE_PERSON for name in _OF_TWO_PEOPLE if name not in scores}
    categories = {clip.clip: clip.category for clip in data.manifest.clips}
    people = {clip: data.person_of(clip) for clip in clips}
    card = summarise(scores, usual[1], categories, evaluators.missing | missing | unmeasured, people)
    return card | _with_large_pose(card, large, people)


def _select(measured: Scores, clips: list[str], part: NDArray[np.bool_]) -> tuple[Scores, list[str]]:
    """The measurements of some of the pairs, and the clips of these pairs."""
    scores = {name: values[part] for name, values in measured.items() if name != LARGE_POSE}
    return scores, [clip for clip, kept in zip(clips, part, strict=True) if kept]


def _with_large_pose(card: Card, large: tuple[Scores, list[str]], people: Mapping[str, str]) -> Card:
    """The entries of a card that are also measured on pairs with a large change of pose, with their summary there."""
    scores, clips = large
    if not clips:
        return {}
    of_pairs = {
        name: values for name, values in scores.items() if name in card and name not in (*_OF_SEQUENCES, *_OF_GENERATORS)
    }
    found = summarise(of_pairs, clips, people=people)
    count = len(set(clips))
    return {name: replace(card[name], large_pose=CategorySummary(s.mean, s.interval, count)) for name, s in found.items()}


def pack(measurements: ClipMeasurements) -> bytes:
    """The measurements as the content of an .npz file, without pickle."""
    sink = io.BytesIO()
    np.savez(sink, allow_pickle=False, **measurements)
    return sink.getvalue()


def unpack(content: bytes, name: str) -> ClipMeasurements:
    """The inverse of `pack`. Raises UserError if the content of the file `name` is damaged."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return dict(archive)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"{name} is damaged ({error}); remove it, and the same command makes it again") from None


def card_of(by_clip: Mapping[str, ClipMeasurements], data: FaceData, evaluators: Evaluators) -> Card:
    """The metric card of a checkpoint from its measurements by clip."""
    clips = [clip for clip, measured in by_clip.items() for _ in range(len(measured["face_error"]))]
    names = next(iter(by_clip.values()))
    scores: Scores = {name: np.concatenate([measured[name] for measured in by_clip.values()]) for name in names}
    return make_card(scores, clips, data, evaluators)


def reference_cards(by_clip: Mapping[str, ClipMeasurements], data: FaceData, evaluators: Evaluators) -> dict[str, Card]:
    """The metric cards of the reference rows, by row, from the measurements of `reference_measurements` by clip."""
    rows = dict.fromkeys(name.partition("|")[0] for measured in by_clip.values() for name in measured if "|" in name)
    cards = {}
    for row in rows:
        of_row = {
            clip: {name.removeprefix(f"{row}|"): values for name, values in measured.items() if name.startswith(f"{row}|")}
            for clip, measured in by_clip.items()
        }
        cards[row] = card_of(of_row, data, evaluators)
    return cards


def discrimination_of(by_clip: Mapping[str, ClipMeasurements], data: FaceData) -> Discrimination:
    """The result of `discrimination` on the real frames in the measurements of `reference_measurements` by clip."""
    people = [data.person_of(clip) for clip, measured in by_clip.items() for _ in measured[ROWS]]
    embeddings, rows = (np.concatenate([measured[name] for measured in by_clip.values()]) for name in (EMBEDDINGS, ROWS))
    return discrimination(embeddings, rows, people)
