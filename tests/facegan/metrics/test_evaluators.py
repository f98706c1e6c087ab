"""The evaluators: alignment and input of ArcFace, LPIPS and Inception against other formulas, weight files that are refused."""

from collections.abc import Callable
from dataclasses import fields as dataclass_fields
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from facegan.config import VggConfig
from facegan.data.reading.face_data import FaceData
from facegan.errors import UserError
from facegan.files import file_sha256
from facegan.metrics.backbones.arcface import TEMPLATE, ArcFace, aligned, arcface_input, five_points, similarity
from facegan.metrics.backbones.dlib_networks import DlibLandmarks
from facegan.metrics.backbones.inception import Inception, build_inception, inception_features
from facegan.metrics.backbones.lpips import CHANNELS, LAYERS, Lpips, build_lpips, heads_file, lpips_distance
from facegan.metrics.backbones.weights import weight_file
from facegan.metrics.evaluation import pack, unpack
from facegan.metrics.evaluation_config import OPTIONAL_BACKBONES, EvaluatorsConfig, Sampling
from facegan.metrics.evaluation_set import generate_all, prepare_evaluation_set
from facegan.metrics.evaluators import build_evaluators, refuse_loss_networks
from facegan.metrics.landmark_scores import normalised_error
from facegan.metrics.measure import measure
from facegan.metrics.table import METRICS
from facegan.nets.vgg import Vgg19

Write = Callable[..., Path]
Pictures = np.ndarray[Any, np.dtype[np.uint8]]


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    return np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def alexnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with torchvision's key names and seeded random weights, and a classifier that is not used."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        state = {f"features.{name}": tensor for name, tensor in Lpips().features.state_dict().items()}
    path = tmp_path_factory.mktemp("alexnet") / "alexnet.pth"
    torch.save(state | {"classifier.1.weight": torch.zeros(3)}, path)
    return path


def test_a_turned_and_scaled_face_is_aligned_to_the_template_of_arcface() -> None:
    """A face that is the template turned, scaled and shifted is moved back to it."""
    angle, scale = 0.4, 1.7
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    face = TEMPLATE @ turn.T + [30, -12]
    back = similarity(face, TEMPLATE)
    assert face @ back[:, :2].T + back[:, 2] == pytest.approx(TEMPLATE)
    # With noise it is what OpenCV's estimate over the same points finds.
    noisy = face + np.random.default_rng(1).normal(0, 1, face.shape)
    theirs, _ = cv2.estimateAffinePartial2D(noisy, TEMPLATE, method=cv2.LMEDS, refineIters=50)
    ours = similarity(noisy, TEMPLATE)
    error = [np.square(noisy @ m[:, :2].T + m[:, 2] - TEMPLATE).sum() for m in (ours, theirs)]
    assert error[0] <= error[1] * (1 + 1e-9)


def test_landmarks_are_reduced_to_five_points_that_align_the_image(data: FaceData) -> None:
    points = data.points[0]
    five = five_points(points)
    assert five[0] == pytest.approx(points[36:42].mean(axis=0), abs=1e-4)
    assert five[2:] == pytest.approx(points[[30, 48, 54]])
    dots = np.zeros((data.size, data.size, 3), np.uint8)
    nose = np.round(five[2]).astype(int)
    dots[nose[1], nose[0]] = 255
    y, x = np.unravel_index(np.argmax(aligned(dots, points)[:, :, 0]), (112, 112))
    moved = similarity(five, TEMPLATE)
    assert np.hypot(*(moved[:, :2] @ nose + moved[:, 2] - [x, y])) < 1


def test_the_input_of_arcface_is_rgb_in_minus_one_to_one() -> None:
    face = np.zeros((1, 112, 112, 3), np.uint8)
    face[..., 0] = 255
    given = arcface_input(face)
    assert given.shape == (1, 3, 112, 112)
    assert given[0, :, 0, 0].tolist() == [1, -1, -1]
    with pytest.raises(AssertionError):
        arcface_input(face.astype(np.float32) / 255)  # type: ignore[arg-type]


@pytest.mark.parametrize("batch", ["n", 1, 2])
def test_an_onnx_network_embeds_faces(data: FaceData, tmp_path: Path, batch: int | str, write_network: Write) -> None:
    file = write_network(tmp_path / "tiny.onnx", batch=batch)
    evaluator = ArcFace(file)
    assert evaluator.sha256 == file_sha256(file)
    rows = [0, 3, 9]
    images = np.stack([data.image(row) for row in rows])
    faces = np.stack([aligned(image, data.points[row]) for image, row in zip(images, rows, strict=True)])
    wanted = 2 * ((faces[:, :56, :56].astype(np.float64) - 127.5) / 127.5).mean(axis=(1, 2))
    assert evaluator.embed(images, data.points[rows]) == pytest.approx(wanted, abs=1e-5)


