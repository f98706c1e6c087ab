"""The networks of the evaluators, and the reading and checking of their weight files.

Embeddings for identity: `arcface`, `dlib_networks`. Landmarks: `dlib_networks`, `finder_landmarks`. Comparisons of images with
their targets: `lpips`, `inception` (for KID). `weights` finds and reads weight files. How to add one: see `facegan.metrics`.
"""
