"""Claims are limited by the arms behind them: copies, arms without a face, failed probes."""

from dataclasses import replace

import pytest

from facegan.metrics.card import MetricSummary
from facegan.metrics.caveats import Caveat, caveats_of
from facegan.study.conclusions.claim_records import TOO_FEW, UNDECIDED, ClaimConclusion
from facegan.study.conclusions.limits import limit_claims

COPY = Caveat("copy", "copies the source (target following 0.04, identity kept 0.96)")
NO_FACE = Caveat("no face", "shows a face in only 40 % of its images")
PROBE = Caveat("probe", "has a way back to the source 3.1 times worse after JPEG")
IDENTITY = ClaimConclusion("synergy", "?", "identity_kept", "yes", "Yes, synergy: ... +0.1 (95 % interval +0.08 to +0.12).")
MEANS = "so an effect on identity kept is in part the difference between copying and following."
FOLLOWING = ClaimConclusion("feature_following", "?", "target_following", "yes", "Yes, they help: ... +0.7.")


@pytest.mark.parametrize("caveat", [COPY, NO_FACE])
def test_a_claim_on_identity_is_refused_if_an_arm_copies_or_shows_no_face(caveat: Caveat) -> None:
    (found,) = limit_claims([IDENTITY], {"-Feature": (caveat,)})
    assert found.answer == "refused"
    reason = "copies the source" if caveat == COPY else caveat.reason
    assert found.sentence == f"Refused, identity cannot be compared: -Feature {reason}. The numbers: {IDENTITY.sentence}"


def test_a_claim_on_following_stands_although_an_arm_copies() -> None:
    for answer in ("yes", UNDECIDED):
        claim = replace(FOLLOWING, answer=answer)
        (of_copy,) = limit_claims([claim], {"-Feature": (COPY,)})
        assert of_copy == replace(claim, sentence=f"{claim.sentence} -Feature copies the source, {MEANS}")
        assert limit_claims([claim], {"-Feature": (COPY, PROBE)}) == (of_copy,), "a copy's way back works on copies alone"
    (several,) = limit_claims([FOLLOWING], {"-Feature": (COPY,), "Full": (COPY, PROBE)})
    assert several.sentence.endswith("+0.7. -Feature and Full copy the source, " + MEANS)
    (found,) = limit_claims([FOLLOWING], {"-Feature": (NO_FACE,)})
    assert found.answer == "yes" and found.sentence.endswith("+0.7. -Feature shows a face in only 40 % of its images.")


def test_a_failed_probe_qualifies_every_decided_claim() -> None:
    for found in limit_claims([IDENTITY, FOLLOWING], {"Full": (PROBE,)}):
        assert found.answer == "yes" and found.sentence.endswith(
            " Full has a way back to the source 3.1 times worse after JPEG."
        )


def test_arms_that_fail_the_same_probe_share_a_clause() -> None:
    def probe(ratio: float) -> Caveat:
        return next(c for c in caveats_of({"consistency_ratio": MetricSummary(ratio, None, {})}))

    (found,) = limit_claims(
        [FOLLOWING], {"-Pixel": (probe(2.31),), "-Feature": (COPY,), "Base": (COPY,), "Full": (probe(2.2),)}
    )
    assert found.sentence.endswith(
        f"+0.7. -Feature and Base copy the source, {MEANS} -Pixel and Full have a way back to the source 2.3 and 2.2 times "
        "worse from the real target than from their own images."
    )
    (alone,) = limit_claims([FOLLOWING], {"Full": (probe(2.2),)})
    assert alone.sentence.endswith(
        " Full has a way back to the source 2.2 times worse from the real target than from its own image."
    )


def test_an_open_claim_on_identity_is_refused_too_because_more_seeds_do_not_cure_a_copy() -> None:
    open_claim = replace(IDENTITY, answer=UNDECIDED)
    (found,) = limit_claims([open_claim], {"-Feature": (COPY,), "Base": (COPY,)})
    assert found.answer == "refused" and "compared: -Feature and Base copy the source. The numbers" in found.sentence
    assert limit_claims([open_claim], {"Full": (PROBE,)}) == (open_claim,)


def test_an_arm_that_copies_and_shows_no_face_is_named_for_both() -> None:
    (found,) = limit_claims([FOLLOWING], {"-Feature": (NO_FACE, COPY)})
    assert found.sentence.endswith(" -Feature shows a face in only 40 % of its images.")


def test_what_is_not_decided_stays_as_it_is() -> None:
    undecided = ClaimConclusion("synergy", "?", "identity_kept", TOO_FEW, "Too few runs to say.")
    assert limit_claims([undecided], {"-Feature": (COPY, PROBE)}) == (undecided,)
    assert limit_claims([IDENTITY], {}) == (IDENTITY,)