def test_a_file_that_is_not_arcface_is_refused(tmp_path: Path, write_network: Write) -> None:
    with pytest.raises(UserError, match=r"maps \[n, 3, 112, 112\] to \[n, d\]"):
        ArcFace(write_network(tmp_path / "other.onnx", side=64))
    (tmp_path / "broken.onnx").write_bytes(b"no network")
    with pytest.raises(UserError, match="onnxruntime cannot load it"):
        ArcFace(tmp_path / "broken.onnx")


def test_lpips_is_zero_for_equal_images_only(alexnet: Path, pictures: Pictures) -> None:
    network = build_lpips(alexnet, "--evaluators.lpips_weights")
    assert network.sha256 == file_sha256(alexnet)
    assert lpips_distance(network, pictures, pictures).tolist() == [0, 0, 0]
    assert (lpips_distance(network, pictures, pictures[::-1].copy())[[0, 2]] > 0).all()


def test_lpips_agrees_with_an_independent_implementation(alexnet: Path, pictures: Pictures) -> None:
    """Zhang et al.'s distance written with cosines, layer by layer, on torch's own functions and the file's own tensors."""
    network, state = build_lpips(alexnet, "x"), torch.load(alexnet)
    heads = torch.load(heads_file(), map_location="cpu")
    a, b = (torch.from_numpy(p).permute(0, 3, 1, 2) / 255 for p in (pictures, pictures[::-1].copy()))
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x, y = ((v - mean.view(3, 1, 1)) / deviation.view(3, 1, 1) for v in (a, b))
    total = torch.zeros(3)
    strides = {0: (4, 2), 3: (1, 2), 6: (1, 1), 8: (1, 1), 10: (1, 1)}
    for number, (place, (stride, padding)) in enumerate(strides.items()):
        if place in (3, 6):
            x, y = (torch.nn.functional.max_pool2d(v, 3, 2) for v in (x, y))
        weight, bias = state[f"features.{place}.weight"], state[f"features.{place}.bias"]
        x, y = (torch.nn.functional.conv2d(v, weight, bias, stride, padding).relu() for v in (x, y))
        u, v = (torch.nn.functional.normalize(z, dim=1) for z in (x, y))
        total += torch.einsum("nchw,c->nhw", u**2 - 2 * u * v + v**2, heads[f"lin{number}.model.1.weight"].flatten()).mean(
            (1, 2)
        )
        assert place + 1 == LAYERS[number] and x.shape[1] == CHANNELS[number]
    # The authors' constants are those of ImageNet for images in [-1, 1], rounded to three digits.
    assert torch.allclose(network.shift.flatten(), 2 * mean - 1, atol=1e-3)
    assert torch.allclose(network.scale.flatten(), 2 * deviation, atol=2.1e-3)
    assert lpips_distance(network, pictures, pictures[::-1].copy()) == pytest.approx(total.numpy(), rel=0.02, abs=1e-6)


def test_lpips_refuses_other_ranges(alexnet: Path) -> None:
    network = build_lpips(alexnet, "x")
    signed = torch.linspace(-1, 1, 3 * 64 * 64).view(1, 3, 64, 64)
    assert network(signed, -signed) > 0
    wrong: dict[str, Tensor] = {
        "[0, 1]": (signed + 1) / 2,
        "255": (signed + 1) * 127.5,
        "+-127": signed * 127.5,
        "8 bits": signed.to(torch.uint8),
    }
    for images in wrong.values():
        for pair in ((images, signed), (signed, images)):
            with pytest.raises(AssertionError):
                network(*pair)


@pytest.mark.slow
def test_inception_has_the_tensors_of_the_public_file(tmp_path: Path, pictures: Pictures) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        state = Inception().state_dict()
    weights = {name: tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")}
    # 94 convolutions, each with a weight and batch norm's four; the file's 1,008 classes are not needed.
    assert len(weights) == 94 * 5
    assert sum(t.numel() for n, t in weights.items() if n.endswith("conv.weight")) == 21_751_136
    torch.save(weights | {"fc.weight": torch.zeros(1_008, 2_048)}, tmp_path / "inception.pth")
    network = build_inception(tmp_path / "inception.pth", "--evaluators.kid_weights")
    features = inception_features(network, pictures[:2])
    assert features.shape == (2, 2_048)
    assert np.abs(features - inception_features(network, pictures[1::-1].copy())[::-1]).max() < 1e-4
    del weights["Mixed_7c.branch_pool.bn.bias"]
    torch.save(weights, tmp_path / "torn.pth")
    with pytest.raises(UserError, match=r"--evaluators.kid_weights: .*Mixed_7c.branch_pool.bn.bias' is missing"):
        build_inception(tmp_path / "torn.pth", "--evaluators.kid_weights")


def test_damaged_and_wrong_weight_files_are_refused(tmp_path: Path, alexnet: Path) -> None:
    with pytest.raises(UserError, match=r"--evaluators.x is 'nowhere.pth': no such file"):
        weight_file("nowhere.pth", "--evaluators.x")
    named = tmp_path / "alexnet-owt-7be5be79.pth"
    named.write_bytes(alexnet.read_bytes())
    with pytest.raises(UserError, match="does not begin 7be5be79"):
        weight_file(str(named), "--evaluators.lpips_weights")
    right = tmp_path / f"alexnet-{file_sha256(alexnet)[:8]}.pth"
    right.write_bytes(alexnet.read_bytes())
    assert weight_file(str(right), "x") == right
    torch.save({"features.0.weight": torch.zeros(2)}, tmp_path / "small.pth")
    with pytest.raises(UserError, match="does not hold these weights"):
        build_lpips(tmp_path / "small.pth", "x")
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(UserError, match="it is no file of tensors by their names"):
        build_lpips(tmp_path / "text.pth", "x")


@pytest.mark.parametrize("values", [{"identity": "facenet"}, {"landmark_weights": "x"}, {"kid_images": 2}])
def test_wrong_evaluator_options_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"--evaluators\."):
        EvaluatorsConfig(**values)


