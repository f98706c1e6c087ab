"""What all fuzz tests share: the number of inputs, damaged JSON, and the rule for how each input must end.

By default a small sample, the same each time. FUZZ_INPUTS=100000 asks for so many inputs in all, new ones each time.
"""

import json
import os
from collections import Counter, defaultdict
from collections.abc import Callable
from copy import deepcopy
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from facegan.errors import UserError

T = TypeVar("T")

COUNTS: defaultdict[str, Counter[str]] = defaultdict(Counter)
"""By kind of input: how many there were, and how many were refused."""

_IN_ALL = int(os.environ.get("FUZZ_INPUTS", "0"))

_INTEGERS = (
    0,
    1,
    -1,
    2,
    3,
    7,
    255,
    2**31 - 1,
    2**31,
    2**32,
    2**53 + 1,
    2**63 - 1,
    2**63,
    2**64,
    10**12,
    10**18,
    10**30,
    10**400,
)
_FLOATS = (
    0.0,
    -0.0,
    5e-324,
    1e-300,
    1e-30,
    0.5,
    1.0,
    1e15,
    1e30,
    1e39,
    1e300,
    1.7e308,
    float("nan"),
    float("inf"),
    -float("inf"),
)
_TEXTS = (
    "",
    " ",
    "\n",
    "two\nlines",
    "\0",
    "\ud800",
    "\u2028",
    "..",
    "/",
    "../../x",
    "a/b",
    "-",
    "x" * 5000,
    "é" * 300,
    "01",
    "{}",
)
_ODD: tuple[Any, ...] = (None, True, False, [], {}, [[]], [None], {"": None}, *_INTEGERS[:4], *_FLOATS[:3], *_TEXTS[:4])

_CHANGES = (*("like",) * 10, *("exchange",) * 2, "copy", "odd", "delete", "rename", "add")
"""What is done to a value. Most changes keep its type, since these pass the check of types."""


def inputs(percent: float, sample: int) -> settings:
    """How many inputs a test gets: its percentage of FUZZ_INPUTS, or a sample. Nothing is kept for the next run."""
    return settings(
        max_examples=max(1, round(_IN_ALL * percent / 100)) if _IN_ALL else sample,
        derandomize=not _IN_ALL,
        database=None,
        deadline=None,
        # Of 100,000 inputs the first that fails is printed as it is, which takes no time.
        phases=(Phase.generate,) if _IN_ALL else tuple(Phase),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
    )


def value_or_one_line(kind: str, use: Callable[[], T]) -> T | None:
    """What `use` returns, or None where it raises a UserError of one line. Any other exception fails the test."""
    COUNTS[kind]["inputs"] += 1
    try:
        return use()
    except UserError as refused:
        refusal = str(refused)
    COUNTS[kind]["refused"] += 1
    assert refusal and refusal.isprintable(), refusal
    return None


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> Any:
    """A JSON value with one to three changes: keys and items removed, renamed or added, values changed or exchanged."""
    whole = {"": json.loads(content)}
    for _ in range(draw(st.sampled_from((1, 1, 1, 2, 3)))):
        parent, key = _place(draw, whole)
        change = draw(st.sampled_from(_CHANGES))
        if change == "like":
            parent[key] = deepcopy(draw(_like(parent[key])))
        elif change == "odd":
            parent[key] = deepcopy(draw(st.sampled_from(_ODD) | _nested))
        elif change == "copy":
            other, other_key = _place(draw, whole)
            parent[key] = deepcopy(other[other_key])
        elif change == "exchange":
            other, other_key = _place(draw, whole)
            one, two = deepcopy(parent[key]), deepcopy(other[other_key])  # one may lie inside of the other
            parent[key], other[other_key] = two, one
        elif parent is not whole:
            _restructure(draw, change, parent, key)
    return whole[""]


def _place(draw: st.DrawFn, whole: dict[str, Any]) -> tuple[Any, Any]:
    """A container and one of its keys; all keys of a level are equally likely, so that long lists do not get all changes."""
    parent: Any = whole
    key: Any = ""
    while isinstance(parent[key], dict | list) and parent[key] and draw(st.integers(0, 9)):
        parent = parent[key]
        key = draw(st.sampled_from(list(parent) if isinstance(parent, dict) else range(len(parent))))
    return parent, key


def _restructure(draw: st.DrawFn, change: str, parent: Any, key: Any) -> None:
    if change == "delete":
        del parent[key]
    elif change == "rename" and isinstance(parent, dict):
        parent[draw(st.sampled_from((f"{key}x", *_TEXTS)))] = parent.pop(key)
    elif change == "add" and isinstance(parent, dict):
        parent[draw(st.sampled_from(("extra", *_TEXTS)))] = deepcopy(parent[key])
    elif isinstance(parent, list):
        parent.insert(key, deepcopy(parent[key]))


_nested = st.recursive(st.none() | st.integers() | st.text(max_size=3), lambda inner: st.lists(inner, max_size=3), max_leaves=8)


def _like(value: Any) -> st.SearchStrategy[Any]:
    """Values of the same type, which pass a check of types."""
    if isinstance(value, bool):
        return st.just(not value)
    if isinstance(value, int):
        near = (value + 1, value - 1, 2 * value, -value)
        return st.sampled_from((*near, *_INTEGERS)) | st.integers()
    if isinstance(value, float):
        return st.sampled_from((2 * value, -value, value / 3, *_FLOATS)) | st.floats()
    if isinstance(value, str):
        return st.sampled_from((f"{value}x", value.upper(), value[:-1], *_TEXTS)) | st.text(max_size=12)
    if isinstance(value, list):
        return st.sampled_from(([], value[:1], value[::-1], [*value, *value], [*value, None]))
    if isinstance(value, dict):
        return st.sampled_from(({}, dict(list(value.items())[:1]), dict(reversed(value.items())), {**value, "extra": 1}))
    return st.sampled_from((0, 1.5, "x", "two\nlines"))
