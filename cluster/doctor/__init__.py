"""Checks of a machine before a job: what would stop it, and how to fix that.

- `check_result.py`: CheckResult, the outcome of one check: ok, FAIL or not checked.
- `machine.py`: checks of Python, packages, GPUs, OpenCV, disks, limits and shared memory.
- `services.py`: checks of Ray's ports and token, secret files, storage and its clock, MLflow.
- `diagnose.py`: all checks in order.

A check returns a CheckResult and does not raise. A new check is a function in `machine.py` or `services.py` and a line in
`diagnose.py`. Large packages are imported inside the checks that need them.
"""
