"""Gradient diagnostics: the size and direction of each weighted term's gradient at the generated image.

The gradients dL/dF of the weighted terms are taken at the generator's output F. They add up to the total loss's gradient at F.
Consistency terms also reach the generator through its second pass, which this does not measure. A term's value says little
about its gradient: a distance of 100 that no change of the image reduces has a smaller one than a distance of 1 that many do.
"""

from itertools import combinations

import torch
from torch import Tensor

from facegan.metric_names import GRADIENT_COSINE, GRADIENT_NORM, GRADIENT_SHARE

_TINY = 1e-30
"""Below the square of any float32 gradient that is not zero; avoids 0/0."""


def term_gradients(weighted: dict[str, Tensor], generated: Tensor) -> Tensor:
    """[terms, batch, pixels] float32: the gradient of each weighted term at the images [batch, 3, size, size].

    Nothing is added to any parameter's gradient, and the graph is kept for the step's own backward pass.
    """
    found = [torch.autograd.grad(value, generated, retain_graph=True)[0] for value in weighted.values()]
    return torch.stack([gradient.float().flatten(1) for gradient in found])


def measure_gradients(weighted: dict[str, Tensor], generated: Tensor) -> dict[str, Tensor]:
    """Named scalars on the device, means over the batch, of weighted terms and the images [batch, 3, size, size].

    gradient_norm/<term>       L2 norm of an image's gradient, of the loss of that image alone (the mean's 1/batch is undone)
    gradient_share/<term>      that norm over the sum of all terms' norms, 0 to 1
    gradient_cosine/<a>~<b>    cosine between two terms' gradients, -1 to 1; 0 where one of them is zero
    """
    gradients = term_gradients(weighted, generated) * len(generated)
    norms = gradients.norm(dim=2)
    shares = norms / norms.sum(dim=0).clamp(min=_TINY)
    directions = gradients / norms.clamp(min=_TINY).unsqueeze(2)
    cosines = torch.einsum("abp,cbp->acb", directions, directions).mean(dim=2)
    terms = list(weighted)
    values = {f"{GRADIENT_NORM}/{term}": norm for term, norm in zip(terms, norms.mean(dim=1), strict=True)}
    values |= {f"{GRADIENT_SHARE}/{term}": share for term, share in zip(terms, shares.mean(dim=1), strict=True)}
    pairs = combinations(range(len(terms)), 2)
    return values | {f"{GRADIENT_COSINE}/{terms[a]}~{terms[b]}": cosines[a, b] for a, b in pairs}
