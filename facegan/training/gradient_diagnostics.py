"""Gradient diagnostics: the size and direction of each weighted term's gradient with respect to the generator's parameters.

These gradients add up to the one that the generator's optimizer is given. A consistency term reaches the parameters through
two passes of the generator. Its gradient at the generated image F shows only what goes through F, and can point elsewhere.
A term's value says little about its gradient: a distance of 100 that no change of the generator reduces has a smaller one
than a distance of 1 that many do.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations

import torch
from torch import Tensor

from facegan.metric_names import GRADIENT_COSINE, GRADIENT_NORM, GRADIENT_SHARE, IMAGE_GRADIENT_NORM
from facegan.training.parallel import mean_over_ranks

_TINY = 1e-30
"""Below the norm of any gradient that matters; avoids 0/0."""


def measure_gradients(weighted: Mapping[str, Tensor], generated: Tensor, parameters: Sequence[Tensor]) -> dict[str, Tensor]:
    """Named scalars on the device, of weighted terms, the images F [batch, 3, size, size] and the generator's parameters.

    gradient_norm/<term>          L2 norm of the term's gradient with respect to all parameters, over the whole batch
    gradient_share/<term>         that norm over the sum of all terms' norms, 0 to 1
    gradient_cosine/<a>~<b>       cosine between two terms' gradients, -1 to 1; 0 where one of them is zero
    image_gradient_norm/<term>    L2 norm of the gradient at F of an image's own loss (the mean's 1/batch is undone), mean
                                  over the images of this rank

    Norms and cosines are the Gram matrix of the terms' gradients: entry (a, b) is norm a * norm b * cosine.
    """
    gradients, image_norms = term_gradients(weighted, generated, parameters)
    norms = gradients.norm(dim=1)
    shares = norms / norms.sum().clamp(min=_TINY)
    cosines = (gradients @ gradients.T) / (norms[:, None] * norms).clamp(min=_TINY)
    terms = list(weighted)
    values: dict[str, Tensor] = {}
    for name, row in ((GRADIENT_NORM, norms), (GRADIENT_SHARE, shares), (IMAGE_GRADIENT_NORM, image_norms)):
        values |= {f"{name}/{term}": value for term, value in zip(terms, row, strict=True)}
    pairs = combinations(range(len(terms)), 2)
    return values | {f"{GRADIENT_COSINE}/{terms[a]}~{terms[b]}": cosines[a, b] for a, b in pairs}


def term_gradients(weighted: Mapping[str, Tensor], generated: Tensor, parameters: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """The weighted terms' gradients [terms, parameters], and the mean norms [terms] of their gradients at F; both float32.

    A parameter that a term does not reach has a gradient of zero. Data-parallel workers average the gradients, as the
    optimizer's are: one all-reduce a term. Memory: terms x parameters floats, and once more the parameters.

    Nothing is added to any parameter's gradient, and the graph is kept for the step's own backward pass.
    """
    size = sum(parameter.numel() for parameter in parameters)
    gradients = generated.new_empty(len(weighted), size, dtype=torch.float32)
    image_norms = []
    for row, value in zip(gradients, weighted.values(), strict=True):
        # F lies on the way to the parameters, so its gradient needs no pass of its own.
        at_image, *parts = torch.autograd.grad(value, [generated, *parameters], retain_graph=True, materialize_grads=True)
        image_norms.append(at_image.float().flatten(1).norm(dim=1).mean() * len(generated))
        row.copy_(mean_over_ranks(torch.cat([part.flatten() for part in parts])))
    return gradients, torch.stack(image_norms)
