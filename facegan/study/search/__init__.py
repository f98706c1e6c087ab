"""A search over values of the configuration: what its candidates measured, which of them to train again, and what came of it.

`objectives` reads off what candidates are compared by; `pareto` ranks them; `rungs` says which ones ASHA stops; `results` is
the search as a record, search.json. How candidates are proposed belongs to the plan: `facegan.study.design.candidates`. The
best ones are trained again as arms of a study, which `facegan.study.conclusions.finalists` makes and compares.
"""
