"""A proxy that injects faults between an S3 client and its server, both on this machine."""

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
    """The fault of one request."""

    status: int = 0
    """Answer with this status; the server does not receive the request."""
    code: str = ""
    """The error code in that answer."""
    lost: bool = False
    """Pass the request on, and close the connection instead of answering."""
    cut: int | None = None
    """Close the connection after this many bytes of the answer's body."""
    pause: float = 0.0
    """Seconds of waiting before each 64 KiB of the answer's body, and before an answer without a body."""
    method: str = ""
    """Apply to the next request with this HTTP method; empty: to any."""


@dataclass
class Proxy:
    """Passes requests on to a server with faults, and records them."""

    server: str
    """URL of the server."""
    faults: deque[Fault] = field(default_factory=deque)
    """Faults of the next requests, one each."""
    always: Fault = Fault()
    """The fault of all requests for which `faults` has none."""
    requests: list[str] = field(default_factory=list)
    """Method and path of each request."""
    sent: int = 0
    """Bytes of the bodies sent to clients."""
    url: str = ""

    def next_fault(self, method: str) -> Fault:
        """The fault of this request."""
        if self.faults and self.faults[0].method in ("", method):
            return self.faults.popleft()
        return self.always if self.always.method in ("", method) else Fault()


@contextmanager
def proxy_to(server: str) -> Iterator[Proxy]:
    """Start a proxy for a server on a free port of this machine."""
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
        """Log nothing: the proxy records requests."""

    def _relay(self) -> None:
        self.close_connection = True  # so that each request gets its own fault
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
            pass  # the server or the client has ended: the other one sees a closed connection, as without a proxy
        finally:
            upstream.close()

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _relay

    def _pass_on(self, answer: HTTPResponse, fault: Fault) -> None:
        passed = {
            n: v for n, v in answer.getheaders() if n.lower() not in ("connection", "transfer-encoding", "server", "date")
        }
        if answer.chunked:  # such as a listing, whose length is known only at its end
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
