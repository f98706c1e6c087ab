"""VGG-19: names, layers, seeded random weights, and weight files that are refused."""

from pathlib import Path

import pytest
import torch

from facegan.config import VggConfig
from facegan.errors import UserError
from facegan.nets.vgg import PERCEPTUAL_LAYERS, Vgg19, build_vgg
from facegan.nets.vgg_weights import weights_file, weights_name


def test_parameter_names_and_shapes_are_those_of_torchvision() -> None:
    shapes = {name: tuple(value.shape) for name, value in Vgg19().state_dict().items() if name.endswith("weight")}
    assert shapes == {
        "features.0.weight": (64, 3, 3, 3),
        "features.2.weight": (64, 64, 3, 3),
        "features.5.weight": (128, 64, 3, 3),
        "features.7.weight": (128, 128, 3, 3),
        "features.10.weight": (256, 128, 3, 3),
        "features.12.weight": (256, 256, 3, 3),
        "features.14.weight": (256, 256, 3, 3),
        "features.16.weight": (256, 256, 3, 3),
        "features.19.weight": (512, 256, 3, 3),
        "features.21.weight": (512, 512, 3, 3),
        "features.23.weight": (512, 512, 3, 3),
    }


def test_the_layers_are_those_of_the_poster() -> None:
    vgg = Vgg19(width=4)
    assert all(isinstance(vgg.features[k], torch.nn.ReLU) for k in (*PERCEPTUAL_LAYERS, 13))
    out = vgg(torch.zeros(1, 3, 32, 32), PERCEPTUAL_LAYERS)
    assert {k: tuple(v.shape[1:]) for k, v in out.items()} == {
        3: (4, 32, 32),
        8: (8, 16, 16),
        15: (16, 8, 8),
        24: (32, 4, 4),
    }


def test_random_weights_depend_on_the_seed_alone() -> None:
    a, b, c = (build_vgg(VggConfig(weights="random", width=4, seed=s)).features[0].weight for s in (1, 1, 2))
    assert torch.equal(a, b)  # type: ignore[arg-type]
    assert not torch.equal(a, c)  # type: ignore[arg-type]


def test_a_weights_file_is_loaded(tmp_path: Path) -> None:
    saved = Vgg19().state_dict()
    torch.save({**saved, "classifier.0.weight": torch.zeros(1)}, tmp_path / "vgg.pth")
    loaded = build_vgg(VggConfig(weights=str(tmp_path / "vgg.pth")))
    assert all(torch.equal(v, saved[k]) for k, v in loaded.state_dict().items())
    assert not any(p.requires_grad for p in loaded.parameters())
    assert "sha256" in weights_name(VggConfig(weights=str(tmp_path / "vgg.pth")))


def test_a_missing_weights_file_is_refused() -> None:
    with pytest.raises(UserError, match="no such file"):
        build_vgg(VggConfig(weights="/nowhere/vgg.pth"))


@pytest.mark.parametrize("content", [b"", b"not a torch file", b"\x80\x02K\x01."])
def test_a_damaged_weights_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "vgg.pth").write_bytes(content)
    with pytest.raises(UserError, match="does not hold VGG-19's weights"):
        build_vgg(VggConfig(weights=str(tmp_path / "vgg.pth")))


def test_another_networks_weights_are_refused(tmp_path: Path) -> None:
    torch.save({"layer.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(UserError, match=r"features\.0\.weight"):
        build_vgg(VggConfig(weights=str(tmp_path / "other.pth")))


def test_a_damaged_download_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "vgg19-dcbb9e9d.pth").write_bytes(b"half")
    with pytest.raises(UserError, match="is damaged"):
        weights_file(VggConfig(weights="imagenet"))


@pytest.mark.parametrize("error", [OSError("no route"), RuntimeError("invalid hash value")])
def test_a_failed_download_of_imagenet_weights_is_refused_with_a_cure(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    with pytest.raises(UserError, match=r"--vgg\.weights random"):
        weights_file(VggConfig(weights="imagenet"))
