"""What a study compares, decided before its first trial.

two_level   two-level designs: factorials and fractions of them, aliases, and a run order that stays balanced
arms        factors (groups of loss terms), arms (which factors are on), designs by name, candidates of a search
budget      what all arms get alike: images, compute or time
change      the two arms that compare a changed configuration with its base
analysis_plan  what will be asked: metrics, claims, smallest effects of interest, looks
plan        all trials of a study; keys that are hashes of what decides a trial's result

To add a design, add its rows to `two_level`, its name to `arms.DESIGNS` and its case to `arms._rows`. To add a budget, add a
kind to `budget.Kind`, its descriptions to `Budget`, and its checks to `facegan.study.analysis.parity`.
"""
