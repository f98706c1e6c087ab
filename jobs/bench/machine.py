"""Shared by the benchmarks: the machine they ran on, their flags, medians, and how they print and write results."""

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import cv2
import numpy as np
import pyarrow as pa
import torch

from facegan.config import Config
from facegan.errors import UserError

_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
"""Instructions of the CPU that decide how fast a step is."""


def machine(device: str = "cpu") -> dict[str, Any]:
    """Date, device, instructions of the CPU, and versions."""
    cpuinfo = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((x.split(":")[1].strip() for x in cpuinfo if "model name" in x), "")
    flags = next((x.split(":")[1].split() for x in cpuinfo if x.startswith("flags")), [])
    return {
        "date": time.strftime("%Y-%m-%d"),
        "device": torch.cuda.get_device_name() if device == "cuda" else f"{cpu}, {torch.backends.cpu.get_cpu_capability()}",
        "flags": [flag for flag in _FLAGS if flag in flags],
        "torch": torch.__version__,
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "pyarrow": pa.__version__,
        "python": platform.python_version(),
    }


def run_main(main: Callable[[], None]) -> None:
    """Call a benchmark's `main`. A UserError is printed as one line and ends the process with exit code 2."""
    try:
        main()
    except UserError as mistake:
        print(f"{Path(sys.argv[0]).name}: {mistake}", file=sys.stderr)
        sys.exit(2)


class Parser(argparse.ArgumentParser):
    """A parser that shows defaults in its help, and whose errors are one line."""

    def __init__(self, description: str | None) -> None:
        super().__init__(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; --help lists all flags")


def positive(text: str) -> int:
    """The type of a flag that counts something: a whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"it is {text!r}: a whole number of at least 1")
    return int(text)


def device_parser(description: str | None) -> Parser:
    """Flags of a benchmark of the step: device, fields changed, results."""
    parser = Parser(description)
    cuda = torch.cuda.is_available()
    parser.add_argument("--device", default="cuda" if cuda else "cpu", choices=["cpu", "cuda"])
    parser.add_argument(
        "--set", nargs="*", default=[], metavar="NAME=JSON", help="fields changed, such as model.generator_width=16"
    )
    parser.add_argument("--out", type=Path, help="a JSON file for the results")
    return parser


def parse(parser: Parser) -> argparse.Namespace:
    """The command line. Raises UserError for a device that this machine lacks."""
    args = parser.parse_args()
    if args.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device is 'cuda': this machine has no CUDA device")
    return args


def as_measured(config: Config, changed: list[str]) -> Config:
    """A configuration with `--set`. VGG-19's values do not change what a step costs."""
    values: dict[str, Any] = {"vgg.weights": "random", "data.validation_fraction": 0.0}
    for item in changed:
        name, _, value = item.partition("=")
        try:
            values[name] = json.loads(value)
        except ValueError:
            raise UserError(f"--set has {item!r}: NAME=JSON, such as model.generator_width=16") from None
    return config.override(values)


def write_results(found: dict[str, Any], out: Path | None) -> None:
    """Write them, if a file was named."""
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(found, indent=1) + "\n")
        say(f"written to {out}")


def medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    """The median of each value over rounds."""
    return {name: statistics.median(r[name] for r in rounds) for name in rounds[0]}


def say(text: str) -> None:
    """A line with the time of day."""
    print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)
