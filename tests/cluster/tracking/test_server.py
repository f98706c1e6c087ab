"""The question whether the tracking server answers, asked before a study starts."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from cluster.tracking.server import check_server
from facegan.errors import UserError


class Refuses(BaseHTTPRequestHandler):
    """Answers every request with 401."""

    def do_GET(self) -> None:
        self.send_error(401)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    """A server on a free port of loopback that asks for credentials."""
    found = HTTPServer(("127.0.0.1", 0), Refuses)
    thread = threading.Thread(target=found.serve_forever)
    thread.start()
    yield found
    found.shutdown()
    found.server_close()
    thread.join()


def test_a_server_that_answers_is_accepted_and_one_that_is_gone_is_not(
    server: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{server.server_port}")
    check_server()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")  # reserved, so nothing listens
    with pytest.raises(UserError, match=r"MLFLOW_TRACKING_URI is 'http://127.0.0.1:1': no answer .*start the server"):
        check_server()


@pytest.mark.parametrize("uri", ["", "sqlite:///mlflow.db", "file:///tmp/runs"])
def test_other_stores_need_no_server(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    check_server()
