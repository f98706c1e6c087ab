"""Run a job from the command line: flags to a dataclass, presets before flags, one-line errors."""

import argparse
import atexit
import contextlib
import errno
import gc
import io
import itertools
import os
import re
import select
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import tyro

from facegan.errors import UserError
from facegan.presets import PRESETS, preset

A = TypeVar("A")

_ENDED_BY_SIGPIPE = 141
"""What a shell says of a program that the signal ended."""
_BOX = "╭╮╰╯│─┃ "
_HELP_LINES = ("For full helptext", "Argument helptext")
_PREFIX = re.compile(r"Error parsing (?!-)\S+: ")
_MISTYPED = re.compile(
    r"Error parsing (?P<flag>--\S+): "
    r"(invalid literal for int\(\) with base 10|could not convert string to float|Could not find valid parse for arguments): "
    r"(?P<value>.+)"
)


def run_job(
    main: Callable[[A], None], arguments: type[A], description: str, continues: Callable[[A], bool] = lambda args: False
) -> None:
    """Parse the command line into `arguments` and call `main`.

    A UserError, or a place that may not be written or read, is printed as one line and ends the process with exit code 2; a
    full disk with 1, Ctrl-C with 130, the end of what reads the output, such as `head`, with 141, SIGTERM with 143. `continues`
    says of the arguments whether the same command goes on where an interrupted one stopped.
    """
    job, does_continue = os.path.basename(sys.argv[0]), False
    _collect_rarely()
    told_to_end: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: _interrupt(told_to_end, number))
    try:
        _check_utf8(sys.argv[1:])
        args = parse(arguments, description, sys.argv[1:])
        does_continue = continues(args)
        main(args)
        sys.stdout.flush()
    except UserError as mistake:
        print(f"{job}: {mistake}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        if not _nobody_reads(1):
            raise
        if does_continue:
            print(f"{job}: nobody reads the output any more; run the same command again to continue", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Python writes the rest of its buffer when it ends
        sys.exit(_ENDED_BY_SIGPIPE)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS) and error.filename:
            place = UserError(f"{error.filename}: {error.strerror}; change its permissions, or name another place")
            print(f"{job}: {place}", file=sys.stderr)
            sys.exit(2)
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        where = f" ({error.filename})" if error.filename else ""
        goal = " to continue" if does_continue else ""
        print(f"{job}: the disk is full{where}; make room and run the same command again{goal}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        how, code = ("ended by SIGTERM", 143) if told_to_end else ("interrupted", 130)
        print(how + ("; run the same command again to continue" if does_continue else ""), file=sys.stderr)
        sys.exit(code)
    finally:
        told_to_end.append(0)  # it ends already, so a signal changes nothing


def _interrupt(told_to_end: list[int], number: int) -> None:
    """Note SIGTERM, which `kill`, `ray job stop`, schedulers and containers send, and end the job as Ctrl-C does.

    An exception of another class would not arrive: Ray raises KeyboardInterrupt in its place. A second SIGTERM changes nothing.
    """
    if not told_to_end:
        told_to_end.append(number)
        raise KeyboardInterrupt


def _collect_rarely() -> None:
    """Let Python look for reference cycles less often, and not when the process ends.

    The packages of a job are 400,000 objects that stay to the end. Looking through them took a tenth of the time of importing
    them, and the second in which the process ended.
    """
    gc.set_threshold(50_000, 20, 100)
    atexit.register(gc.freeze)


def _check_utf8(argv: list[str]) -> None:
    """Raise UserError for an argument with bytes that are no UTF-8, which Python keeps as halves of surrogate pairs."""
    for argument in argv:
        try:
            argument.encode()
        except UnicodeEncodeError:
            shown = os.fsencode(argument).decode(errors="backslashreplace")
            raise UserError(f"{shown}: it is not UTF-8, which Ray and object storage need; rename it") from None


def _nobody_reads(descriptor: int) -> bool:
    """Whether a descriptor is the end of a pipe whose other end is closed."""
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


@contextlib.contextmanager
def to_standard_error() -> Iterator[None]:
    """While the block runs, what this process and those that it starts write to standard output goes to standard error."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def parse(arguments: type[A], description: str, argv: list[str]) -> A:
    """The dataclass `arguments` filled from `argv`. Raises UserError for a wrong flag or value; --help exits as usual."""
    default = _default(arguments, argv)
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors):
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
        raise UserError(_one_line(errors.getvalue())) from None


def _default(arguments: type[A], argv: list[str]) -> A:
    """The values before any flag. A study job starts from its --preset, so this flag is read first."""
    if not hasattr(arguments(), "shared"):
        return arguments()
    from cluster.studies.arguments import StudyArguments  # imports numpy and OpenCV, which other jobs need not wait for

    reader = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    reader.add_argument("--preset", default=StudyArguments().preset)
    try:
        name = reader.parse_known_args(argv)[0].preset
    except argparse.ArgumentError as mistake:
        raise UserError(f"{mistake}: {', '.join(PRESETS)}") from None
    shared: dict[str, Any] = {"shared": StudyArguments(preset=name, config=preset(name))}
    return arguments(**shared)


def _one_line(boxes: str) -> str:
    """tyro's error as one line. tyro has no option for it: it prints a framed box, then a box with help on the argument.

    The frame and the help are removed; the message and tyro's suggestion of a similar flag stay.
    """
    lines = [line.strip(_BOX) for line in boxes.splitlines() if not line.startswith(("╭", "╰"))]
    message = list(itertools.takewhile(lambda text: not text.startswith(_HELP_LINES), filter(None, lines)))
    words = _reworded(" ".join(message).rstrip("."), lines)
    return f"{words}{'' if words.endswith('?') else ';'} --help lists all flags"


def _reworded(message: str, lines: list[str]) -> str:
    """The message without tyro's prefix, which names dataclasses, and with the type that a flag takes."""
    if mistyped := _MISTYPED.fullmatch(message):
        flag, value = mistyped["flag"], mistyped["value"]
        takes = next((text.removeprefix(flag).strip() for text in lines if text.startswith(f"{flag} ")), "another type")
        return f"{flag} is {value}: it takes {takes}"
    message, _, similar = message.partition(" Perhaps you meant:")
    if flags := [word for word in similar.split() if word.startswith("--")]:
        return f"{message}; did you mean {' or '.join(flags)}?"
    return _PREFIX.sub("", message)
