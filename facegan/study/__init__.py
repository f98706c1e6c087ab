"""Ablation studies: what is compared, the files of a study, the statistics, and the conclusions.

design       factors, arms, budgets and the plan of all trials
folder       the study folder, in which a plan and its trials are stored
cost         hours, storage and dollars, before a study starts and while it runs
analysis     the statistics, from a plan and a study folder
search       which candidates of a search go on, what that costs, and what it found
conclusions  answers in words with numbers, and summary.json

Each package imports only those above it. Nothing here trains or draws: trials are run by `facegan.trial`, figures and
the report are made by `facegan.report`. Importing these packages loads no torch.
"""
