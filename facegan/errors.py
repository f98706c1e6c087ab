"""Errors that a user can cure."""

import difflib


class UserError(ValueError):
    """A mistake of the user: one line with the value, what is allowed and the cure. Jobs print it and exit with code 2.

    Characters that cannot be printed, such as a line break in a name that the message quotes, are escaped.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


def printable(text: str) -> str:
    """A text in one line, with what cannot be printed or encoded as UTF-8 escaped."""
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def did_you_mean(name: str, allowed: list[str], prefix: str = "") -> str:
    """The hint `did you mean 'X'?` where a close name exists, else the list of all that is allowed, each after `prefix`."""
    close = difflib.get_close_matches(name, allowed, n=1, cutoff=0.6)
    return f"did you mean {prefix + close[0]!r}?" if close else "allowed: " + ", ".join(prefix + each for each in allowed)
