"""Distributions over actions that torch does not have, and drawing from a generator of one's own."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Categorical, Distribution, Independent, Normal, kl_divergence, register_kl

from trunkline.errors import InputError


class MultiCategorical(Distribution):
    """K independent choices, each among its own number of alternatives.

    Args:
        logits: (B, sum(choices)), the factors' logits side by side.
        choices: alternatives of each of the K factors.
    """

    arg_constraints = {}  # noqa: RUF012  (torch's own declaration)
    has_rsample = False

    def __init__(self, logits: Tensor, choices: Sequence[int]) -> None:
        self.choices = tuple(choices)
        parts = torch.split(logits, list(self.choices), dim=-1)
        self.factors: list[Any] = [Categorical(logits=part, validate_args=False) for part in parts]
        super().__init__(logits.shape[:-1], torch.Size([len(self.choices)]), validate_args=False)

    @property
    def mode(self) -> Tensor:
        """The likeliest choice of each factor, (B, K) int64."""
        return torch.stack([factor.logits.argmax(-1) for factor in self.factors], dim=-1)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Choices (*sample_shape, B, K) int64."""
        with torch.no_grad():
            return torch.stack([factor.sample(torch.Size(sample_shape)) for factor in self.factors], dim=-1)

    def sample_with(self, generator: torch.Generator) -> Tensor:
        """Choices (B, K) int64, drawn from `generator`."""
        draws = [torch.multinomial(f.probs, 1, generator=generator).squeeze(-1) for f in self.factors]
        return torch.stack(draws, dim=-1)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-probability (B,) of choices (B, K)."""
        return torch.stack([f.log_prob(value[..., k]) for k, f in enumerate(self.factors)]).sum(0)

    def entropy(self) -> Tensor:
        """Entropy (B,) in nats."""
        return torch.stack([factor.entropy() for factor in self.factors]).sum(0)


@register_kl(MultiCategorical, MultiCategorical)  # type: ignore[no-untyped-call]
def _kl_multi_categorical(p: MultiCategorical, q: MultiCategorical) -> Tensor:
    assert p.choices == q.choices
    return torch.stack([kl_divergence(a, b) for a, b in zip(p.factors, q.factors, strict=True)]).sum(0)


def diagonal_normal(mean: Tensor, std: Tensor) -> Distribution:
    """A normal distribution with independent elements along the last axis; mean and std (B, A)."""
    # Validation would synchronise with the device and costs more than the density itself.
    return Independent(Normal(mean, std, validate_args=False), 1, validate_args=False)


def draw(distribution: Distribution, generator: torch.Generator | None) -> Tensor:
    """One sample a row, from `generator` or else from torch's global one.

    Raises:
        InputError: the distribution cannot draw from a generator (it has no `sample_with`).
    """
    if generator is None:
        return distribution.sample()
    if isinstance(distribution, Independent) and isinstance(distribution.base_dist, Normal):
        normal = distribution.base_dist
        return torch.normal(normal.mean.detach(), normal.stddev.detach(), generator=generator)
    sample_with = getattr(distribution, "sample_with", None)
    if sample_with is None:
        raise InputError(f"{type(distribution).__name__} cannot draw from a generator; give it a method sample_with")
    sample: Tensor = sample_with(generator)
    return sample
