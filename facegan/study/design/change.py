"""A change of the configuration that a study compares with the base: parsed, checked, and made into two arms."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from facegan.config import GROUPS, Config
from facegan.dotted_names import path_of
from facegan.errors import UserError, did_you_mean
from facegan.metrics.table import HEADLINES, METRICS
from facegan.study.design.analysis_plan import AnalysisPlan, default_analysis
from facegan.study.design.arms import Arm

COMPARE = "compare"
"""The design of a study of two arms: the base configuration, and the same with a change."""
BASE, CHANGED = "base", "changed"
"""Names of its arms."""
FACTOR = "change"
"""The factor of its arms' levels: -1 in the base, +1 in the changed arm."""

_REFUSED = {
    "seed": "both arms are trained with the same seeds",
    "start": "both arms of a seed start from the same weights; give --start",
    "warm_up": "both arms of a seed start from the same warm-up; give --warm_up",
    "images": "both arms are trained on equal images; give --images",
    "report_every": "it changes no image",
    "checkpoint_every": "it changes no image",
    "checkpoint_at": "it changes no image",
    "gradient_diagnostics_every": "it changes no image",
    "data.size": "scores of images of another size cannot be compared; give --data.size",
    "data.resident": "it changes no image",
    "data.validation_fraction": "both arms are trained on the same people; give --data.validation_fraction",
    "vgg.weights": "the arms of a study share one VGG-19; give --vgg.weights",
}
"""Values that a change must leave alone, each with the reason and what to do."""
_NEEDS: dict[str, tuple[str, ...]] = {
    "loss.pixel_form": ("pixel",),
    "loss.consistency_form": GROUPS["consistency"],
    "vgg.width": GROUPS["feature_space"],
    "vgg.seed": GROUPS["feature_space"],
}
"""Values that change nothing unless one of these terms is on."""
_ANALYSED = (*HEADLINES, *(METRICS[metric].stand_in for metric in HEADLINES if METRICS[metric].stand_in))
_LONGEST_LABEL = 18


def compared_arms(base: Config, changes: Sequence[str]) -> tuple[Arm, Arm]:
    """The base and the changed arm, from changes such as 'loss.pixel=5', which are applied together.

    Raises UserError for a name that is none, a value that does not fit, a change that changes nothing, and one after which the
    scores of the two arms could not be compared.
    """
    if not changes:
        raise UserError("--change is missing: a value of the configuration, such as --change loss.pixel=5")
    values: dict[str, Any] = {}
    for change in changes:
        name, value = _parsed(base, change)
        if name in values:
            raise UserError(f"--change has {name} twice; keep one of them")
        values[name] = value
    try:
        changed = base.override(values)
    except UserError as refused:
        raise UserError(f"--change is {' '.join(changes)!r}: {refused}") from None
    for name in values:
        _check_has_effect(name, base, changed)
    label = changes[0] if len(changes) == 1 and len(changes[0]) <= _LONGEST_LABEL else "Changed"
    return Arm(BASE, "Base", (), {FACTOR: -1}), Arm(CHANGED, label, (), {FACTOR: 1}, values)


def _parsed(base: Config, change: str) -> tuple[str, Any]:
    name, sign, text = change.partition("=")
    if not sign:
        raise UserError(f"--change has {change!r}: a name and a value, such as loss.pixel=5")
    try:
        path_of(name, base)
    except UserError as unknown:
        raise UserError(f"--change has {change!r}: {unknown}") from None
    if name in _REFUSED:
        raise UserError(f"--change has {change!r}: {_REFUSED[name]}")
    if name.startswith("model.") and base.warm_up:
        raise UserError(f"--change has {change!r}: both arms start from the networks of one warm-up; give --warm_up 0")
    if name == "optim.precision" and "auto" in (text, base.optim.precision):
        raise UserError(f"--change has {change!r}: auto is one of the others; give fp32 or bf16 here and to --optim.precision")
    present = base.flat()[name]
    value = _value(change, text, present)
    if value == present:
        raise UserError(f"--change has {change!r}: {name} is {present} already, so the arms would be the same")
    return name, value


def _value(change: str, text: str, present: Any) -> Any:
    """The text as a value of the type of the present one."""
    if isinstance(present, bool):
        if text not in ("True", "False"):
            raise UserError(f"--change has {change!r}: True or False")
        return text == "True"
    if isinstance(present, int | float):
        try:
            return type(present)(text)
        except ValueError:
            raise UserError(f"--change has {change!r}: a {'whole ' * isinstance(present, int)}number") from None
    return text


def _check_has_effect(name: str, base: Config, changed: Config) -> None:
    terms = _NEEDS.get(name)
    if terms and not any(config.loss.weights()[term] for config in (base, changed) for term in terms):
        raise UserError(
            f"--change has {name}: it changes nothing while {' and '.join(terms)} {'is' if len(terms) == 1 else 'are'} off; "
            f"give a weight, as --loss.{terms[0]} 1"
        )


def analysis_of_change(looks: Sequence[int], margins: Sequence[str]) -> AnalysisPlan:
    """The analysis of a comparison: no claims, and margins such as 'face_error=0.5' in place of the default ones."""
    planned = default_analysis(looks)
    smallest = {metric: effect for metric, effect in planned.smallest_effects.items() if metric in _ANALYSED}
    return replace(planned, claims=(), smallest_effects={**smallest, **_margins(margins)})


def _margins(margins: Sequence[str]) -> Mapping[str, float]:
    found = {}
    for margin in margins:
        metric, _, text = margin.partition("=")
        if metric not in _ANALYSED:
            raise UserError(f"--margin has {margin!r}: {did_you_mean(metric, list(_ANALYSED))}")
        try:
            found[metric] = float(text)
        except ValueError:
            raise UserError(f"--margin has {margin!r}: a metric and a number, such as {metric}=0.05") from None
    return found
