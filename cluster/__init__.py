"""Running `facegan` on one machine or many: Ray, MLflow, object storage and the command line.

The packages from top to bottom, where each one imports those below it only:
`cli`, `evaluation`; `studies`; `datasets`, `tracking`; `runtime`, `doctor`; `storage`.

Importing the package sets two variables of Ray, which Ray reads when it is imported. Without the first a Ray on this machine
would replace 127.0.0.1 by the machine's address, and its servers would listen on all interfaces. The second leaves out Ray's
kilobyte of text on a worker that died, of which the console says in a line what it was doing.
"""

import os

if "RAY_ADDRESS" not in os.environ:
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", "A worker died or was killed while executing a task")
