"""The question whether the tracking server answers, asked before a study starts."""

import pytest

from cluster.tracking.server import check_server
from facegan.errors import UserError


def test_a_server_that_answers_is_accepted_and_one_that_is_gone_is_not(
    refusing_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", refusing_server)
    check_server()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")  # reserved, so nothing listens
    with pytest.raises(UserError, match=r"MLFLOW_TRACKING_URI is 'http://127.0.0.1:1': no answer .*start the server"):
        check_server()


@pytest.mark.parametrize("uri", ["", "sqlite:///mlflow.db", "file:///tmp/runs"])
def test_other_stores_need_no_server(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    check_server()
