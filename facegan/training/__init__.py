"""Training runs. Top-down:

train    the loop over steps and reports, for one run or for several that see the same batches
step     one step of both networks
passes   what a step computes with: its input on the device, and the networks' results on it
state    what a step changes: networks and optimizers

Beside a run: `checkpoint` saves it, `parallel` shares it between ranks, `gradient_diagnostics` measures the terms' gradients,
`cuda_graph` records its step, `precision` and `memory` fit it to a CPU, `start_conditions` proves what it started from. `flops`
counts the compute that `--budget flops` makes equal, `packing` measures how many trials share a device, and `optimizers` keeps
PyTorch's from importing its compiler.

Formulas of terms are in `facegan.losses`; `facegan.trial` puts a run into a trial folder and scores it.
"""
