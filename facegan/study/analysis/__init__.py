"""The statistics of a study: runs, linear model, effects, intervals."""
