"""Names of training metrics that are written in one place and read in another. Imports no torch."""

GRADIENT_NORM, GRADIENT_SHARE, GRADIENT_COSINE = "gradient_norm", "gradient_share", "gradient_cosine"
IMAGE_GRADIENT_NORM = "image_gradient_norm"
"""Prefixes of the gradient diagnostics; `facegan.training.gradient_diagnostics` says what they are."""

GRADIENT_DIAGNOSTICS = (GRADIENT_NORM, GRADIENT_SHARE, GRADIENT_COSINE, IMAGE_GRADIENT_NORM)
"""All of them."""
