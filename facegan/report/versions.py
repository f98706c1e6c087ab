"""Versions of Python and of the packages that results depend on."""

import platform
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = ("torch", "numpy", "opencv-python", "torchmetrics", "dlib-bin", "pyarrow", "matplotlib")


def installed_versions() -> dict[str, str]:
    """The version of each, and the machine's kind."""
    found = {"python": platform.python_version(), "machine": f"{platform.system()} {platform.machine()}"}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
