"""Serves a folder to browsers of this machine, on the loopback interface."""

import sys
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from facegan.errors import UserError

LOOPBACK = "127.0.0.1"
_POLICY = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'"
"""What a browser lets the page load; the page says it too, but not for its workers."""
_TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}


class LiveServer(ThreadingHTTPServer):
    """A server of one folder. Raises UserError if the port is taken; port 0 is any free one."""

    daemon_threads = True

    def __init__(self, folder: Path, port: int) -> None:
        try:
            super().__init__((LOOPBACK, port), partial(_Handler, directory=str(folder)))
        except OSError as error:
            reason = error.strerror or error
            raise UserError(f"--port is {port}: cannot be listened on ({reason}); give another, or 0 for a free one") from None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a browser that has closed a connection."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    @property
    def url(self) -> str:
        """The address of the folder's index.html."""
        return f"http://{LOOPBACK}:{self.server_port}/"


class _Handler(SimpleHTTPRequestHandler):
    """Files only, and only for pages of this server.

    A page of another server cannot read them either: the name in a request's `Host` is checked, since that server's owner can
    let a name of his own point to this machine.
    """

    # The machine's own table of types can be anything; a browser runs a module only if it is sent as JavaScript.
    extensions_map = {**_TYPES, "": "application/octet-stream"}  # noqa: RUF012
    server: LiveServer

    def send_head(self) -> Any:
        port = self.server.server_port
        if self.headers.get("Host") not in (f"{LOOPBACK}:{port}", f"localhost:{port}"):
            self.send_error(HTTPStatus.FORBIDDEN)
            return None
        return super().send_head()

    def list_directory(self, path: Any) -> None:
        self.send_error(HTTPStatus.NOT_FOUND)

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", _POLICY)
        self.send_header("Cache-Control", "no-cache")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: the page's own requests are no news."""
