"""The statistics of a study, from its plan and its trial folders.

runs               the training runs that enter the analysis of one metric, and those that are missing
model              the linear model: which effects the runs can estimate, aliases, least squares with seeds as blocks
seed_variance      the variance of an effect between seeds, from its own values in the seeds
intervals          confidence intervals and bootstrap over seeds and clips; facegan/study/README.md has their measured coverage
looks              p values and intervals of studies that may stop at several looks
holm               the adjustment over all tests of a study
power              the smallest effect that a study finds, before and after it is run
contrasts          one factor at a time: leave-one-out and added-alone differences, noise by arm
effects            all of it for the headline metrics of a study; `effect_records` has the types, `model_text` the words
parity             whether the arms were trained under equal conditions
model_selection    the trial that represents an arm and seed, and the generator to register
rungs              which candidates of an arm ASHA stops, also after an interruption
gradients          gradient diagnostics of each arm over training

A *run* is a training run as the analysis sees it: an arm, a seed and the values of one metric by clip. To analyse another
metric, give it a `headline` place in `facegan.metrics.table`.
"""
