"""The caveats of metric cards: copies, images without a face, failed probes, and an arm without any."""

import numpy as np
import pytest

from facegan.metrics.card import Card, summarise
from facegan.metrics.caveats import caveats_of

HONEST = {
    "faces_found": 0.97,
    "target_following": 0.7,
    "identity_kept": 0.6,
    "consistency_ratio": 1.2,
    "after_noise": 1.0,
    "after_jpeg": 1.0,
    "after_rounding": 1.0,
}


def card(**changes: float) -> Card:
    return summarise({name: np.array([value, value]) for name, value in (HONEST | changes).items()}, ["a", "b"])


def test_an_arm_that_follows_and_passes_has_none() -> None:
    assert caveats_of(card()) == ()
    assert caveats_of({}) == ()


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"faces_found": 0.4}, "no face", "shows a face in only 40 % of its images"),
        ({"target_following": 0.1, "identity_kept": 0.94}, "copy", "copies the source (target following 0.10"),
        ({"consistency_ratio": 6.6}, "probe", "6.6 times worse from the real target"),
        ({"after_noise": 3.0}, "probe", "3.0 times worse after faint noise"),
        ({"after_jpeg": 3.0}, "probe", "after JPEG"),
        ({"after_rounding": 3.0}, "probe", "after rounding to 8 bits"),
    ],
)
def test_each_fault_gives_its_caveat(changes: dict[str, float], kind: str, words: str) -> None:
    (found,) = caveats_of(card(**changes))
    assert found.kind == kind and words in found.reason


def test_the_gravest_caveat_is_first() -> None:
    found = caveats_of(card(consistency_ratio=9, target_following=0.0, identity_kept=1.0, faces_found=0.5))
    assert [caveat.kind for caveat in found] == ["no face", "copy", "probe"]


def test_an_image_that_neither_follows_nor_stays_the_person_is_no_copy() -> None:
    assert caveats_of(card(target_following=0.0, identity_kept=0.1)) == ()
