"""A study goes on with the version of its data that it was planned on, and says so where that version is gone."""

import json
import shutil
from pathlib import Path

import pytest

from cluster.datasets.dataset import DataSet, existing
from cluster.datasets.remove import remove_clip
from cluster.datasets.versions import prune_versions
from cluster.storage.objects import Unreachable
from cluster.storage.uri import StorageURI
from cluster.studies.arguments import StudyArguments
from cluster.studies.cost_flags import CostFlags
from cluster.studies.price import print_plan
from cluster.studies.run_study import StudyRequest, _plan, prepare
from cluster.studies.study_data import data_of_study
from cluster.studies.study_store import StudyStore
from facegan.config import Config
from facegan.data.versions.manifest import manifest_key, to_bytes, without_clip
from facegan.errors import UserError
from facegan.study.design.arms import choose_design
from jobs import status
from tests.facegan.study.planted_study import finish_trial, planted_card


def change(data: Path) -> None:
    """Write version 2, without a clip that stays in version 1."""
    planned = existing(StorageURI(str(data)))
    manifest, tables = without_clip(planned.manifest(), "1002", planned.quarantine())
    for key, content in {**tables, manifest_key(2): to_bytes(manifest)}.items():
        (data / key).write_bytes(content)


@pytest.fixture
def study(data_folder: Path, tiny: Config, tmp_path: Path) -> tuple[StudyRequest, StudyStore, DataSet]:
    """A finished study of one arm, its request and its data, of which version 2 was written since."""
    data = shutil.copytree(data_folder, tmp_path / "data")
    request = StudyRequest(
        shared=StudyArguments(data=str(data), study=str(tmp_path / "study"), config=tiny),
        design="figure2",
        arms=choose_design("figure2", tiny, names=("full",)).arms,
        seeds=(0,),
    )
    planned, store = existing(StorageURI(str(data))), StudyStore(StorageURI(str(tmp_path / "study")))
    for trial in store.open(_plan(request, planned, (0,), "fp32")).trials:
        finish_trial(store.folder, trial, planted_card(10, 0.1, 0.2))
    change(data)
    assert existing(StorageURI(str(data))).version == 2
    return request, store, planned


def test_the_same_command_goes_on_with_the_planned_version(
    study: tuple[StudyRequest, StudyStore, DataSet], capsys: pytest.CaptureFixture[str]
) -> None:
    request, store, planned = study
    plan = store.plan()
    prepared = prepare(request)
    assert prepared.data == planned
    assert "version 1, which the study was planned on; the newest is 2\n" in capsys.readouterr().out
    assert prepared.plan((0,)) == plan


def test_its_price_is_that_of_the_planned_version(
    study: tuple[StudyRequest, StudyStore, DataSet], capsys: pytest.CaptureFixture[str]
) -> None:
    priced = print_plan(study[0], CostFlags(plan=True, json=True, images_per_second=1.0))
    assert priced.study == study[1].folder
    assert capsys.readouterr().out.startswith("{")


def test_a_study_whose_version_is_gone_says_so(study: tuple[StudyRequest, StudyStore, DataSet]) -> None:
    request, _, planned = study
    remove_clip(StorageURI(planned.uri), "1003")
    for ask in (lambda: prepare(request), lambda: print_plan(request, CostFlags(plan=True))):
        with pytest.raises(UserError, match=r"version 1 is gone: clip 1003 was removed for good; use the newest version"):
            ask()


def test_the_status_says_which_version_the_study_rests_on_and_that_it_is_gone(
    study: tuple[StudyRequest, StudyStore, DataSet], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, store, planned = study
    data = StorageURI(planned.uri)

    def said() -> str:
        status.main(status.Status(study=str(store.folder)))
        status.main(status.Status(study=str(store.folder), json=True))
        *lines, as_json = capsys.readouterr().out.splitlines()
        assert json.loads(as_json)["data"]["version"] == 1
        assert json.loads(as_json)["data"]["gone"] == ("" if lines[-1].endswith("version 1") else lines[-1].split(None, 1)[1])
        return str(lines[-1])

    assert said() == f"data     {planned.uri}, version 1"
    remove_clip(data, "1003")
    assert said().startswith(
        f"data     data set '{planned.uri}': version 1 is gone: clip 1003 was removed for good; use the newest"
    )
    capsys.readouterr()
    prune_versions(data)
    capsys.readouterr()
    assert "version 1 is gone (manifest-000001.json was deleted); use version 3 in a new study" in said()
    shutil.rmtree(planned.uri)
    assert "manifest-000001.json is missing; put the data set back" in said()


def test_the_status_of_a_study_whose_data_cannot_be_checked(
    study: tuple[StudyRequest, StudyStore, DataSet], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, store, planned = study

    def silent(data: StorageURI) -> set[str]:
        raise Unreachable("the server does not answer")

    monkeypatch.setattr("cluster.datasets.dataset.removed_clips", silent)
    status.main(status.Status(study=str(store.folder)))
    assert f"data     {planned.uri}, version 1, which cannot be checked: the server" in capsys.readouterr().out


def test_another_data_set_is_not_exchanged(study: tuple[StudyRequest, StudyStore, DataSet], tmp_path: Path) -> None:
    _, store, planned = study
    other = existing(StorageURI(str(shutil.copytree(planned.uri, tmp_path / "other"))))
    assert data_of_study(other, store) == other
    assert data_of_study(other, StudyStore(StorageURI(str(tmp_path / "new")))) == other
