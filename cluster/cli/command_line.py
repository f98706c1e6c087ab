"""Command lines over dataclasses: presets first, then flags; a user's mistake is one line and exit code 2."""

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import tyro

from facegan.config import PRESETS, Config, preset
from facegan.errors import UserError

A = TypeVar("A")

_BOX = "╭╮╰╯│─┃ "
_HELP_LINES = ("For full helptext", "Argument helptext")


def run_job(main: Callable[[A], None], arguments: type[A], description: str) -> None:
    """Parse the command line into `arguments`, and call `main`."""
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
    """The preset is read before the flags, because it is what they change."""
    if not hasattr(arguments(), "shared"):
        return arguments()
    from cluster.cli.arguments import StudyArguments  # imports torch and ray, which jobs without a study need not wait for

    reader = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    reader.add_argument("--preset", default=StudyArguments().preset)
    try:
        name = reader.parse_known_args(argv)[0].preset
    except argparse.ArgumentError as mistake:
        raise UserError(f"{mistake}: {', '.join(PRESETS)}") from None
    shared: dict[str, Any] = {"shared": StudyArguments(preset=name, config=preset(name))}
    return arguments(**shared)


def _one_line(boxes: str) -> str:
    """The message and the suggestion of tyro's boxes."""
    words = []
    for line in boxes.splitlines():
        text = line.strip(_BOX)
        if text.startswith(_HELP_LINES):
            break
        if text and not line.startswith(("╭", "╰")):
            words.append(text)
    return " ".join(words).rstrip(".") + "; --help lists every flag"


def no_seed(config: Config) -> None:
    """Refuse `--seed` where a study takes `--seeds`."""
    if config.seed:
        raise UserError(f"--seed is {config.seed}: a study takes --seeds, such as --seeds {config.seed}")
