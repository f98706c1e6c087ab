"""The study folder: the files that jobs write and that every analysis, figure and report reads.

plan.json                 the plan, written before the first trial and extended by seeds (`study_folder`)
trials/<key>/             one folder for each trial (`trial_folder`)
    config.json           configuration of the trial
    state.json            its progress
    conditions.json       hashes of its start weights and first batches, device, peak memory
    metrics.jsonl         one line for each report of the training loop
    samples/<images>.png  held-out faces drawn during training
    checkpoint/           networks and optimizers
    scores.json           metric card of the final generator
    timing.json           how long its process took (`facegan.study.cost.timing`)
cost.json                 what was estimated and spent (`facegan.study.cost.spending`)
references.json, discrimination.json, summary.json, runs.parquet, report.html and figures are made from these by
`facegan.outputs`.

Each JSON file is a frozen dataclass, written with `dataclasses.asdict` and read through `facegan.records`: a damaged file, or
one of another version, ends in one UserError that names it. To add a field, add it to the dataclass; older files are refused.
"""
