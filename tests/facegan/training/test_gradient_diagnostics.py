"""Gradient diagnostics: gradients that add up to the optimizer's, opposed terms, and a step that they do not change."""

import pytest
import torch

from facegan.config import TERMS, Config
from facegan.data.reading.face_data import FaceData
from facegan.data.reading.sampling import batches
from facegan.losses import FORMULAS
from facegan.metric_names import GRADIENT_DIAGNOSTICS
from facegan.training.gradient_diagnostics import measure_gradients, term_gradients
from facegan.training.passes import StepPasses, make_input
from facegan.training.state import TrainState, new_state
from facegan.training.step import step
from facegan.training.train import train

STYLE = {"loss.style": 1.0}


def weighted_terms(state: TrainState, scene: StepPasses) -> dict[str, torch.Tensor]:
    weights = state.config.loss.weights()
    return {term: weights[term] * FORMULAS[term].value(scene, state.config.loss) for term in state.config.loss.active()}


def scene(data: FaceData, config: Config) -> tuple[TrainState, StepPasses]:
    """A state before its first step, and the passes of that step."""
    state = new_state(config, torch.device("cpu"))
    feed = batches(data, config, 0, 0, 1, pin=False)
    found = StepPasses(state, make_input(next(feed), [state]))
    feed.close()
    return state, found


def relative_distance(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(torch.linalg.norm(a - b) / torch.linalg.norm(b))


# The optimizer's gradient sums before the backward pass, in which each layer rounds in bfloat16; here the sum comes after.
@pytest.mark.parametrize(("precision", "bound"), [("fp32", 1e-5), ("bf16", 0.02)])
def test_the_terms_gradients_add_up_to_the_optimizers(data: FaceData, tiny: Config, precision: str, bound: float) -> None:
    state, seen = scene(data, tiny.override({**STYLE, "optim.precision": precision}))
    weighted = weighted_terms(state, seen)
    assert list(weighted) == list(TERMS)
    parameters = list(state.generator.parameters())
    gradients, image_norms = term_gradients(weighted, seen.generated, parameters)
    assert gradients.dtype == torch.float32 and gradients.shape == (len(TERMS), sum(p.numel() for p in parameters))
    assert (image_norms > 0).all()
    assert all(p.grad is None for p in parameters), "looking adds nothing to the optimizer's gradients"
    torch.stack(list(weighted.values())).sum().backward()
    found = torch.cat([p.grad.flatten() for p in parameters if p.grad is not None])
    assert relative_distance(gradients.sum(dim=0), found) <= bound


def test_a_gradient_through_the_second_pass_can_oppose_one_that_agrees_at_the_image() -> None:
    """G scales each channel by a parameter w = 1. At F both terms decrease together; with respect to w they are opposite.

    d/dw mean F = x, and d/dw mean (3 F - 2 G(F)) = (3 - 4 w) x = -x. With w held, d/dF of both is 1.
    """
    w = torch.ones(3, 1, 1, requires_grad=True)
    generated = w * torch.rand(2, 3, 4, 4)
    weighted = {"first": generated.mean(), "second": (3 * generated - 2 * w * generated).mean()}
    at_image = [torch.autograd.grad(value, generated, retain_graph=True)[0] for value in weighted.values()]
    assert torch.allclose(at_image[0], at_image[1])
    found = {name: float(value) for name, value in measure_gradients(weighted, generated, [w]).items()}
    assert found["gradient_cosine/first~second"] == pytest.approx(-1, abs=1e-6)
    assert found["gradient_share/first"] == pytest.approx(0.5)
    assert found["image_gradient_norm/first"] == pytest.approx(found["image_gradient_norm/second"])


def test_by_hand() -> None:
    """Two parameters, of which no term but one reads the second; each of two images of two pixels shows both."""
    first, second = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
    image = torch.cat([first, second]).expand(2, 2)[:, :, None, None].clone()
    weighted = {
        "right": 3 * image[:, 0].mean(),
        "down": 4 * image[:, 1].mean(),
        "left": -3 * image[:, 0].mean(),
        "without an image": first.sum(),
        "nothing": 0 * image.sum(),
    }
    found = {name: float(value) for name, value in measure_gradients(weighted, image, [first, second]).items()}
    norms = {"right": 3, "down": 4, "left": 3, "without an image": 1, "nothing": 0}
    for term, norm in norms.items():
        assert found[f"gradient_norm/{term}"] == pytest.approx(norm)
        assert found[f"gradient_share/{term}"] == pytest.approx(norm / 11)
        assert found[f"image_gradient_norm/{term}"] == pytest.approx(0 if term == "without an image" else norm)
    cosines = {name.partition("/")[2]: value for name, value in found.items() if name.startswith("gradient_cosine/")}
    parallel = {"right~left": -1, "right~without an image": 1, "left~without an image": -1}
    assert len(cosines) == 10
    assert cosines == pytest.approx(dict.fromkeys(cosines, 0.0) | parallel)


def test_looking_changes_nothing(data: FaceData, tiny: Config) -> None:
    ways = [new_state(tiny, torch.device("cpu")) for _ in range(2)]
    for state, look in zip(ways, (False, True), strict=True):
        feed = batches(data, tiny, 0, 0, 1, pin=False)
        for _ in range(2):
            values = step(state, next(feed), gradient_diagnostics=look)
        assert {name.partition("/")[0] for name in values} & set(GRADIENT_DIAGNOSTICS) == (
            set(GRADIENT_DIAGNOSTICS) if look else set()
        )
        feed.close()
    plain, looked = (dict(state.generator.named_parameters()) for state in ways)
    assert all(torch.equal(plain[name], looked[name]) for name in plain)
    assert ways[0].passes == ways[1].passes


def test_the_loop_reports_it_as_often_as_asked(data: FaceData, tiny: Config) -> None:
    config = tiny.override({"gradient_diagnostics_every": 16})
    rows = list(train(new_state(config, torch.device("cpu")), data))
    for name in ("gradient_norm/pixel", "image_gradient_norm/pixel"):
        assert [row.images for row in rows if name in row.metrics] == [8, 24]
    shares = [value for name, value in rows[0].metrics.items() if name.startswith("gradient_share/")]
    assert sum(shares) == pytest.approx(1)
    quiet = config.override({"gradient_diagnostics_every": 0})
    assert not [n for row in train(new_state(quiet, torch.device("cpu")), data) for n in row.metrics if "gradient" in n]
