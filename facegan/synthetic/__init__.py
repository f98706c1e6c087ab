"""Rendered clips of synthetic people, a substitute for 300VW that needs no download and shows no real person.

`clips` writes the folders, one person per clip; `config` says how many. `person` draws a person at random and `motion` how the
person moves; `face` turns both into a posed head with 68 landmarks. `paint` draws a frame from back to front with `features`,
`hair` and `canvas`, lit by `light`; `scene` holds the background, the hair texture and the camera.

All randomness comes from the seed and the number of the clip. A change of the rendered pixels needs a new `GENERATOR_VERSION`.
"""
