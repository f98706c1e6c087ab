"""What the arms behind a claim do to its answer: an arm that copies, shows no face or fails a probe of cheating limits it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from facegan.metrics.caveats import Caveat
from facegan.study.analysis.plane import KEPT
from facegan.study.conclusions.claim_records import DECIDED, REFUSED, UNDECIDED, ClaimConclusion


def limit_claims(claims: Sequence[ClaimConclusion], caveats: Mapping[str, Sequence[Caveat]]) -> tuple[ClaimConclusion, ...]:
    """The claims with the caveats of the arms, by label, in their sentences.

    A claim on identity is refused if an arm copies the source or shows no face: its identity is then not that of a generated
    face, and more seeds do not change that. A claim on following is not: a copy is what it asks about. It says what the copy
    means for the change of identity that it reports beside.
    """
    return tuple(_limit(claim, caveats) for claim in claims)


def _limit(claim: ClaimConclusion, caveats: Mapping[str, Sequence[Caveat]]) -> ClaimConclusion:
    if claim.answer not in (*DECIDED, UNDECIDED):
        return claim
    found = [(label, caveat) for label, of_arm in caveats.items() for caveat in of_arm]
    copies = [label for label, of_arm in caveats.items() if any(caveat.kind == "copy" for caveat in of_arm)]
    copy = f"{_listed(copies)} {'copy' if len(copies) > 1 else 'copies'} the source" if copies else ""
    no_face = [f"{label} {caveat.reason}" for label, caveat in found if caveat.kind == "no face"]
    refusing = [clause for clause in (copy, *no_face) if clause]
    if claim.metric == KEPT and refusing:
        sentence = f"Refused, identity cannot be compared: {'; '.join(refusing)}. The numbers: {claim.sentence}"
        return replace(claim, answer=REFUSED, sentence=sentence)
    of_copy = [f"{copy}, so an effect on identity kept is in part the difference between copying and following"] if copy else []
    if claim.answer == UNDECIDED:
        return _with_clauses(claim, of_copy)
    # The way back of a copy works on a copy alone, which adds nothing to what is said of it.
    named = _shared([(label, caveat) for label, caveat in found if caveat.kind == "probe" and label not in copies])
    return _with_clauses(claim, [*of_copy, *no_face, *named])


def _with_clauses(claim: ClaimConclusion, clauses: Sequence[str]) -> ClaimConclusion:
    return replace(claim, sentence=" ".join([claim.sentence, *(f"{clause}." for clause in clauses)]))


def _shared(found: Sequence[tuple[str, Caveat]]) -> list[str]:
    """The caveats as clauses, one for all arms that fail the same probe."""
    clauses = []
    for clause in dict.fromkeys(caveat.shared or label + caveat.reason for label, caveat in found):
        alike = [(label, caveat) for label, caveat in found if clause in (caveat.shared, label + caveat.reason)]
        (label, caveat), numbers = alike[0], [caveat.number for _, caveat in alike]
        clauses.append(
            f"{label} {caveat.reason}"
            if len(alike) == 1
            else f"{_listed([label for label, _ in alike])} {caveat.shared.format(_listed(numbers))}"
        )
    return clauses


def _listed(words: Sequence[str]) -> str:
    """'a, b and c'."""
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
