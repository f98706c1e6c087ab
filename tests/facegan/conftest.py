"""A tiny ONNX network, its protobuf written by hand: the mean colour of each image's top left quarter, doubled."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

FLOAT, INT64 = 1, 7


def field(number: int, content: bytes | int | str) -> bytes:
    """A protobuf field: a varint, or bytes with their length."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    content = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def tensor(name: str, kind: int, shape: tuple[int, ...], raw: bytes) -> bytes:
    """TensorProto."""
    return b"".join(field(1, size) for size in shape) + field(2, kind) + field(8, name) + field(9, raw)


def value(name: str, shape: tuple[int | str, ...]) -> bytes:
    """ValueInfoProto of a float tensor; a size that is a string is free."""
    sizes = b"".join(field(1, field(1, s) if isinstance(s, int) else field(2, s)) for s in shape)
    return field(1, name) + field(2, field(1, field(1, FLOAT) + field(2, sizes)))


def node(kind: str, inputs: list[str], output: str, attributes: bytes = b"") -> bytes:
    """NodeProto."""
    return b"".join(field(1, name) for name in inputs) + field(2, output) + field(4, kind) + attributes


def write(path: Path, side: int = 112, batch: int | str = "n") -> Path:
    """[n, 3, side, side] -> [n, 3]: slice, global average pool, reshape, multiply by two."""
    numbers = {"starts": (0, 0), "ends": (side // 2, side // 2), "axes": (2, 3), "shape": (-1, 3)}
    constants = [tensor(n, INT64, (2,), struct.pack("<2q", *v)) for n, v in numbers.items()]
    constants.append(tensor("two", FLOAT, (1,), struct.pack("<f", 2.0)))
    nodes = [
        node("Slice", ["faces", "starts", "ends", "axes"], "quarter"),
        node("GlobalAveragePool", ["quarter"], "mean"),
        node("Reshape", ["mean", "shape"], "flat"),
        node("Mul", ["flat", "two"], "embedding"),
    ]
    graph = b"".join(field(1, n) for n in nodes) + field(2, "tiny") + b"".join(field(5, c) for c in constants)
    graph += field(11, value("faces", (batch, 3, side, side))) + field(12, value("embedding", (batch, 3)))
    path.write_bytes(field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 13)))
    return path


@pytest.fixture(scope="session")
def write_network() -> Callable[..., Path]:
    """Writes the network to a path, for faces of another `side` or for a fixed `batch` where asked."""
    return write
