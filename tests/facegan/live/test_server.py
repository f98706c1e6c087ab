"""The server of a live page: files of one folder, to pages of this machine."""

import http.client
from collections.abc import Iterator
from pathlib import Path

import pytest

from facegan.errors import UserError
from facegan.live.server import LiveServer
from tests.facegan.live.conftest import serving


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    folder = tmp_path / "live"
    (folder / "networks").mkdir(parents=True)
    (folder / "index.html").write_text("the page")
    (folder / "main.js").write_text("")
    (folder / "icon.svg").write_text("")
    (folder / "networks" / "0.onnx").write_bytes(b"\0")
    (tmp_path / "secret.txt").write_text("not for the page")
    with serving(folder) as server:
        yield server


def ask(server: LiveServer, path: str, host: str = "") -> tuple[int, str, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.request("GET", path, headers={"Host": host or f"127.0.0.1:{server.server_port}"})
    answer = connection.getresponse()
    found = answer.status, answer.getheader("Content-Type", ""), answer.read()
    connection.close()
    return found


def test_files_are_served_with_the_types_that_browsers_ask_for(server: LiveServer) -> None:
    assert ask(server, "/") == (200, "text/html", b"the page")
    assert ask(server, "/main.js")[:2] == (200, "text/javascript")
    assert ask(server, "/icon.svg")[:2] == (200, "image/svg+xml")
    assert ask(server, "/networks/0.onnx") == (200, "application/octet-stream", b"\0")
    assert ask(server, "/main.js", f"localhost:{server.server_port}")[0] == 200


@pytest.mark.parametrize("path", ["/networks/", "/../secret.txt", "/%2e%2e/secret.txt", "/nothing"])
def test_nothing_else_is_served(server: LiveServer, path: str) -> None:
    code, _, content = ask(server, path)
    assert code == 404 and b"not for the page" not in content and b"0.onnx" not in content


def test_a_name_that_leads_to_this_machine_is_refused(server: LiveServer) -> None:
    """A page of another site could read the folder if its owner's name pointed to 127.0.0.1."""
    assert ask(server, "/", f"example.org:{server.server_port}")[0] == 403
    assert ask(server, "/", "127.0.0.1:1")[0] == 403


def test_only_this_machine_can_connect(server: LiveServer) -> None:
    assert server.server_address[0] == "127.0.0.1" and server.url == f"http://127.0.0.1:{server.server_port}/"


def test_a_port_that_is_taken_is_a_users_mistake(server: LiveServer, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"--port is {server.server_port}: cannot be listened on .* or 0 for a free one"):
        LiveServer(tmp_path, server.server_port)
