"""One training step: the discriminator learns, then the generator, from one shared forward pass.

F = G(source, target landmarks) and the third pose M = G(source, third landmarks) are one call of twice the batch, and so are
the second passes of both consistency terms. Passes that no active term needs are not made.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from facegan import losses
from facegan.data.reading.batch import Batch
from facegan.losses import FORMULAS
from facegan.training.gradient_diagnostics import measure_gradients
from facegan.training.passes import StepInput, StepPasses, make_input
from facegan.training.state import TrainState

Values = dict[str, Tensor]
"""Named scalars of a step, on the device."""


def step(state: TrainState, batch: Batch, *, gradient_diagnostics: bool = False) -> Values:
    """Train both networks of a run on a rank's batch; see `train_networks`."""
    return steps([state], batch, [gradient_diagnostics])[0]


def steps(states: Sequence[TrainState], batch: Batch, gradient_diagnostics: Sequence[bool]) -> list[Values]:
    """One step of several runs on the same batch, each as it would be alone."""
    step_input = make_input(batch, states)
    found = []
    for state, wanted in zip(states, gradient_diagnostics, strict=True):
        found.append(train_networks(state, step_input, gradient_diagnostics=wanted))
        update_average(state)
    return found


def train_networks(state: TrainState, step_input: StepInput, *, gradient_diagnostics: bool = False) -> Values:
    """Train both networks; returns named scalars that are still on the device, so nothing waits for it.

    Keys: `loss/<term>` (unweighted) and `weighted/<term>` for each active term, `loss/generator`, `loss/discriminator` and
    `discriminator/accuracy`, the share of patches that it classifies correctly. With `gradient_diagnostics` also the keys of
    `facegan.training.gradient_diagnostics.measure_gradients`.
    """
    loss = state.config.loss
    active = loss.active()
    values: Values = {}

    # The generator's first pass, shared by both phases.
    passes = StepPasses(state, step_input)

    # The discriminator learns: target against F, which gets no gradient here.
    if any(FORMULAS[term].discriminator for term in active):
        values |= train_discriminator(state, passes)

    # The generator learns. The discriminator is frozen: a gradient passes through it, none reaches its weights.
    state.discriminator.requires_grad_(False)
    terms = torch.stack([FORMULAS[term].value(passes, loss) for term in active])
    weighted = terms * state.term_weights
    # The last step's gradients go first, so that they and the diagnostics are never in memory together.
    state.generator_optimizer.zero_grad(set_to_none=True)
    diagnostics = {}
    if gradient_diagnostics:
        by_term = dict(zip(active, weighted.unbind(), strict=True))
        diagnostics = measure_gradients(by_term, passes.generated, list(state.generator.parameters()))
    # Of the sum of the weighted terms.
    terms.backward(state.term_weights)
    state.generator_optimizer.step()

    values |= {"loss/generator": weighted.detach().sum(), **diagnostics}
    for kind, of_terms in (("loss", terms), ("weighted", weighted)):
        values |= {f"{kind}/{term}": value for term, value in zip(active, of_terms.detach().unbind(), strict=True)}
    return values


@torch.no_grad()
def update_average(state: TrainState) -> None:
    """Move the average, if there is one, towards the generator's weights; in early steps faster, or it would keep its start."""
    if state.average is None:
        return
    steps = state.images // state.config.optim.batch
    decay = min(state.config.optim.average, (1 + steps) / (10 + steps))
    torch._foreach_lerp_(list(state.average.parameters()), list(state.generator.parameters()), 1 - decay)


def train_discriminator(state: TrainState, passes: StepPasses) -> Values:
    """One step of the discriminator on real and generated images, in a single pass; its loss and accuracy."""
    state.discriminator.requires_grad_(True)
    logits = passes.discriminate(
        torch.cat([passes.target, passes.generated.detach()]), torch.cat([passes.target_landmarks] * 2), train=True
    )
    loss, accuracy = losses.discriminator(*logits.split(len(passes.source)))
    state.discriminator_optimizer.zero_grad(set_to_none=True)
    loss.backward()
    state.discriminator_optimizer.step()
    return {"loss/discriminator": loss.detach(), "discriminator/accuracy": accuracy}
