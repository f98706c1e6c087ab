"""Running `facegan` on one machine or many: Ray, MLflow, object storage and the command line.

The packages from top to bottom, where each one imports those below it only:
`cli`, `evaluation`; `studies`; `datasets`, `tracking`; `runtime`, `doctor`; `storage`.
"""
