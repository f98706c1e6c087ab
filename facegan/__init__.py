"""The science: a landmark-conditioned face GAN, its loss terms, and the statistics of ablating them.

A training run, top-down: `trial` -> `train` -> `step` -> `losses`, configured by `config` and `presets`, saved by `checkpoint`,
shared between ranks by `parallel`. Networks are in `nets`, input in `data`, `landmarks` and `synthetic`, scores in `metrics`,
whole studies in `study`, figures and the report in `report`; `outputs` writes all of a study's outputs.

Beside a run: `flops` counts the compute that `--budget flops` makes equal, `packing` measures how many trials share a device,
`errors` holds the error for users' mistakes, and `records` reads JSON into dataclasses.

To add a loss term, give it a weight, a label and a group in `config.LossConfig` and a formula in `losses.FORMULAS`. To add an
optimizer, add its options to `config.OptimConfig` and build it in `step.new_state`; checkpoints save whatever state it has.

Needs torch, numpy, pyarrow and OpenCV. Knows neither Ray nor MLflow nor storage URIs.
"""
