"""The validating reader: what fits is read with its types, everything else is one line that names the place."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from facegan.errors import UserError
from facegan.records import BadRecord, from_json, parse_record, read_record


@dataclass(frozen=True)
class Inner:
    """A record inside of another."""

    name: str
    share: float | None
    kind: Literal["a", "b"] = "a"


@dataclass(frozen=True)
class Outer:
    """A record with every kind of field."""

    count: int
    inner: Inner
    many: tuple[Inner, ...]
    pair: tuple[int, str]
    by_name: dict[str, list[float]]
    flag: bool
    anything: Any = None
    late: float | str | None = field(default=None)


GOOD = Outer(
    3, Inner("x", None), (Inner("y", 0.5, "b"), Inner("z", 1)), (1, "one"), {"a": [1.0, 2.0]}, True, {"k": [1]}, "soon"
)


def test_what_was_written_is_read_with_its_types() -> None:
    found = from_json(Outer, json.loads(json.dumps(asdict(GOOD))))
    assert found == GOOD
    assert isinstance(found.many, tuple) and isinstance(found.many[1].share, float)


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (("count",), "3", "count is '3': it takes a value of type int"),
        (("count",), True, "count is True: it takes a value of type int"),
        (("count",), 3.0, "count is 3.0"),
        (("flag",), 1, "flag is 1: it takes a value of type bool"),
        (("inner", "name"), "two\nlines", "inner.name is 'two.+: it takes one line of text"),
        (("inner", "name"), "\ud800", "inner.name is .+: it takes one line of text"),
        (("inner",), [], r"inner is \[\]: it takes an object"),
        (("inner", "kind"), "c", "inner.kind is 'c': it takes one of a, b"),
        (("inner", "share"), "half", "inner.share is 'half'"),
        (("inner", "share"), float("nan"), "inner.share is nan: it takes a finite number"),
        (("many",), {}, "many is {}: it takes a list"),
        (("many", 1, "name"), None, r"many\[1\].name is None"),
        (("pair",), [1], r"pair is \[1\]: it takes a list of 2 values"),
        (("by_name", "a", 0), None, r"by_name.a\[0\] is None"),
        (("late",), [], r"late is \[\]"),
        (("new",), 1, "the record has an unknown field 'new'"),
        (("inner", "new"), 1, "inner has an unknown field 'new'"),
    ],
)
def test_a_wrong_value_is_named_with_its_place(path: tuple[str | int, ...], value: Any, says: str) -> None:
    values: Any = json.loads(json.dumps(asdict(GOOD)))
    node = values
    for part in path[:-1]:
        node = node[part]
    node[path[-1]] = value
    with pytest.raises(BadRecord, match=says):
        from_json(Outer, values)


@pytest.mark.parametrize("name", ["count", "anything", "late"])
def test_a_missing_field_is_refused_even_if_it_has_a_default(name: str) -> None:
    values = json.loads(json.dumps(asdict(GOOD)))
    del values[name]
    with pytest.raises(BadRecord, match=rf"the record lacks the field .{name}."):
        from_json(Outer, values)


def test_long_values_are_cut_in_messages() -> None:
    with pytest.raises(BadRecord, match=r"x{40,57}\.\.\.: it takes") as caught:
        from_json(int, "x" * 1000)
    assert len(str(caught.value)) < 150


def test_every_truncation_of_a_file_is_one_line_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    content = json.dumps(asdict(GOOD)).encode()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(UserError, match=r"record\.json is damaged.*; make it again$") as caught:
            read_record(Outer, path, "make it again")
        assert "\n" not in str(caught.value)
    assert read_record(Outer, tmp_path / "absent.json", "make it again") is None


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[" * 100_000, b"null", b"3", b'{"count": 1e999}', b"{}"])
def test_content_that_is_no_record_is_one_line_with_its_name(content: bytes) -> None:
    with pytest.raises(UserError, match=r"^here is damaged") as caught:
        parse_record(Outer, content, "here", "make it again")
    assert "\n" not in str(caught.value)


def test_an_error_is_one_line_whatever_it_quotes() -> None:
    assert str(UserError("clip 'a\nb\u2028\ud800' has no frame")) == r"clip 'a\nb\u2028\ud800' has no frame"
