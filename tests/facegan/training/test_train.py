"""The loop: exact resume, divergence, progress, data parallelism."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import spawn

from facegan.config import Config
from facegan.data.reading.face_data import FaceData, open_data
from facegan.errors import UserError
from facegan.training import checkpoint
from facegan.training.state import TrainState, new_state
from facegan.training.train import Diverged, Progress, train
from tests.serving import free_port

CPU = torch.device("cpu")


def tensors(state: TrainState) -> dict[str, torch.Tensor]:
    networks = {"generator": state.generator, "discriminator": state.discriminator}
    return {f"{name}.{k}": v for name, net in networks.items() for k, v in net.state_dict().items()}


def assert_bit_equal(a: TrainState, b: TrainState) -> None:
    ours, theirs = tensors(a), tensors(b)
    assert all(torch.equal(ours[k], theirs[k]) for k in ours)


def science(progress: list[Progress]) -> list[tuple[int, dict[str, float]]]:
    return [(p.images, {k: v for k, v in p.metrics.items() if k != "images_per_second"}) for p in progress]


def test_resume_equals_the_uninterrupted_run_bit_for_bit(data: FaceData, tiny: Config, tmp_path: Path) -> None:
    whole = new_state(tiny, CPU)
    rows = list(train(whole, data))
    interrupted = new_state(tiny, CPU)
    for progress in train(interrupted, data):
        if progress.at_checkpoint:
            checkpoint.save(interrupted, tmp_path / "checkpoint")
            break
    resumed = checkpoint.load(tmp_path / "checkpoint", tiny, CPU)
    assert resumed is not None
    assert resumed.images == 16
    rest = list(train(resumed, data))
    assert science(rest) == science(rows)[2:]
    assert_bit_equal(resumed, whole)
    assert resumed.passes == whole.passes


def test_the_same_seed_gives_the_same_run(data: FaceData, tiny: Config) -> None:
    a, b = new_state(tiny, CPU), new_state(tiny, CPU)
    assert science(list(train(a, data))) == science(list(train(b, data)))
    assert_bit_equal(a, b)


def test_divergence_names_the_term(data: FaceData, tiny: Config) -> None:
    state = new_state(tiny, CPU)
    with torch.no_grad():
        state.generator.last.weight[0] = float("nan")
    with pytest.raises(Diverged, match="loss/pixel"):
        list(train(state, data))


def test_the_last_image_is_a_checkpoint(data: FaceData, tiny: Config) -> None:
    config = tiny.override({"images": 24})
    progress = list(train(new_state(config, CPU), data))
    assert [(p.images, p.at_checkpoint) for p in progress] == [(8, False), (16, True), (24, True)]


def _worker(rank: int, world: int, port: int, folder: str, config: Config, out: str) -> None:
    torch.set_num_threads(1)
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "GLOO_SOCKET_IFNAME": "lo"}
    dist.init_process_group("gloo", rank=rank, world_size=world)
    state = new_state(config, CPU)
    rows = science(list(train(state, open_data(Path(folder)))))
    if rank == 0:
        torch.save({"tensors": tensors(state), "rows": rows, "passes": state.passes}, out)
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_gloo_workers_equal_one_process(data_folder: Path, data: FaceData, tiny: Config, tmp_path: Path) -> None:
    # SGD-sized steps: Adam turns a rounding error of a near-zero gradient into a whole step.
    config = tiny.override({"optim.generator_lr": 1e-5})
    alone = new_state(config, CPU)
    rows = science(list(train(alone, data)))
    out = tmp_path / "two.pt"
    spawn(_worker, args=(2, free_port(), str(data_folder), config, str(out)), nprocs=2)
    two: dict[str, Any] = torch.load(out, weights_only=True)
    for (images, ours), (_, theirs) in zip(rows, two["rows"], strict=True):
        for name, value in ours.items():
            assert theirs[name] == pytest.approx(value, rel=2e-3, abs=1e-4), (images, name)
    assert two["passes"] == alone.passes, "passes count all ranks"
    mine = tensors(alone)
    assert all(torch.allclose(mine[k], v, atol=2e-4) for k, v in two["tensors"].items())


def test_a_batch_that_the_workers_cannot_share_is_refused(
    data: FaceData, tiny: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facegan.training.train.rank_and_world", lambda: (0, 3))
    with pytest.raises(UserError, match="a multiple of the 3 workers"):
        next(train(new_state(tiny, CPU), data))


def test_a_branch_trains_on_the_batches_after_those_of_its_warm_up(data: FaceData, tiny: Config) -> None:
    """Equal losses of the same weights: batch 2 of the whole run is batch 0 of the branch."""
    config = tiny.override({"report_every": 4, "images": 12, "optim.generator_lr": 0.0, "optim.discriminator_lr": 0.0})
    rows = [p.metrics["loss/pixel"] for p in train(new_state(config, CPU), data)]
    branch = config.override({"warm_up": 8, "images": 4})
    assert [p.metrics["loss/pixel"] for p in train(new_state(branch, CPU), data)] == rows[2:]
    assert len(set(rows)) == 3
