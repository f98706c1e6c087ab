"""The report: its table of scores, what it embeds, and its provenance."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import cv2
import pytest

from facegan.config import Config
from facegan.data.reading.face_data import FaceData
from facegan.files import write_json
from facegan.metrics.table import METRICS
from facegan.records import read_record
from facegan.report.figure2 import write_figure2
from facegan.report.loss_curves import write_losses_figure
from facegan.report.page import write_report
from facegan.report.sheets import contact_sheet
from facegan.study.conclusions.arms import ScoreSummary
from facegan.study.conclusions.summary import Summary, summarise_study
from facegan.study.conclusions.what_next import NextStep
from facegan.study.design.plan import Plan
from tests.facegan.study.planted_study import REFERENCES


class Cells(HTMLParser):
    """The (value, text) of every <data> element."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self._value: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._value = dict(attrs)["value"] if tag == "data" else self._value

    def handle_data(self, text: str) -> None:
        if self._value is not None:
            self.found.append((self._value, text))
            self._value = None


@pytest.fixture(scope="module")
def drawn(study: tuple[Path, Plan], data: FaceData) -> tuple[Path, Summary]:
    """The study folder with its figures, and its summary as read back from summary.json."""
    root, plan = study
    write_figure2(root, plan, data)
    write_losses_figure(root, plan)
    cv2.imwrite(str(root / "contact_sheet.png"), contact_sheet(data))
    write_json(root / "summary.json", summarise_study(root, plan, REFERENCES))
    summary = read_record(Summary, root / "summary.json", "")
    assert summary is not None
    return root, summary


@pytest.fixture(scope="module")
def page(drawn: tuple[Path, Summary], tiny: Config) -> str:
    """The report of that study."""
    write_report(*drawn, tiny)
    return (drawn[0] / "report.html").read_text()


def test_score_tables_equal_the_summary(drawn: tuple[Path, Summary], page: str) -> None:
    """The main metrics in the first table, all others in further ones."""
    summary = drawn[1]
    rows = [*summary.references.values(), *(arm.scores for arm in summary.arms)]
    main = [m for m in METRICS if METRICS[m].console or METRICS[m].tracked]
    others = [m for m in METRICS if m not in main]
    tables = re.findall(r'<table id="(?:other-)?scores.*?</table>', page, re.S)
    batches = [main, *(others[i : i + 7] for i in range(0, len(others), 7))]
    for table, metrics in zip(tables, batches, strict=True):
        entries = [row[metric] for row in rows if row for metric in metrics]
        numbers = [n for entry in entries for n in (entry.mean, *(entry.interval or ()))]
        cells = Cells()
        cells.feed(table)
        assert [float(value) for value, _ in cells.found] == numbers
        for value, shown in cells.found:
            digits = len(shown.partition(".")[2])
            assert digits >= 1
            assert float(shown) == pytest.approx(float(value), abs=0.5001 * 10**-digits)
        assert table.count("<td>-</td>") == len(metrics), "the arm without a result has a dash in each column"


def test_a_metric_that_nothing_was_measured_by_has_no_column(drawn: tuple[Path, Summary], tiny: Config) -> None:
    study, summary = drawn

    def without(scores: dict[str, ScoreSummary]) -> dict[str, ScoreSummary]:
        return {m: replace(s, mean=None, interval=None, note="no weights") if m == "lpips" else s for m, s in scores.items()}

    references = {name: without(row) for name, row in summary.references.items()}
    arms = tuple(replace(arm, scores=without(arm.scores)) for arm in summary.arms)
    write_report(study, replace(summary, references=references, arms=arms), tiny)
    page = (study / "report.html").read_text()
    write_report(study, summary, tiny)
    assert "<th>lpips</th>" not in page and "<strong>no weights</strong>" in page
    assert "<th>lpips</th>" in (study / "report.html").read_text()


def test_identity_is_compared_with_another_person_in_the_columns_of_similarity_alone(
    drawn: tuple[Path, Summary], tiny: Config, tmp_path: Path
) -> None:
    other = {"identity_to_target": ScoreSummary(0.917, None, ""), "identity_kept": ScoreSummary(0.0, None, "")}
    summary = replace(drawn[1], references=drawn[1].references | {"another person": other})
    write_report(tmp_path, summary, tiny)
    note = " ".join((tmp_path / "report.html").read_text().split())
    assert 'already has 0.917 in "identity to target" (under "All other metrics"), so compare that column and' in note
    assert note.index("Main metrics") < note.index("<th>identity kept</th>") < note.index("All other metrics")
    assert note.index("All other metrics") < note.index("<th>identity to source</th>")


def test_report_loads_nothing_from_elsewhere(page: str) -> None:
    assert not re.search(r"https?:|src=['\"]?//|@import|url\(|<link|<script [^>]", page)
    sources = re.findall(r'src="([^"]{0,30})', page)
    assert len(sources) == 4
    assert all(source.startswith("data:image/") for source in sources)


def test_report_shows_provenance_and_warnings(drawn: tuple[Path, Summary], page: str) -> None:
    study, data, trials = drawn[1].study, drawn[1].data, drawn[1].trials
    head = page[: page.index('id="answers"')]
    assert "SYNTHETIC" in head
    assert study.vgg in head
    assert "One seed per arm" in page
    assert "&lt;abc&gt;" in page
    assert "<abc>" not in page
    assert "1 of 1 trials PENDING" in page
    for name in ("loss.triple_consistency", study.id, data.sha256, *(t.key for t in trials)):
        assert name in page


def test_real_faces_are_embedded_only_on_request(drawn: tuple[Path, Summary], tiny: Config, tmp_path: Path) -> None:
    for name in ("figure2.png", "losses.png", "contact_sheet.png"):
        (tmp_path / name).write_bytes((drawn[0] / name).read_bytes())
    real = replace(drawn[1], data=replace(drawn[1].data, synthetic=False))
    write_report(tmp_path, real, tiny)
    text = (tmp_path / "report.html").read_text()
    assert text.count('src="data:image/') == 1, "only the plots show no face"
    assert "SYNTHETIC" not in text
    assert f"{tmp_path.resolve()}/figure2.png" in text
    write_report(tmp_path, real, tiny, include_faces=True)
    assert (tmp_path / "report.html").read_text().count('src="data:image/') == 3


@pytest.mark.parametrize("hours", [None, 1.5])
def test_the_rate_of_prices_is_named_only_beside_a_price(
    drawn: tuple[Path, Summary], tiny: Config, tmp_path: Path, hours: float | None
) -> None:
    step = NextStep("--seeds 0 1 2", 28, hours, None, "Undecided.")
    write_report(tmp_path, replace(drawn[1], next_steps=(step,)), tiny)
    page = (tmp_path / "report.html").read_text()
    assert "28 runs" in page and ("Prices are at the rate of this study" in page) == (hours is not None)
