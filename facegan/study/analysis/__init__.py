"""The statistics of a study, from its plan and its trial folders.

runs               the training runs that enter the analysis of one metric, and those that are missing
model              the linear model: which effects the runs can estimate, aliases, least squares with seeds as blocks
intervals          confidence intervals and bootstrap over seeds and clips; its docstring has their measured coverage
contrasts          one factor at a time: leave-one-out and added-alone differences, noise by arm
effects            all of it for the headline metrics of a study, with Holm's adjustment; `effect_records` has the types
parity             whether the arms were trained under equal conditions
model_selection    the trial that represents an arm and seed, and the generator to register
gradients          gradient diagnostics of each arm over training

A *run* is a training run as the analysis sees it: an arm, a seed and the values of one metric by clip. To analyse another
metric, give it a `headline` place in `facegan.metrics.table`.
"""
