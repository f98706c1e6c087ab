"""The evaluation of generated faces on people who were not trained on.

`table` says what each metric means. `pairs` chooses the frames. `faces` is what the evaluators of `evaluators` (configured in
`evaluation_config`, networks in `backbones`) see in images, and `evaluation_set` holds the real frames with that. `measure`
measures every metric of images, `probes` those of a generator. `plane`, `image_quality`, `landmark_scores`, `kid` and
`discrimination` hold the formulas, `warp` the reference row without parameters. `card` summarises scores with intervals,
`evaluation` puts all of it together, clip by clip, and `caveats` reads off a card what limits claims. `validation` is the score
during training.

To add a metric, add its row to `table` and compute it in `measure`. To add a network that a metric needs, change two files:
write `backbones/<name>.py` with a class that has `sha256` and `measure(images, targets)`, and give it in `evaluation_config` a
field for its weights and a row in `OPTIONAL_BACKBONES`. Flag, download, check against the networks of the losses, description
in results and the note "not measured" follow from the row; a new metric still needs its row in `table`. Another embedding
for identity takes its module and `build_evaluators` in `evaluators`; a landmark detector: see `facegan.landmarks`.
"""
