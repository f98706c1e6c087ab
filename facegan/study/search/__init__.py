"""A search over values of the configuration: what its candidates measured, which of them to train again, and what came of it.

`objectives` reads off what candidates are compared by; `pareto` ranks them; `rungs` says which of an arm ASHA lets go on, and
`halving` which one runs next; `limit` says what still fits into a limit; `replay` does all of it on paper, and `expectation`
prices a search by it; `results` is the search as a record, search.json. How candidates are proposed belongs to the plan:
`facegan.study.design.candidates`. The best ones are trained again as arms of a study, which
`facegan.study.conclusions.finalists` makes and compares.
"""
