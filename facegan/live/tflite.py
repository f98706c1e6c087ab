"""Reads a network from a TensorFlow Lite file: its operators with their options, and its constants.

A file is a FlatBuffer of tables whose fields have numbers. The numbers below are those of TensorFlow's `schema.fbs`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from flatbuffers import encode, flexbuffers, packer
from flatbuffers import number_types as numbers
from flatbuffers.table import Table
from numpy.typing import NDArray

_KINDS = {
    0: "add",
    2: "concat",
    3: "conv",
    4: "depthwise",
    6: "dequantize",
    17: "max_pool",
    18: "multiply",
    19: "relu",
    22: "reshape",
    34: "pad",
    45: "strided_slice",
    54: "prelu",
}
_CUSTOM = 32
_OPTIONS = {
    "conv": {"valid": 0, "stride": 2, "relu": 3},
    "depthwise": {"valid": 0, "stride": 2, "relu": 4},
    "max_pool": {"valid": 0, "stride": 2, "side": 4, "relu": 5},
    "add": {"relu": 0},
    "multiply": {"relu": 0},
}
"""Fields of an operator's options. Strides and sides of windows are the same along x and y in these networks."""
_BYTES = {"valid", "relu"}
_TYPES: dict[int, Any] = {0: np.float32, 1: np.float16, 2: np.int32}


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator: its kind, its tensors by number, and its options. Of a custom operator, the kind is its name."""

    kind: str
    inputs: list[int]
    outputs: list[int]
    options: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Network:
    """The operators of a network in order. `shapes` are those of all tensors, batch, height, width, channels."""

    operators: list[Operator]
    inputs: list[int]
    outputs: list[int]
    shapes: dict[int, tuple[int, ...]]
    constants: dict[int, NDArray[Any]]


def read_network(path: Path) -> Network:
    """The first network of a file. Raises ValueError for an operator or a type of numbers that is not known here."""
    content = path.read_bytes()
    model = Table(content, encode.Get(packer.uoffset, content, 0))
    graph = _tables(model, 2)[0]
    tensors, buffers = _tables(graph, 0), _tables(model, 4)
    shapes, constants = {}, {}
    for number, tensor in enumerate(tensors):
        shapes[number] = tuple(_integers(tensor, 0).tolist())
        stored = _vector(buffers[_number(tensor, 2, numbers.Uint32Flags)], 0, numbers.Uint8Flags)
        if stored.size:
            kind = _number(tensor, 1, numbers.Int8Flags)
            if kind not in _TYPES:
                raise ValueError(f"{path.name}: tensor {number} has numbers of type {kind}")
            constants[number] = stored.view(_TYPES[kind]).reshape(shapes[number])
    codes = _tables(model, 1)
    operators = [_operator(path, table, codes) for table in _tables(graph, 3)]
    return Network(operators, _integers(graph, 1).tolist(), _integers(graph, 2).tolist(), shapes, constants)


def _operator(path: Path, table: Table, codes: list[Table]) -> Operator:
    code = codes[_number(table, 0, numbers.Uint32Flags)]
    # Files of before 2020 have the code in a byte, later ones in the other field too.
    number = max(_number(code, 0, numbers.Int8Flags), _number(code, 3, numbers.Int32Flags))
    options: dict[str, Any] = {}
    if number == _CUSTOM:
        kind = code.String(code.Pos + code.Offset(_slot(1))).decode()
        stored = _vector(table, 5, numbers.Uint8Flags)
        options = flexbuffers.Loads(stored.tobytes()) if stored.size else {}
    elif number in _KINDS:
        kind, names = _KINDS[number], _OPTIONS.get(_KINDS[number], {})
        for name, field in names.items():
            options[name] = _option(table, field, numbers.Int8Flags if name in _BYTES else numbers.Int32Flags)
    else:
        raise ValueError(f"{path.name}: operator {number} of TensorFlow Lite")
    return Operator(kind, _integers(table, 1).tolist(), _integers(table, 2).tolist(), options)


def _option(operator: Table, field: int, kind: Any) -> int:
    place = operator.Offset(_slot(4))
    options = Table(operator.Bytes, operator.Indirect(operator.Pos + place)) if place else None
    return _number(options, field, kind) if options else 0


def _slot(field: int) -> int:
    """Where a field's offset lies in the table of offsets."""
    return 4 + 2 * field


def _number(table: Table, field: int, kind: Any) -> int:
    return int(table.GetSlot(_slot(field), 0, kind))


def _vector(table: Table, field: int, kind: Any) -> NDArray[Any]:
    place = table.Offset(_slot(field))
    return np.asarray(table.GetVectorAsNumpy(kind, place)) if place else np.zeros(0, np.uint8)


def _integers(table: Table, field: int) -> NDArray[Any]:
    return _vector(table, field, numbers.Int32Flags)


def _tables(table: Table, field: int) -> list[Table]:
    place = table.Offset(_slot(field))
    if not place:
        return []
    start = table.Vector(place)
    return [Table(table.Bytes, table.Indirect(start + 4 * i)) for i in range(table.VectorLen(place))]
