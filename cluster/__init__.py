"""Running `facegan` on one machine or many: Ray, MLflow, object storage and the command line.

The packages from top to bottom, where each one imports those below it only:
`cli`, `evaluation`; `studies`; `datasets`, `tracking`; `runtime`, `doctor`; `storage`.

Importing the package sets one variable of Ray, which Ray reads when it is imported. Without it a Ray on this machine would
replace 127.0.0.1 by the machine's address, and its servers would listen on all interfaces.
"""

import os

if "RAY_ADDRESS" not in os.environ:
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
