"""report.html: what a study asked, found, cost and ran on, in one file that needs nothing from outside."""

import base64
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import cv2
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from facegan.config import Config
from facegan.files import write_bytes
from facegan.metrics.discrimination import sentence
from facegan.metrics.table import METRICS, display_name, formatted, meaning
from facegan.report.forest_plot import forest, matrix
from facegan.report.formatting import duration

_ROW_MEANINGS = {
    "real target": "the best there is: the target frame itself",
    "source copied": "what a generator scores that ignores the landmarks",
    "another person": "somebody else's real frame",
}
_PACKAGES = ("torch", "numpy", "opencv-python", "torchmetrics", "dlib-bin", "pyarrow", "matplotlib")
_LARGEST_PNG = 4_000_000


def write_report(study: Path, summary: dict[str, Any], config: Config, *, include_faces: bool = False) -> None:
    """Write report.html of a study; frames of real people are embedded only where `include_faces` says so."""
    folder = Path(__file__).parent / "templates"
    page = Environment(loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    page.filters.update(
        number=_number,
        count=_count,
        duration=duration,
        signed=_signed,
        p_value=_p_value,
        words=_words,
        display_name=display_name,
    )
    show_faces = bool(summary["data"]["synthetic"]) or include_faces
    notes = _notes(summary)
    text = page.get_template("report.html").render(
        **summary,
        labels={arm["name"]: arm["label"] for arm in summary["study"]["arms"]},
        images=_images(study, show_faces),
        show_faces=show_faces,
        folder=str(study.resolve()),
        metrics={metric: meaning(metric) for metric in METRICS},
        notes=notes,
        missing_weights=[metric for metric, note in notes.items() if "weights missing" in note],
        judge=sentence(summary["discrimination"], "identity judge") if summary.get("discrimination") else "",
        forests=forest(summary["effects"]),
        matrices={metric: matrix(summary["effects"], metric) for metric in (summary["effects"] or {"metrics": {}})["metrics"]},
        score_rows=_score_rows(summary),
        config=config.flat(),
        differences=_differences(summary, config),
        left_out={a["name"]: [t for t in a["without"] if config.loss.weights()[t]] for a in summary["study"]["arms"]},
        has_errors=any(trial["error"] for trial in summary["trials"]),
        versions=_versions(),
    )
    write_bytes(study / "report.html", text.encode())


def _images(study: Path, show_faces: bool) -> dict[str, str]:
    """data: addresses of the figures that are there and may be shown."""
    plots = ("losses", "losses_images", "gradient_diagnostics")
    names = (*plots, "figure2", "contact_sheet") if show_faces else plots
    return {name: _address(study / f"{name}.png") for name in names if (study / f"{name}.png").exists()}


def _address(path: Path) -> str:
    content, kind = path.read_bytes(), "png"
    if len(content) > _LARGEST_PNG:
        image = cv2.imread(str(path))
        assert image is not None, f"{path} does not decode"
        encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 92])[1]
        content, kind = encoded.tobytes(), "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _score_rows(summary: dict[str, Any]) -> list[dict[str, Any]]:
    references = [
        {"name": name, "note": _ROW_MEANINGS.get(name, ""), "scores": scores, "reference": True}
        for name, scores in summary["references"].items()
    ]
    arms = [
        {"name": arm["label"], "note": _runs(len(arm["judged"])), "scores": arm["scores"], "reference": False}
        for arm in summary["arms"]
    ]
    return references + arms


def _notes(summary: dict[str, Any]) -> dict[str, str]:
    """Why a metric was not measured, by its name."""
    cards = [*summary["references"].values(), *(arm["scores"] for arm in summary["arms"])]
    return {metric: entry["note"] for card in cards for metric, entry in card.items() if "note" in entry}


def _runs(count: int) -> str:
    return "no scores yet" if not count else "1 run" if count == 1 else f"mean of {count} runs"


def _differences(summary: dict[str, Any], config: Config) -> list[dict[str, Any]]:
    """What every trial's loss weights and images are where they are not the base configuration's."""
    base = config.loss.weights()
    rows = []
    for trial in summary["trials"]:
        changed = {f"loss.{term}": value for term, value in trial["weights"].items() if value != base[term]}
        if trial["planned_images"] not in (None, config.images):
            changed["images"] = trial["planned_images"]
        rows.append({"arm": trial["arm"], "candidate": trial["candidate"], "seed": trial["seed"], "changed": changed})
    return rows


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "machine": f"{platform.system()} {platform.machine()}"}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def _number(value: float, metric: str) -> str:
    return formatted(metric, value)


def _signed(value: float) -> str:
    """Three significant digits with the sign."""
    return f"{value:+.3g}".replace("-", "\u2212")


def _p_value(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _words(name: str) -> str:
    """A metric's or factor's name as it is read aloud."""
    return name.replace("_", " ").replace("~", " and ")


def _count(value: float) -> str:
    """12345 as '12 345', with spaces that do not break."""
    return f"{value:,.0f}".replace(",", "\u202f")
