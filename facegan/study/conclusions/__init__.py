"""What a study found, in words with numbers: the content of summary.json.

answers    for each factor and headline metric: does switching it on help, hurt, or is it undecided?
claims     the claims of the plan; `target_conditioning`, `feature_over_pixel` and `synergy` examine them, `group_study` is what
           they share
change     of a comparison: is the changed configuration better, worse or equal within margins, and at what cost?
next_look  whether a study that grows until it is answered goes on
verdict    for each arm: does it follow the target or copy the source?
arms       scores of each arm over its seeds
gradients  for each arm: which terms of its loss agree, conflict and dominate
summary    all of it, with parity
cost       what the study was to cost and what it did, and what a limit left out
run_table  runs.parquet: every score as a long table
planned_power  what a design will be able to find, before it is run

To add a conclusion, give it a frozen dataclass beside the function that makes it, add it as a field of `summary.Summary`, and
show it in a template of `facegan.report`. Sentences are made here, so that the console, MLflow and the report agree.
"""
