"""What the page is made of: files of known content, and no address of another server."""

import gzip
import hashlib
import json
import re
from pathlib import Path

import facegan.live

LIVE = Path(facegan.live.__file__).parent
VENDOR = LIVE / "vendor"


def test_vendored_files_are_those_of_the_named_versions() -> None:
    packages = json.loads((VENDOR / "vendor.json").read_text())
    files = {name: file for package in packages.values() for name, file in package["files"].items()}
    licences = {package["license"] for package in packages.values()}
    assert {path.name for path in VENDOR.iterdir()} == {*files, *licences, "vendor.json"}
    for name, file in files.items():
        content = (VENDOR / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == file["sha256"], name
        if "sha256_unpacked" in file:
            assert hashlib.sha256(gzip.decompress(content)).hexdigest() == file["sha256_unpacked"], name
    runtime = f"ONNX Runtime Web v{packages['onnxruntime-web']['version']}".encode()
    assert runtime in (VENDOR / "ort.wasm.bundle.min.js").read_bytes()
    assert "MIT License" in (VENDOR / "LICENSE.onnxruntime").read_text()
    assert "Apache License" in (VENDOR / "LICENSE.mediapipe").read_text()


def test_the_page_names_no_other_server() -> None:
    for path in (LIVE / "page").iterdir():
        addresses = set(re.findall(r"(?:\w+:)?//[\w.-]+\.\w+[^\s\"'`]*", path.read_text()))
        assert addresses <= {"http://www.w3.org/2000/svg"}, path  # a name of XML, which nobody asks for


def test_the_pages_files_are_short() -> None:
    assert [path.name for path in (LIVE / "page").iterdir() if path.read_text().count("\n") > 250] == []
