"""The page in headless Chromium, without any network."""

import shutil
import subprocess
from pathlib import Path

import pytest

from facegan.config import Config
from tests.facegan.report.factorial_study import factorial_study

CHROMIUM = shutil.which("chromium")


def dump(page: str, folder: Path, script: str, width: int, *flags: str) -> str:
    """The document in headless Chromium after a script has run, without any network."""
    assert CHROMIUM is not None
    (folder / "page.html").write_text(page.replace("</body>", f"<script>{script}</script></body>"))
    command = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
    command += ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic"]
    command += ["--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={folder / 'profile'}", f"--window-size={width},900"]
    address = (folder / "page.html").as_uri()
    done = subprocess.run([*command, *flags, "--dump-dom", address], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[-500:]
    return done.stdout


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
def test_tables_sort_and_no_screen_width_scrolls_sideways(tiny: Config, tmp_path: Path) -> None:
    """A click on a column header sorts a table, and the page fits its width at all screen widths."""
    factorial_study(tmp_path, tiny)
    page = (tmp_path / "report.html").read_text()
    sort = """const heads = document.querySelectorAll("#parity-table thead th"); heads[1].click(); heads[1].click();
        const rows = [...document.querySelectorAll("#parity-table tbody tr")];
        document.title = rows.map(row => row.cells[1].textContent).join("");"""
    assert f"<title>{''.join(str(seed) * 4 for seed in (5, 4, 3, 2, 1, 0))}</title>" in dump(page, tmp_path, sort, 1200)
    factorial_study(
        tmp_path / "loo", tiny, name="loo", factors=("self_consistency", "triple_consistency", "perceptual", "identity")
    )
    long = (tmp_path / "loo" / "report.html").read_text()
    assert "self consistency (if no interactions)" in long
    wide = "document.title = document.documentElement.scrollWidth - document.documentElement.clientWidth;"
    for shown in (page, long):
        for width, flags in ((1280, ()), (1180, ()), (500, ()), (500, ("--force-dark-mode",))):
            assert "<title>0</title>" in dump(shown, tmp_path, wide, width, *flags), width
    # On a desktop no table of effects needs a scroll bar.
    boxes = """document.title = [...document.querySelectorAll("table.effects")].map(t => t.parentNode)
        .filter(box => box.scrollWidth > box.clientWidth).length;"""
    assert "<title>0</title>" in dump(long, tmp_path, boxes, 1180)
