"""Cross-entropy over the vocabulary, whole or by a sample of it."""

import torch
from torch import Tensor
from torch.nn import functional


def cross_entropy(hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
    """Return the mean negative log-probability of targets [N].

    hidden [N, W], and the output layer: weight [V, W], bias [V].
    """
    return functional.cross_entropy(functional.linear(hidden, weight, bias).float(), targets)


def sampled_cross_entropy(
    hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, common: int, sample: Tensor
) -> Tensor:
    """Return an estimate of ``cross_entropy`` that reads only a part of the vocabulary.

    The ``common`` first pieces (the vocabulary is in order of frequency) are
    all counted; ``sample`` [K], drawn evenly from the others, stands for the
    rest in the softmax's denominator (Jean et al. 2015). The target counts as
    itself. All the work saved is in the tail, which is rarely the answer.
    """
    rest = weight.shape[0] - common
    rare = targets >= common
    head = functional.linear(hidden, weight[:common], bias[:common])
    tail = functional.linear(hidden, weight[sample], bias[sample])
    own = (hidden * weight[targets]).sum(dim=1) + bias[targets]
    # A rare target stands for itself, so its sampled copies are left out and
    # the sample stands for one piece less.
    tail = tail.masked_fill(sample[None, :] == targets[:, None], float("-inf"))
    share = torch.log((rest - rare.float()) / len(sample))
    itself = own.masked_fill(~rare, float("-inf"))
    tail_mass = torch.logsumexp(tail.float(), dim=1) + share
    denominator = torch.stack([torch.logsumexp(head.float(), dim=1), tail_mass, itself.float()])
    return (torch.logsumexp(denominator, dim=0) - own).mean()
