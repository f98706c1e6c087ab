"""What each factor of a study does, in words: one sentence a factor and headline metric, with its interval."""

from typing import Any

from facegan.metrics.table import display_name

HELPS, HURTS, UNDECIDED, TOO_FEW = "helps", "hurts", "undecided", "too few runs"
_LEVEL = 0.05


def answer_factors(effects: dict[str, Any]) -> list[dict[str, Any]]:
    """An answer for each main effect that the runs tell, by metric in the order of the analysis; aliases stay in its name."""
    tests = effects["family"]["tests"]
    return [
        _answer(metric, found, effect, tests)
        for metric, found in effects["metrics"].items()
        for effect in found["effects"]
        if effect["order"] == 1
    ]


def _answer(metric: str, found: dict[str, Any], effect: dict[str, Any], tests: int) -> dict[str, Any]:
    answer = _decide(effect)
    moved = f"{effect['name'].replace('_', ' ')} changes {display_name(metric)} by {effect['estimate']:+.3g}"
    interval, p = effect["interval"], effect["p_holm"]
    if interval is None:
        numbers = f"no interval for other seeds: {found['inference']}"
    else:
        numbers = f"95 % interval {interval[0]:+.3g} to {interval[1]:+.3g}"
        numbers += "" if p is None else f", p {_p(p)} after Holm over {tests} tests"
    return {
        "factor": effect["name"],
        "metric": metric,
        "better": found["better"],
        "answer": answer,
        **{name: effect[name] for name in ("estimate", "interval", "p_holm")},
        "sentence": f"switching on {moved} ({numbers}; {found['better']} is better)",
    }


def _decide(effect: dict[str, Any]) -> str:
    if effect["interval"] is None or effect["p_holm"] is None:
        return TOO_FEW
    if effect["p_holm"] >= _LEVEL:
        return UNDECIDED
    return HELPS if effect["helps"] else HURTS


def _p(value: float) -> str:
    return "below 0.001" if value < 0.001 else f"{value:.3f}"
