"""A new loss term touches config.py and losses.py and nothing else: it trains, and every design can switch it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import facegan

WEIGHT = """    style: float = _term("""
NEW_WEIGHT = """    total_variation: float = _term(0.5, "Total variation", "TV", "pixel_space")
    \"\"\"Mean absolute difference of neighbouring pixels.\"\"\"
    style: float = _term("""
FORMULA = """    "style": Formula("""
NEW_FORMULA = """    "total_variation": Formula(
        lambda passes, _: (passes.generated[..., 1:] - passes.generated[..., :-1]).abs().mean(),
        "mean |F[x + 1] - F[x]|",
    ),
    "style": Formula("""

USE = """
import torch
from facegan.config import GROUPS, Config, TERMS
from facegan.training.flops import count_step
from facegan.training.packing import random_batch
from facegan.presets import preset
from facegan.report.gradient_figure import _short
from facegan.training.step import step
from facegan.training.state import new_state
from facegan.study.design.arms import choose_design
from facegan.study.design.search_space import default_space

config = preset("hour").override({"data.size": 32, "model.generator_width": 4, "model.discriminator_width": 4, "vgg.width": 4})
assert "total_variation" in TERMS and "total_variation" in GROUPS["pixel_space"]
values = step(new_state(config, torch.device("cpu")), random_batch(config), gradient_diagnostics=True)
for name in ("loss", "weighted", "gradient_norm", "gradient_share"):
    assert f"{name}/total_variation" in values, name
ratio = values["weighted/total_variation"] / values["loss/total_variation"]
assert abs(ratio.item() - 0.5) < 1e-6
for design, size in (("loo", ""), ("add-one", ""), ("factorial", ""), ("fraction", "half")):
    arms = choose_design(design, config, size=size).arms
    labels = [arm.label for arm in arms]
    assert any("TV" in label or "Total variation" in label for label in labels), (design, labels)
    assert any("total_variation" in arm.without for arm in arms)
assert [arm.label for arm in choose_design("factorial", config, factors=("total_variation", "feature_space")).arms]
assert "loss.total_variation" in [parameter.name for parameter in default_space(config)]
assert _short("total_variation~pixel") == "TV ~ Pix"
assert count_step(config)[0] > 0
print("done")
"""


@pytest.mark.slow
def test_a_new_term_touches_two_files(tmp_path: Path) -> None:
    package = tmp_path / "facegan"
    shutil.copytree(Path(facegan.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    for name, before, after in (("config.py", WEIGHT, NEW_WEIGHT), ("losses.py", FORMULA, NEW_FORMULA)):
        text = (package / name).read_text()
        assert text.count(before) == 1
        (package / name).write_text(text.replace(before, after))
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", USE],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0 and run.stdout.strip() == "done", run.stderr[-2000:]
