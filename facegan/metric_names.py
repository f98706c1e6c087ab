"""Names of training metrics that are written in one place and read in another. Imports no torch."""

GRADIENT_NORM, GRADIENT_SHARE, GRADIENT_COSINE = "gradient_norm", "gradient_share", "gradient_cosine"
"""Prefixes of the gradient diagnostics; `facegan.gradient_diagnostics` says what they are."""
