"""Damage JSON files as disks, editors and other versions of the program do, reproducibly."""

import json
import random
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 3.5, 10**400, -(10**400), 1e308, float("nan"), float("inf"), -float("inf"), "", "x", "full\nname",
    [], {}, [[]], [None], {"": None}, {"a\nb": {"c": [1]}}, "9" * 5000,
)  # fmt: skip
"""What a value is replaced by."""


def mutations(content: bytes, count: int, seed: int) -> Iterator[bytes]:
    """`count` damaged versions of a JSON file."""
    rng = random.Random(seed)
    for _ in range(count):
        damage = rng.choice((_change_text, _change_value, _change_value, _change_value))
        yield damage(content, rng)


def _change_text(content: bytes, rng: random.Random) -> bytes:
    """Truncate the file, or overwrite, insert or repeat some of its bytes."""
    at, length = rng.randrange(len(content)), rng.randrange(1, 20)
    noise = bytes(rng.randrange(256) for _ in range(length))
    return rng.choice(
        (
            content[:at],
            content[:at] + noise + content[at + length :],
            content[:at] + noise + content[at:],
            content[:at] + content[at : at + length] + content[at:],
            content + content,
            b"",
            b"[" * 100_000,
        )
    )


def _change_value(content: bytes, rng: random.Random) -> bytes:
    """Delete, rename, add, replace or swap values anywhere in the file."""
    whole = {"": json.loads(content)}
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        places = list(_places(whole))
        if not places:
            break
        parent, key = rng.choice(places)
        other, other_key = rng.choice(places)
        kind = rng.choice(("delete", "rename", "add", "replace", "replace", "replace", "swap", "copy", "scale"))
        if kind == "delete" and parent is not whole:
            del parent[key]
        elif kind == "rename" and isinstance(parent, dict) and parent is not whole:
            parent[rng.choice((f"{key}x", "", "two\nlines"))] = parent.pop(key)
        elif kind == "add":
            if isinstance(parent, dict) and parent is not whole:
                parent[rng.choice(("extra", "", "two\nlines"))] = deepcopy(rng.choice(VALUES))
            elif isinstance(parent, list):
                parent.insert(key, deepcopy(rng.choice(VALUES)))
        elif kind == "replace":
            parent[key] = deepcopy(rng.choice(VALUES))
        elif kind == "swap":
            one, two = parent[key], other[other_key]
            parent[key], other[other_key] = deepcopy(two), deepcopy(one)
        elif kind == "copy":
            parent[key] = deepcopy(other[other_key])
        elif kind == "scale" and isinstance(parent[key], int | float):
            parent[key] *= rng.choice((-1, 2, 10**30))
    return json.dumps(whole[""]).encode()


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """All containers with each of their keys or indices."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])