def test_every_optional_backbone_has_its_flag_and_its_note() -> None:
    fields = {f"--evaluators.{field.name}" for field in dataclass_fields(EvaluatorsConfig)}
    config = EvaluatorsConfig()
    for backbone in OPTIONAL_BACKBONES:
        assert backbone.flag in fields and backbone.metric in METRICS
        named = replace(config, **{backbone.flag.removeprefix("--evaluators."): "file.pth"})  # type: ignore[arg-type]
        assert named.files() == {backbone.flag: "file.pth"}
    missing = build_evaluators(config).missing
    assert missing == {b.metric: f"not measured: weights missing ({b.flag})" for b in OPTIONAL_BACKBONES}


def test_an_evaluator_that_a_loss_uses_is_refused(tmp_path: Path, alexnet: Path) -> None:
    """It is found by its hash under any name; a loss's file that is missing is compared by name, and the result says so."""
    vgg, renamed = tmp_path / "vgg19.pth", tmp_path / "renamed.pth"
    torch.save(Vgg19(4).state_dict(), vgg)
    renamed.write_bytes(vgg.read_bytes())
    loss = VggConfig(weights=str(vgg))
    for field in ("lpips_weights", "kid_weights"):
        evaluators = replace(EvaluatorsConfig(), **{field: str(renamed)})  # type: ignore[arg-type]
        with pytest.raises(UserError, match=rf"--evaluators.{field} is .*it cannot evaluate"):
            refuse_loss_networks(evaluators, [VggConfig(weights="random"), loss])
    network = renamed.rename(tmp_path / "renamed.onnx")
    with pytest.raises(UserError, match=r"--evaluators.identity is .*it cannot evaluate"):
        refuse_loss_networks(EvaluatorsConfig(identity=str(network)), [loss])
    fine = EvaluatorsConfig(lpips_weights=str(alexnet))
    assert refuse_loss_networks(fine, [loss]) == "no evaluator's file has the hash of a loss's"
    assert "not at hand" in refuse_loss_networks(fine, [VggConfig(weights="elsewhere.pth")])
    assert refuse_loss_networks(EvaluatorsConfig(), [VggConfig()]) == "no evaluator's file has the hash of a loss's"


@pytest.mark.slow
def test_with_every_file_all_metrics_are_measured(data: FaceData, tmp_path: Path, alexnet: Path, write_network: Write) -> None:
    """Nothing is missing, and the description holds the hash of each file."""
    torch.save(Inception().state_dict(), tmp_path / "inception.pth")
    files: dict[str, Any] = {"lpips_weights": str(alexnet), "kid_weights": str(tmp_path / "inception.pth")}
    evaluators = build_evaluators(EvaluatorsConfig(identity=str(write_network(tmp_path / "tiny.onnx")), kid_images=3, **files))
    assert evaluators.missing == {}
    said = evaluators.describe()
    assert file_sha256(alexnet) in said["lpips"] and file_sha256(tmp_path / "tiny.onnx") in said["identity"]
    assert build_evaluators(EvaluatorsConfig()).fingerprint() != evaluators.fingerprint()
    first = next(iter(data.clips("test", 0.0)))
    evaluation_set = prepare_evaluation_set(
        data, evaluators, None, Sampling(pairs_per_clip=1, large_pose_pairs=0, sequence_frames=0), only=first
    )
    measured = measure(generate_all(lambda sources, points: sources, data, evaluation_set), evaluation_set, evaluators)
    assert measured["lpips"][0] > 0
    assert measured["features/generated"].shape == (1, 2_048)
    assert np.isnan(measured["identity_jitter"]).all()


@pytest.mark.slow
def test_landmarks_found_by_dlib_are_in_pixels_of_the_image(data: FaceData) -> None:
    rows = np.array([0, 12, 30])
    found = DlibLandmarks().find(np.stack([data.image(row) for row in rows]))
    assert np.nanmedian(normalised_error(found, data.points[rows])) < 0.2
    assert np.isnan(DlibLandmarks().find(np.zeros((1, 32, 32, 3), np.uint8))).all()


def test_damaged_measurements_are_refused() -> None:
    whole = pack({"ssim": np.ones(3)})
    for content in (b"", b"half", whole[:-40], whole[:60]):
        with pytest.raises(UserError, match=r"parts/1\.npz is damaged"):
            unpack(content, "parts/1.npz")
