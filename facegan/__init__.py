"""The science: a landmark-conditioned face GAN, its loss terms, and the statistics of ablating them.

A trial is a run of `training` in a folder: `trial` starts it and `scorer` scores it. It is configured by `config` and
`presets`, and the formulas of its terms are in `losses`. Networks are in `nets`, input in `data`, `landmarks` and `synthetic`,
scores in `metrics`, whole studies in `study`, figures and the report in `report`, the page that draws in a browser in `live`,
and videos of a moved face in `reenact`. `outputs` writes all of a study's outputs.
`errors` holds the error for users' mistakes, and `records` reads JSON into dataclasses.

To add a loss term, give it a weight, a label and a group in `config.LossConfig` and a formula in `losses.FORMULAS`. To add an
optimizer, add its options to `optim_config.OptimConfig` and build it in `training.state.new_state`; checkpoints save whatever
state it has.

Needs torch, numpy, pyarrow and OpenCV. Knows neither Ray nor MLflow nor storage URIs.
"""
