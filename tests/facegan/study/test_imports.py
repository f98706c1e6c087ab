"""Reading and summarising a study needs no deep-learning framework, so that jobs refuse a bad flag in well under a second."""

import json
import subprocess
import sys

SCRIPT = """
import importlib, json, pkgutil, sys
for name in ("design", "folder", "cost", "analysis", "conclusions"):
    package = importlib.import_module(f"facegan.study.{name}")
    for module in pkgutil.iter_modules(package.__path__):
        if module.name != "probe":  # it measures torch
            importlib.import_module(f"facegan.study.{name}.{module.name}")
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""


def test_importing_the_study_packages_loads_no_slow_library() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert {"facegan", "numpy"} <= loaded
    assert not loaded & {"torch", "cv2", "matplotlib", "scipy", "pandas", "pyarrow"}
