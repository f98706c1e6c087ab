"""Numbers and names as text for people."""

from facegan.config import LABELS


def duration(seconds: float) -> str:
    """Seconds as at most two units: 3725 as '1 h 2 min', 125 as '2 min 5 s'."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


def counted(count: int, noun: str) -> str:
    """'1 arm', '4 arms'."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def factor_label(factor: str) -> str:
    """A factor as figures name it: a term, a group, terms joined by +, or the change of a comparison."""
    return "+".join(LABELS[part].label if part in LABELS else part for part in factor.split("+"))


def p_text(p: float) -> str:
    """A p value with three decimals."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
