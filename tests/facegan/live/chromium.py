"""Headless Chromium, driven over a pipe by the DevTools protocol: clicks, keys, scripts and screenshots as a user's."""

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

CHROMIUM = shutil.which("chromium")
_SECONDS = 120


class Chromium:
    """One browser with one page, without a network but this machine's own. `requests` are the addresses that it asked for.

    `camera`: a film in MJPEG that it shows again and again as the camera's, which it gives without asking.
    """

    def __init__(
        self, folder: Path, width: int = 1280, height: int = 900, *, dark: bool = False, camera: Path | None = None
    ) -> None:
        assert CHROMIUM is not None
        self._to_browser, self._from_browser = os.pipe(), os.pipe()
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
        flags += ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic"]
        flags += ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", f"--user-data-dir={folder / 'profile'}"]
        if camera is not None:
            flags += ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
            flags += [f"--use-file-for-fake-video-capture={camera}"]
        # Chromium reads commands from file 3 and answers on file 4.
        redirect = f'exec 3<&{self._to_browser[0]} 4>&{self._from_browser[1]}; exec "$@"'
        command = ["bash", "-c", redirect, "bash", CHROMIUM, *flags, "--remote-debugging-pipe"]
        inherited = (self._to_browser[0], self._from_browser[1])
        self._process = subprocess.Popen(command, pass_fds=inherited, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for end in inherited:
            os.close(end)
        self._answers = os.fdopen(self._from_browser[0], "rb")
        self._read = b""
        self._number = 0
        self._session = ""
        self.requests: list[str] = []
        self.errors: list[str] = []
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self._ask(f"{domain}.enable")
        self._ask("Target.setAutoAttach", autoAttach=True, waitForDebuggerOnStart=True, flatten=True)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self._ask("Emulation.setEmulatedMedia", features=scheme)
        self.resize(width, height)

    def __enter__(self) -> "Chromium":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.terminate()
        self._process.wait(timeout=20)
        self._answers.close()
        os.close(self._to_browser[1])

    def resize(self, width: int, height: int) -> None:
        """Give the window another size; a narrow one is a phone's."""
        self._ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)

    def open(self, url: str) -> None:
        """Go to an address; returns when its document and modules are loaded."""
        self._ask("Page.navigate", url=url)
        self.wait_for(f"location.href.startsWith({json.dumps(url)}) && document.readyState === 'complete'")

    def evaluate(self, script: str) -> Any:
        """The value of a script's expression, awaited if it is a promise."""
        answer = self._ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, script: str) -> Any:
        """The value of an expression as soon as it is true."""
        deadline = time.monotonic() + _SECONDS
        while not (value := self.evaluate(script)):
            assert time.monotonic() < deadline, f"never true: {script}; {self.errors}"
            time.sleep(0.1)
        return value

    def press(self, key: str, *, shift: bool = False) -> None:
        """Press and release a key, by its DOM name."""
        text = {"text": key} if len(key) == 1 else {}
        code = {"Tab": 9, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Escape": 27, " ": 32}.get(key, 0)
        for kind in ("keyDown", "keyUp"):
            self._ask(
                "Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, modifiers=8 if shift else 0, **text
            )
            text = {}

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Press the mouse's button at a place of the window, move to another, and release it."""
        for kind, (x, y) in (("mousePressed", start), ("mouseMoved", end), ("mouseReleased", end)):
            self._ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)

    def screenshot(self, file: Path, *, whole: bool = False) -> None:
        """Save what the window, or the whole page, looks like as a PNG."""
        data = self._ask("Page.captureScreenshot", captureBeyondViewport=whole)["data"]
        file.write_bytes(base64.b64decode(data))

    def _ask(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        self._send(method, self._session, self._number, parameters)
        for answer in self._messages():
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]
        raise AssertionError(f"Chromium ended before it answered {method}")

    def _send(self, method: str, session: str, number: int, parameters: dict[str, Any] | None = None) -> None:
        message = {"id": number, "method": method, "params": parameters or {}} | ({"sessionId": session} if session else {})
        os.write(self._to_browser[1], json.dumps(message).encode() + b"\0")

    def _messages(self) -> Iterator[dict[str, Any]]:
        while True:
            while b"\0" not in self._read:
                part = os.read(self._answers.fileno(), 1 << 16)
                if not part:
                    return
                self._read += part
            first, _, self._read = self._read.partition(b"\0")
            message = json.loads(first)
            self._note(message)
            yield message

    def _note(self, message: dict[str, Any]) -> None:
        match message.get("method"):
            case "Target.attachedToTarget" if self._session:  # a worker, which waits until its requests are listened to
                for method in ("Network.enable", "Runtime.runIfWaitingForDebugger"):
                    self._send(method, message["params"]["sessionId"], number=0)
            case "Network.requestWillBeSent":
                self.requests.append(message["params"]["request"]["url"])
            case "Runtime.exceptionThrown":
                self.errors.append(str(message["params"]["exceptionDetails"]))
            case "Log.entryAdded":
                self.errors.append(message["params"]["entry"]["text"])
