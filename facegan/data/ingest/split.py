"""Which clips are for training and which for testing, and who is in them: split.json, or 300VW's official split."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from facegan.errors import UserError, did_you_mean

SplitName = Literal["train", "test"]

_OFFICIAL = {
    "train": """001 002 003 004 007 009 010 011 013 015 016 017 018 019 020 022 025 027 028 029 031 033 034 035 037 039 041
        043 044 046 047 048 049 053 057 059 112 113 115 119 120 123 138 143 144 160 204 205 223 225""",
    "category_1": """114 124 125 126 150 158 401 402 505 506 507 508 509 510 511 514 515 518 519 520 521 522 524 525 537 538
        540 541 546 547 548""",
    "category_2": "203 208 211 212 213 214 218 224 403 404 405 406 407 408 409 412 550 551 553",
    "category_3": "410 411 516 517 526 528 529 530 531 533 557 558 559 562",
}
SPLIT_FILE = "split.json"
_CATEGORIES = ("train", "test", "category_1", "category_2", "category_3")


@dataclass(frozen=True, slots=True)
class Split:
    """The content of split.json: the category of each clip, and the person of those clips that are not one person each."""

    categories: dict[str, str]
    people: dict[str, str]

    def person_of(self, clip: str) -> str:
        """The person in a clip; by default the clip's own name."""
        return self.people.get(clip, clip)


def official_split() -> Split:
    """The split of the 114 videos of 300VW."""
    return Split({clip: category for category, clips in _OFFICIAL.items() for clip in clips.split()}, {})


def read_split(content: bytes, file: str) -> Split:
    """The split in the content of a split.json; `file` names it in messages.

    {"train": [clips], "test": [clips], "people": {clip: person}}; instead of "test" also 300VW's "category_1" to "category_3".
    "people" is optional and need name only clips that share a person with another one.
    Raises UserError for other content, a clip named twice, an unknown clip, or a person in both training and test clips.
    """
    try:
        lists = json.loads(content)
        people = lists.pop("people", {})
        named = [(str(clip), str(category)) for category, clips in lists.items() for clip in clips]
    except (ValueError, AttributeError, TypeError, RecursionError):
        raise UserError(f'{file} is not {{"train": [ids], "test": [ids]}}; correct or remove it') from None
    for category in lists:
        if category not in _CATEGORIES:
            raise UserError(f"{file} has {category!r}: {did_you_mean(category, [*_CATEGORIES, 'people'])}")
    categories = dict(named)
    if len(categories) < len(named):
        ids = [clip for clip, _ in named]
        twice = sorted({clip for clip in ids if ids.count(clip) > 1})
        raise UserError(f"{file} names {', '.join(twice[:5])} twice: a clip is for training or for testing")
    if not isinstance(people, dict) or not all(_is_name(person) for person in people.values()):
        raise UserError(f'{file}: "people" is not {{"<clip>": "<person>"}}; write a name for each clip, or leave "people" out')
    unknown = sorted(set(people) - set(categories))
    if unknown:
        raise UserError(f'{file}: "people" names {", ".join(map(repr, unknown[:5]))}, not in the split; add or remove them')
    split = Split(categories, people)
    check_people(((clip, split.person_of(clip), category == "train") for clip, category in named), file)
    return split


def _is_name(person: object) -> bool:
    return isinstance(person, str) and bool(person.strip()) and person.isprintable()


def check_people(clips: Iterable[tuple[str, str, bool]], where: str) -> None:
    """Raise UserError if a person is in training and test clips; `clips` are (clip, person, whether it is for training)."""
    first: dict[tuple[str, bool], str] = {}
    for clip, person, train in clips:
        first.setdefault((person, train), clip)
        other = first.get((person, not train))
        if other is not None:
            training, test = (clip, other) if train else (other, clip)
            raise UserError(
                f"{where}: person {person!r} is in training clip {training!r} and in test clip {test!r}; "
                "move all clips of a person to one side of the split"
            )
