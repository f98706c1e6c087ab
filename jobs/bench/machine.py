"""Shared by the benchmarks: the machine they ran on, their flags, medians, and how they print and write results."""

import argparse
import json
import platform
import statistics
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import torch

from facegan.config import Config


def machine(device: str = "cpu") -> dict[str, Any]:
    """Date, device and versions."""
    cpu = next((x.split(":")[1].strip() for x in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in x), "")
    return {
        "date": time.strftime("%Y-%m-%d"),
        "device": torch.cuda.get_device_name() if device == "cuda" else f"{cpu}, {torch.backends.cpu.get_cpu_capability()}",
        "torch": torch.__version__,
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "pyarrow": pa.__version__,
        "python": platform.python_version(),
    }


def device_parser(description: str | None) -> argparse.ArgumentParser:
    """Flags of a benchmark of the step: device, fields changed, results."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    cuda = torch.cuda.is_available()
    parser.add_argument("--device", default="cuda" if cuda else "cpu", choices=["cpu", "cuda"])
    parser.add_argument(
        "--set", nargs="*", default=[], metavar="NAME=JSON", help="fields changed, such as model.generator_width=16"
    )
    parser.add_argument("--out", type=Path, help="a JSON file for the results")
    return parser


def parse(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """The command line; a device that is not there is refused."""
    args = parser.parse_args()
    if args.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device is 'cuda': this machine has no CUDA device")
    return args


def as_measured(config: Config, changed: list[str]) -> Config:
    """A configuration with `--set`. VGG-19's values do not change what a step costs."""
    values = {"vgg.weights": "random", "data.validation_fraction": 0.0}
    return config.override(values | {name: json.loads(value) for name, value in (item.split("=", 1) for item in changed)})


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
