"""A bad network between an S3 client and its server, both on this machine."""

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one request."""

    status: int = 0
    """Answer this and let the server see nothing."""
    code: str = ""
    """The name of the error in that answer."""
    lost: bool = False
    """Let the server do it, and close the connection instead of the answer."""
    cut: int | None = None
    """Close the connection after so many bytes of the answer's body."""
    pause: float = 0.0
    """Seconds before each 64 KiB of the answer's body, and before one without a body."""
    method: str = ""
    """Wait for a request of this method; any, where empty."""


@dataclass
class Proxy:
    """Passes requests on to a server, with faults, and counts."""

    server: str
    """URL of the server."""
    faults: deque[Fault] = field(default_factory=deque)
    """For the next requests, one for each."""
    always: Fault = Fault()
    """For all requests for which `faults` has nothing."""
    requests: list[str] = field(default_factory=list)
    """Method and path of each request."""
    sent: int = 0
    """Bytes of bodies that were sent to clients."""
    url: str = ""

    def next_fault(self, method: str) -> Fault:
        """The fault of this request."""
        if self.faults and self.faults[0].method in ("", method):
            return self.faults.popleft()
        return self.always if self.always.method in ("", method) else Fault()


@contextmanager
def proxy_to(server: str) -> Iterator[Proxy]:
    """A proxy before the server, which listens on a free port of this machine."""
    proxy = Proxy(server)

    class Handler(_Handler):
        """Requests of this proxy."""

    Handler.proxy = proxy
    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    proxy.url = f"http://127.0.0.1:{listener.server_port}"
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield proxy
    finally:
        listener.shutdown()
        thread.join()
        listener.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: Proxy

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the proxy counts."""

    def _relay(self) -> None:
        self.close_connection = True  # so that each request meets its own fault
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.proxy.requests.append(f"{self.command} {self.path}")
        fault = self.proxy.next_fault(self.command)
        if fault.status:
            reason = f"<Error><Code>{fault.code}</Code></Error>".encode() if fault.code else b""
            self._answer(fault.status, {"Content-Length": str(len(reason))})
            self._send(reason)
            return
        upstream = HTTPConnection(urlsplit(self.proxy.server).netloc)
        try:
            headers = {name: value for name, value in self.headers.items() if name.lower() not in ("expect", "connection")}
            upstream.request(self.command, self.path, content, headers)
            answer = upstream.getresponse()
            if not fault.lost:
                self._pass_on(answer, fault)
        except (OSError, HTTPException):
            pass  # the server or the client is gone: the other one sees the connection end, as without a proxy
        finally:
            upstream.close()

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _relay

    def _pass_on(self, answer: HTTPResponse, fault: Fault) -> None:
        passed = {
            n: v for n, v in answer.getheaders() if n.lower() not in ("connection", "transfer-encoding", "server", "date")
        }
        if answer.chunked:  # a listing, say; its length is known at its end only
            content = answer.read()
            self._answer(answer.status, passed | {"Content-Length": str(len(content))})
            self._send(content)
            return
        if not answer.length:
            time.sleep(fault.pause)
        self._answer(answer.status, passed)
        left = answer.length or 0 if fault.cut is None else fault.cut
        while chunk := answer.read(min(_CHUNK, left)):
            time.sleep(fault.pause)
            self._send(chunk)
            left -= len(chunk)

    def _answer(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in (headers | {"Connection": "close"}).items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, content: bytes) -> None:
        self.wfile.write(content)
        self.proxy.sent += len(content)
