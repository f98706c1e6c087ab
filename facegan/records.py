"""Read JSON into dataclasses, with every name and type checked.

All files that this project writes and reads again (plans, configurations, manifests, trial states, metric cards) go through
`read_record`. A file that is truncated, damaged or of another version ends in one `UserError` that names the file and the
place in it, never in a KeyError somewhere later.
"""

import dataclasses
import json
import math
import types
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from facegan.errors import UserError

R = TypeVar("R")


class BadRecord(ValueError):
    """A JSON value that does not fit its record; the message names the place and what is allowed."""


def read_record(kind: type[R], path: Path, cure: str) -> R | None:
    """The record in a JSON file, or None if there is no file.

    Raises UserError if the file is not valid JSON or does not fit `kind`; `cure` tells the user what to do about it.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}; {cure}") from None
    return parse_record(kind, content, str(path), cure)


def parse_record(kind: type[R], content: bytes, name: str, cure: str) -> R:
    """The record in some JSON bytes; `name` says in messages where they are from. Raises UserError as `read_record` does."""
    try:
        return from_json(kind, json.loads(content))
    except RecursionError:
        raise UserError(f"{name} is damaged: nested too deeply; {cure}") from None
    except OverflowError:
        raise UserError(f"{name} is damaged: a number in it is too large; {cure}") from None
    except BadRecord as reason:
        raise UserError(f"{name} is damaged or of another version: {reason}; {cure}") from None
    except UserError as reason:  # a value that a record refuses by its own rules
        raise UserError(f"{name} is damaged or of another version: {reason}; {cure}") from None
    except ValueError as reason:
        raise UserError(f"{name} is damaged: not valid JSON ({str(reason).splitlines()[0]}); {cure}") from None


def from_json(kind: type[R], value: Any, where: str = "") -> R:
    """A JSON value as `kind`: a dataclass, a builtin type, Literal, X | None, list, tuple or dict of these.

    Raises BadRecord if a name is missing or unknown, if a value has another type, or if a text cannot be printed in one line.
    Integers are accepted as floats.
    """
    found: R = _convert(kind, value, where)
    return found


def _convert(kind: Any, value: Any, where: str) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if dataclasses.is_dataclass(kind):
        return _to_dataclass(kind, value, where)
    if origin is Literal:
        if not any(type(value) is type(allowed) and value == allowed for allowed in arguments):
            raise _wrong(where, value, "one of " + ", ".join(map(str, arguments)))
        return value
    if origin in (Union, types.UnionType):
        return _to_union(arguments, value, where)
    if origin in (list, tuple, Sequence):
        return _to_sequence(origin, arguments, value, where)
    if origin in (dict, Mapping):
        if not isinstance(value, dict):
            raise _wrong(where, value, "an object")
        return {_convert(arguments[0], k, where): _convert(arguments[1], v, _entry(where, k)) for k, v in value.items()}
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            value = float(value)
        except OverflowError:
            raise _wrong(where, value, "a finite number") from None
    if kind is float and isinstance(value, float) and not math.isfinite(value):
        raise _wrong(where, value, "a finite number")
    # Texts of records are names and sentences, which are printed and become parts of paths.
    if kind is str and isinstance(value, str) and not value.isprintable():
        raise _wrong(where, value, "one line of text that can be printed")
    if type(value) is not kind:
        raise _wrong(where, value, f"a value of type {getattr(kind, '__name__', kind)}")
    return value


def _to_dataclass(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise _wrong(where, value, "an object")
    fields = _fields(kind)
    unknown = sorted(set(value) - set(fields))
    if unknown:
        raise BadRecord(f"{where or 'the record'} has an unknown field {_shown(unknown[0])}")
    found = {}
    for name, hint in fields.items():
        # Every field is written, so that one that is missing means another version or a damaged file, default or not.
        if name not in value:
            raise BadRecord(f"{where or 'the record'} lacks the field {name!r}")
        found[name] = _convert(hint, value[name], f"{where}.{name}" if where else name)
    return kind(**found)


@cache
def _fields(kind: Any) -> dict[str, Any]:
    """The types of a dataclass's fields by name. Python evaluates the annotations anew each time it is asked."""
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind) if field.init}


def _to_union(arguments: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in arguments:
        return None
    kinds = [kind for kind in arguments if kind is not type(None)]
    for kind in kinds[:-1]:
        try:
            return _convert(kind, value, where)
        except BadRecord:
            continue
    return _convert(kinds[-1], value, where)


def _to_sequence(origin: Any, arguments: tuple[Any, ...], value: Any, where: str) -> Any:
    if not isinstance(value, list):
        raise _wrong(where, value, "a list")
    if origin is tuple and (len(arguments) != 2 or arguments[1] is not Ellipsis):
        if len(value) != len(arguments):
            raise _wrong(where, value, f"a list of {len(arguments)} values")
        return tuple(_convert(kind, v, f"{where}[{i}]") for i, (kind, v) in enumerate(zip(arguments, value, strict=True)))
    items = [_convert(arguments[0], v, f"{where}[{i}]") for i, v in enumerate(value)]
    return tuple(items) if origin is tuple else items


def _wrong(where: str, value: Any, allowed: str) -> BadRecord:
    return BadRecord(f"{where or 'the record'} is {_shown(value)}: it takes {allowed}")


def _entry(where: str, key: Any) -> str:
    """The place of a dictionary's entry. A key is free text, so an odd one is quoted to keep the message in one line."""
    plain = isinstance(key, str) and key.isprintable() and 0 < len(key) <= 60
    return f"{where}.{key}" if where and plain else f"{where}[{_shown(key)}]"


def _shown(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."
