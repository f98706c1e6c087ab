"""Evaluate trained checkpoints on the cluster, apart from a study's own scores.

- `checkpoints.py`: read the checkpoints of one trial or of a study.
- `evaluate_checkpoints.py`: score them in Ray tasks, store the parts, combine them into evaluation.json.

The metrics and evaluators themselves belong to `facegan.metrics`, the tables of scores to `facegan.report`.
May import `cluster.datasets`, `cluster.runtime`, `cluster.storage`, `cluster.studies.study_store` and `facegan`.
"""
