"""A trial's publications in a bucket: killed between any two of them, it goes on as if nothing had happened."""

from collections.abc import Callable
from typing import Any

import pytest

from cluster.storage.uri import StorageURI
from cluster.studies.study_store import StudyStore
from facegan.errors import UserError
from facegan.study.folder.trial_folder import MetricsRow

pytestmark = pytest.mark.s3


def work(store: StudyStore, images: int) -> None:
    """Rows and a checkpoint at `images`, in the order of a trial's own pen."""
    with store.trial("key") as trial:
        trial.fetch_checkpoint()
        trial.folder.path.mkdir(parents=True, exist_ok=True)
        trial.folder.append_row(MetricsRow(images, 1.0, 0.0, {}))
        trial.folder.checkpoint.mkdir(exist_ok=True)
        (trial.folder.checkpoint / "state.json").write_text(str(images))
        trial.folder.write_state("RUNNING", images=images, seconds=1.0, passes={})
        trial.publish(now=True)


def seen(store: StudyStore) -> tuple[list[int], int, int]:
    """Images of the rows, of the checkpoint and of the state, as another node finds them."""
    with store.trial("key") as trial:
        trial.fetch_checkpoint()
        state = trial.folder.checkpoint / "state.json"
        kept = int(state.read_text()) if state.exists() else 0
        return [row.images for row in trial.folder.rows()], kept, trial.folder.state().images


def test_another_node_finds_what_was_published(moto: str) -> None:
    store = StudyStore(StorageURI("s3://faces/studies/whole"))
    work(store, 8)
    work(store, 16)
    assert seen(store) == ([8, 16], 16, 16)


@pytest.mark.parametrize("survives", range(3))
def test_killed_between_publications(moto: str, survives: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are never behind the checkpoint, nor the checkpoint behind the state."""
    store = StudyStore(StorageURI(f"s3://faces/studies/killed-{survives}"))
    work(store, 8)
    written = 0

    def counted(real: Callable[..., str]) -> Callable[..., str]:
        def send(*arguments: Any, **named: Any) -> str:
            nonlocal written
            written += 1
            if written > survives:
                raise ConnectionAbortedError("killed")
            return real(*arguments, **named)

        return send

    with monkeypatch.context() as patch:
        patch.setattr(StorageURI, "replace", counted(StorageURI.replace))
        with pytest.raises(ConnectionAbortedError):
            work(store, 16)
    rows, kept, said = seen(store)
    assert max(rows) >= kept >= said, "a resumed run lacks what led to its checkpoint"
    assert (rows, kept, said) == [([8], 8, 8), ([8, 16], 8, 8), ([8, 16], 16, 8)][survives]


def test_a_run_that_was_given_up_undoes_nothing(moto: str) -> None:
    """Its node was cut off while it published, and is back after the trial was run to its end elsewhere."""
    store = StudyStore(StorageURI("s3://faces/studies/cut"))
    work(store, 8)
    with store.trial("key") as lost:
        lost.fetch_checkpoint()
        lost.folder.append_row(MetricsRow(16, 1.0, 0.0, {}))
        (lost.folder.checkpoint / "state.json").write_text("16")
        lost.folder.write_state("RUNNING", images=16, seconds=1.0, passes={})
        work(store, 16)
        work(store, 24)
        with pytest.raises(UserError, match="written by another run of this trial"):
            lost.publish(now=True)
        for late in (lost.folder.path / "metrics.jsonl", lost.folder.path / "state.json"):
            with pytest.raises(UserError, match="another run"):
                lost._replace(late)
        with pytest.raises(UserError, match="another run"):
            lost._publish_checkpoint()
    assert seen(store) == ([8, 16, 24], 24, 24)


def test_a_place_with_other_things_is_refused(moto: str) -> None:
    StorageURI("s3://faces/other").write("x", b"")
    with pytest.raises(UserError, match="other objects under it"):
        StudyStore(StorageURI("s3://faces/other")).check()
