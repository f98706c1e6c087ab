"""Figure 2 of the poster: its tiles, pairs of frames and layout."""

from pathlib import Path

import cv2
import numpy as np
import torch
from matplotlib import colormaps

from facegan.data.reading.face_data import FaceData
from facegan.inference import image_generator
from facegan.metrics.pairs import images_of
from facegan.report.figure2 import NO_RESULT, choose_rows, figure2, figure2_tiles, write_figure2
from facegan.report.sheets import landmark_tile
from facegan.study.design.plan import Plan
from facegan.study.folder.trial_folder import trial_folder
from facegan.training import checkpoint

WITHOUT_RESULT = "no_feature"


def test_given_tiles_show_landmarks_source_and_target(study: tuple[Path, Plan], data: FaceData) -> None:
    root, plan = study
    pairs = choose_rows(data, 6)
    assert pairs.clip == list(data.clips("test", 0.0)), "one row for each test clip, none of training"
    rows = figure2_tiles(root, plan, data)
    assert [len(row) for row in rows] == [12, 12]
    for i, row in enumerate(rows):
        source, target = int(pairs.source[i]), int(pairs.target[i])
        assert {source, target} <= set(data.clips("test", 0.0)[pairs.clip[i]].tolist())
        scale = len(row[0]) // data.size
        assert (row[0] == landmark_tile(data.points[source], data.size, scale)).all()
        assert (row[1] == data.image(source)).all()
        assert (row[2] == landmark_tile(data.points[target], data.size, scale)).all()
        assert (row[3] == data.image(target)).all()
    assert (rows[0][0] != rows[0][2]).any()


def test_each_arm_has_its_image_and_viridis_error_in_its_own_column(study: tuple[Path, Plan], data: FaceData) -> None:
    root, plan = study
    pairs, rows = choose_rows(data, 6), figure2_tiles(root, plan, data)
    viridis = colormaps["viridis"](np.arange(256), bytes=True)[:, :3]
    for a, trial in enumerate(plan.trials):
        if trial.arm == WITHOUT_RESULT:
            assert all((row[c] == NO_RESULT).all() for row in rows for c in (4 + a, 8 + a))
            continue
        generator, config = checkpoint.load_generator(trial_folder(root, trial).checkpoint)
        drawn = image_generator(generator, config, torch.device("cpu"))(
            images_of(data, pairs.source), data.points[pairs.target]
        )
        for i, row in enumerate(rows):
            assert (row[4 + a] == drawn[i]).all(), trial.arm
            error = np.abs(drawn[i].astype(float) - data.image(int(pairs.target[i]))).mean(axis=-1)
            place = np.minimum((np.minimum(error / 96, 1) * 256).astype(int), 255)
            assert np.abs(row[8 + a].astype(float) - viridis[place].astype(float)).max() <= 1
    assert (rows[0][4] != rows[0][7]).any(), "two arms drew the same image, so their order is not tested"


def test_chosen_pairs_differ_more_than_random_ones(data: FaceData) -> None:
    pairs = choose_rows(data, 6)
    points = np.asarray(data.points)
    centred = points - points.mean(axis=1, keepdims=True)
    chosen = np.abs(centred[pairs.source] - centred[pairs.target]).mean(axis=(1, 2))
    for motion, clip in zip(chosen, pairs.clip, strict=True):
        rows = data.clips("test", 0.0)[clip]
        everything = np.abs(centred[rows][:, None] - centred[rows][None]).mean(axis=(2, 3))
        assert motion > np.median(everything[everything > 0])


def test_images_are_enlarged_without_blurring(study: tuple[Path, Plan], data: FaceData) -> None:
    root, plan = study
    write_figure2(root, plan, data)
    sheet = cv2.imread(str(root / "figure2.png"))
    assert sheet is not None
    tile = figure2_tiles(root, plan, data)[0][1]
    large = tile.repeat(4, axis=0).repeat(4, axis=1)[:, :, ::-1]
    found = cv2.matchTemplate(sheet, np.ascontiguousarray(large), cv2.TM_SQDIFF)
    assert found.min() <= large.size, "the input image, each pixel a square of four, is not in the figure"
    texts = [t.get_text() for axes in figure2(root, plan, data).axes for t in axes.texts]
    assert [t for t in texts if t in ("-Cons.", "-Pixel", "-Feature", "Full")] == ["-Cons.", "-Pixel", "-Feature", "Full"]
    assert texts.count("no result") == 2 * 2
