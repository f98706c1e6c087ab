"""Run the trials of a study on Ray and keep its folder.

- `arguments.py`: the flags that all study jobs share. They are checked without importing Ray or torch.
- `run_study.py`: the whole study from data set to report. Start reading here.
- `sweep.py`: the trials on Ray Tune; `asha.py`: early stopping of candidates. `data_parallel.py`: one run on Ray Train.
- `tune_callbacks.py`, `train_failures.py`: what the console says of failures.
- `reuse.py`: take over finished trials of another study.
- `study_store.py`, `trial_store.py`: the study folder on all nodes, also of a study at a remote URI.
- `progress.py`, `references.py`: what runs next to the trials.

A trial that is killed is started again by Tune or by the next run of the job; `facegan.trial.run_trials` fetches its
last checkpoint, drops the metrics that were written after it, and continues as if the run had not stopped. A checkpoint is
replaced as a whole (`facegan.training.checkpoint.save`), and of a remote study `TrialStore.publish` uploads it as one object
before the trial's state, so a kill at any moment leaves the previous checkpoint or the new one.

The design of a study, its analysis and its report belong to `facegan`. May import `cluster.datasets`, `cluster.runtime`,
`cluster.storage`, `cluster.tracking` and `facegan`.
"""
