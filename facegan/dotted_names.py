"""Dotted names of values in nested configurations, such as `loss.pixel`."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from facegan.errors import UserError, did_you_mean


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Every single value of nested mappings by its dotted name."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + key: value}
    return flat


def path_of(name: str, configuration: Any) -> list[str]:
    """The parts of a dotted name. Raises UserError unless it names a single value of a configuration, a nested dataclass."""
    path, node = name.split("."), configuration
    for depth, part in enumerate(path):
        names = [f.name for f in dataclasses.fields(node)]
        if part not in names:
            above = "".join(f"{each}." for each in path[:depth])
            raise UserError(f"{name!r} is no field of the configuration: {did_you_mean(part, names, above)}")
        node = getattr(node, part)
        is_group, is_last = dataclasses.is_dataclass(node), depth == len(path) - 1
        if is_group == is_last:
            raise UserError(f"{name!r} is {'a group' if is_group else 'a single value'} of the configuration: name one field")
    return path
