"""The command line of the jobs.

`command_line.run_job` fills a dataclass from the command line with tyro, calls the job and turns a UserError into one line
and exit code 2. What the flags mean belongs to the jobs and to the package that they call.

May import `cluster.studies.arguments`, for the presets, and `facegan`. Everything here must import fast: `--help` and refusals
answer before Ray, torch or MLflow is imported.
"""
