"""Layers that several parts share."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn

from trunkline.errors import InputError, unknown

ACTIVATIONS: dict[str, type[nn.Module]] = {"gelu": nn.GELU, "relu": nn.ReLU, "silu": nn.SiLU, "tanh": nn.Tanh}


def linear(inputs: int, outputs: int, gain: float = 1.0) -> nn.Linear:
    """A linear layer with an orthogonal weight of that gain and no bias at first."""
    layer = nn.Linear(inputs, outputs)
    nn.init.orthogonal_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
    return layer


def mlp(
    inputs: int,
    hidden: Sequence[int],
    outputs: int,
    activation: str = "gelu",
    dropout: float = 0.0,
    final_gain: float = 1.0,
) -> nn.Sequential:
    """Linear layers with activations (and dropout) between them, none after the last.

    Raises:
        InputError: unknown activation, or a size that is not a positive number.
    """
    if activation not in ACTIVATIONS:
        raise unknown("activation", activation, ACTIVATIONS)
    if not all(isinstance(size, int) and size > 0 for size in hidden):
        raise InputError(f"hidden={list(hidden)} must be a list of positive layer widths")
    if not 0 <= dropout < 1:
        raise InputError(f"dropout={dropout} must be in [0, 1)")
    layers: list[nn.Module] = []
    for size in hidden:
        layers += [linear(inputs, size, gain=2**0.5), ACTIVATIONS[activation]()]
        if dropout:
            layers.append(nn.Dropout(dropout))
        inputs = size
    return nn.Sequential(*layers, linear(inputs, outputs, final_gain))


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Start torch's CPU generator at a seed; afterwards it goes on as if nothing had happened."""
    state = torch.default_generator.get_state()
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        torch.default_generator.set_state(state)
