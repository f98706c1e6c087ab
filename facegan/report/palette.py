"""The colours and line styles of arms, the same in every figure."""

# The palette of Okabe and Ito, which colour-blind readers can tell apart; line styles help in print.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#000000", "#CC79A7", "#E69F00", "#56B4E9")
STYLES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "v")


def colour_of(arm: int) -> str:
    """The colour of an arm by its place in the plan; colours repeat after seven, with another marker."""
    return COLOURS[arm % len(COLOURS)]


def marker_of(arm: int) -> str:
    """The marker of an arm by its place in the plan."""
    return MARKERS[arm // len(COLOURS) % len(MARKERS)]
