"""The 68 points: files, mirror, maps."""

from pathlib import Path

import numpy as np
import pytest
import torch

from facegan.landmarks.maps import draw_parts, draw_points
from facegan.landmarks.points import PARTS, BadAnnotation, mirror, mirror_permutation, read_pts


def pts(rows: list[str], head: str = "version: 1\nn_points: 68\n") -> str:
    return head + "{\n" + "\n".join(rows) + "\n}\n"


def test_coordinates_of_pts_files_count_from_one(tmp_path: Path) -> None:
    path = tmp_path / "a.pts"
    path.write_text(pts([f"{i + 1}.5 {2 * i + 1}" for i in range(68)]))
    assert np.allclose(read_pts(path), [(i + 0.5, 2 * i) for i in range(68)])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not a .pts file"),
        (pts(["1 2"] * 67), "67 points"),
        (pts(["1 x"] * 68), "not a .pts file"),
        (pts(["1 nan"] * 68), "no finite number"),
    ],
)
def test_a_damaged_pts_file_is_refused_with_the_reason(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "a.pts"
    path.write_text(text)
    with pytest.raises(BadAnnotation, match=reason):
        read_pts(path)


def test_mirroring_swaps_left_and_right() -> None:
    order = mirror_permutation()
    assert np.array_equal(order[order], np.arange(68))
    swaps = {
        0: 16,
        17: 26,
        36: 45,
        41: 46,
        48: 54,
        31: 35,
        60: 64,
        8: 8,
        27: 27,
        33: 33,
        51: 51,
        57: 57,
        62: 62,
        66: 66,
    }
    assert {i: int(order[i]) for i in swaps} == swaps
    members = {part: sorted(i for line in lines for i in line) for part, (lines, _) in PARTS.items()}
    for part in ("brow", "eye"):
        assert sorted(order[members[f"right_{part}"]]) == members[f"left_{part}"]


def test_a_mirrored_point_is_on_the_mirrored_pixel() -> None:
    points = np.zeros((68, 2), np.float32)
    points[36] = (3, 5)
    image = np.zeros((16, 16))
    image[5, 3] = 1
    x, y = mirror(points, 16)[45]
    assert image[:, ::-1][int(y), int(x)] == 1


def test_point_maps_are_gaussians_around_the_points() -> None:
    points = torch.full((1, 68, 2), 20.0)
    points[0, 7] = torch.tensor([4.0, 9.0])
    maps = draw_points(points, 32, sigma=1.5)
    assert maps.shape == (1, 68, 32, 32)
    assert maps[0, 7, 9, 4] == 1
    assert maps[0, 7, 11, 5].item() == pytest.approx(np.exp(-(1 + 4) / (2 * 1.5**2)), rel=1e-5)


def test_part_maps_are_bright_on_their_lines_only() -> None:
    points = torch.full((1, 68, 2), -100.0)
    points[0, 17:22] = torch.tensor([[4.0 + 4 * i, 10.0] for i in range(5)])
    maps = draw_parts(points, 32, sigma=1.0)[0]
    brow = maps[list(PARTS).index("right_brow")]
    assert brow[10, 5:19].min() > 0.95
    assert brow[14:].max() < 0.01
    assert brow[:, 25:].max() < 0.01
    others = [i for i, part in enumerate(PARTS) if part != "right_brow"]
    assert maps[others].max() < 1e-6
