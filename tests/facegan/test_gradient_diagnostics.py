"""Gradient diagnostics: gradients that add up to training's own, opposed terms, and a step that they do not change."""

import pytest
import torch

from facegan.config import Config
from facegan.data.face_data import FaceData
from facegan.data.sampling import batches
from facegan.gradient_diagnostics import measure_gradients, term_gradients
from facegan.losses import FORMULAS
from facegan.step import TrainState, _StepPasses, new_state, step
from facegan.train import train

STYLE = {"loss.style": 1.0}


def weighted_terms(state: TrainState, scene: _StepPasses) -> dict[str, torch.Tensor]:
    weights = state.config.loss.weights()
    return {term: weights[term] * FORMULAS[term].value(scene, state.config.loss) for term in state.config.loss.active()}


@pytest.fixture
def scene(data: FaceData, tiny: Config) -> tuple[TrainState, _StepPasses]:
    config = tiny.override(STYLE)
    state = new_state(config, torch.device("cpu"))
    feed = batches(data, config, 0, 0, 1, pin=False)
    found = _StepPasses(state, next(feed))
    feed.close()
    return state, found


def test_the_weighted_gradients_add_up_to_the_total(scene: tuple[TrainState, _StepPasses]) -> None:
    state, seen = scene
    weighted = weighted_terms(state, seen)
    assert list(weighted) == state.config.loss.active()
    parts = term_gradients(weighted, seen.generated).sum(dim=0)
    (total,) = torch.autograd.grad(torch.stack(list(weighted.values())).sum(), seen.generated)
    assert torch.linalg.norm(parts - total.flatten(1)) <= 1e-5 * torch.linalg.norm(total)


def test_by_hand() -> None:
    """Two images of one pixel: gradients 3 and 4 at a right angle, and a third term against the first."""
    image = torch.zeros(2, 2, 1, 1, requires_grad=True)
    weighted = {
        "right": 3 * image[:, 0].mean(),
        "down": 4 * image[:, 1].mean(),
        "left": -3 * image[:, 0].mean(),
        "nothing": 0 * image.sum(),
    }
    found = {name: float(value) for name, value in measure_gradients(weighted, image).items()}
    assert found["gradient_norm/right"] == pytest.approx(3)
    assert found["gradient_norm/down"] == pytest.approx(4)
    assert found["gradient_share/down"] == pytest.approx(0.4)
    assert found["gradient_cosine/right~left"] == pytest.approx(-1)
    assert found["gradient_cosine/right~down"] == pytest.approx(0)
    assert found["gradient_cosine/right~nothing"] == 0


def test_looking_changes_nothing(data: FaceData, tiny: Config) -> None:
    ways = [new_state(tiny, torch.device("cpu")) for _ in range(2)]
    for state, look in zip(ways, (False, True), strict=True):
        feed = batches(data, tiny, 0, 0, 1, pin=False)
        for _ in range(2):
            values = step(state, next(feed), gradient_diagnostics=look)
        assert any(name.startswith("gradient_") for name in values) == look
        feed.close()
    plain, looked = (dict(state.generator.named_parameters()) for state in ways)
    assert all(torch.equal(plain[name], looked[name]) for name in plain)
    assert ways[0].passes == ways[1].passes


def test_the_loop_reports_it_as_often_as_asked(data: FaceData, tiny: Config) -> None:
    config = tiny.override({"gradient_diagnostics_every": 16})
    rows = list(train(new_state(config, torch.device("cpu")), data))
    assert [row.images for row in rows if "gradient_norm/pixel" in row.metrics] == [8, 24]
    shares = [value for name, value in rows[0].metrics.items() if name.startswith("gradient_share/")]
    assert sum(shares) == pytest.approx(1)
    quiet = config.override({"gradient_diagnostics_every": 0})
    assert not [n for row in train(new_state(quiet, torch.device("cpu")), data) for n in row.metrics if "gradient" in n]
