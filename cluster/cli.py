"""Command lines over dataclasses: presets first, then flags; a user's mistake is one line and exit code 2."""

import contextlib
import io
import os
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import tyro

from facegan.config import Config, UserError, preset

A = TypeVar("A")

_BOX = "╭╮╰╯│─┃ "
_HELP_LINES = ("For full helptext", "Argument helptext")


def run_job(main: Callable[[A], None], arguments: type[A], description: str) -> None:
    """Parse the command line into `arguments`, whose fields `preset` and `config` belong together, and call `main`."""
    try:
        main(parse(arguments, description, sys.argv[1:]))
    except UserError as mistake:
        print(f"{os.path.basename(sys.argv[0])}: {mistake}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        sys.exit(130)


def parse(arguments: type[A], description: str, argv: list[str]) -> A:
    """The command line's arguments; raises UserError in place of tyro's boxes."""
    default = _default(arguments, argv)
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return tyro.cli(
                arguments,
                args=argv,
                default=default,
                description=description,
                use_underscores=True,
                config=(tyro.conf.FlagConversionOff,),
            )
    except SystemExit as end:
        if end.code in (0, None):
            raise
        raise UserError(_one_line(said.getvalue())) from None


def _default(arguments: type[A], argv: list[str]) -> A:
    if "preset" not in arguments.__dataclass_fields__:  # type: ignore[attr-defined]
        return arguments()
    chosen: dict[str, Any] = {}
    for place, word in enumerate(argv):
        if word == "--preset" and place + 1 < len(argv):
            chosen["preset"] = argv[place + 1]
        elif word.startswith("--preset="):
            chosen["preset"] = word.split("=", 1)[1]
    default = arguments()
    name = chosen.get("preset", default.preset)  # type: ignore[attr-defined]
    return arguments(preset=name, config=preset(name))  # type: ignore[call-arg]


def _one_line(boxes: str) -> str:
    """The message and the suggestion of tyro's boxes."""
    words = []
    for line in boxes.splitlines():
        text = line.strip(_BOX)
        if text.startswith(_HELP_LINES):
            break
        if text and not line.startswith(("╭", "╰")):
            words.append(text)
    return " ".join(words) + "; --help lists every flag"


def no_seed(config: Config) -> Config:
    """Refuse `--seed` where a study takes `--seeds`."""
    if config.seed:
        raise UserError(f"--seed is {config.seed}: a study takes --seeds, such as --seeds {config.seed}")
    return config
