"""How the gradients of a step's batches make the gradient of the shared trunk.

Legend: K batches of a step, P parameters of the trunk.

The trunk learns from all batches, and their gradients may conflict. The Jacobian (K, P), a row a batch, is combined by
an aggregator of torchjd (https://torchjd.org), by its name there: "UPGrad", "MGDA", "PCGrad", "CAGrad", … Every other
parameter gets the weighted sum of the gradients of the batches that it took part in, as without an aggregator.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from trunkline.agents.agent import Agent
from trunkline.agents.layers import seeded
from trunkline.errors import InputError, unknown

EQUAL = "equal"

Aggregator = Callable[[Tensor], Tensor]


class Combiner(Protocol):
    """Collects the batches' losses of a step and leaves the gradients with the parameters."""

    def add(self, loss: Tensor) -> None:
        """Take in one batch's loss, already weighted by its share of the step."""

    def leave_gradients(self, seed: int) -> None:
        """Set `grad` of every parameter that took part, and be ready for the next step."""


class TrunkCombiner:
    """Combines the trunk's gradients with an aggregator.

    Args:
        agent: whose trunk is shared; parts may be frozen and unfrozen between steps.
        aggregator: the Jacobian (K, P) to a gradient (P,).
        distributed: average over the default process group first, so that all workers combine alike.
    """

    def __init__(self, agent: Agent, aggregator: Aggregator, distributed: bool = False) -> None:
        self._agent, self._aggregator, self._distributed = agent, aggregator, distributed
        self._rows: list[list[Tensor | None]] = []
        self._own: dict[int, tuple[Tensor, Tensor]] = {}

    def add(self, loss: Tensor) -> None:
        """Differentiate one batch's loss."""
        shared = self._shared()
        among = {id(parameter) for parameter in shared}
        own = [p for p in self._agent.parameters() if p.requires_grad and id(p) not in among]
        gradients = torch.autograd.grad(loss, [*shared, *own], allow_unused=True)
        self._rows.append(list(gradients[: len(shared)]))
        for parameter, gradient in zip(own, gradients[len(shared) :], strict=True):
            if gradient is not None:
                before = self._own.get(id(parameter))
                self._own[id(parameter)] = parameter, gradient if before is None else before[1] + gradient

    def leave_gradients(self, seed: int) -> None:
        """Combine.

        Args:
            seed: of the aggregator's random choices, the same on all workers.
        """
        shared = self._shared()
        touched = [i for i in range(len(shared)) if any(row[i] is not None for row in self._rows)]
        if touched:
            jacobian = torch.stack([_flat(row, shared, touched) for row in self._rows])
            # With this factor equal weights are the mean of the rows, as aggregators have it.
            jacobian = self._averaged(jacobian * len(self._rows))
            with seeded(seed):
                combined = self._aggregator(jacobian)
            parts = torch.split(combined, [shared[i].numel() for i in touched])
            for i, part in zip(touched, parts, strict=True):
                shared[i].grad = part.view_as(shared[i]).clone()
        for parameter, gradient in self._own.values():
            parameter.grad = self._averaged(gradient)
        self._rows, self._own = [], {}

    def _shared(self) -> list[Tensor]:
        return [parameter for parameter in self._agent.trunk.parameters() if parameter.requires_grad]

    def _averaged(self, values: Tensor) -> Tensor:
        if self._distributed:
            dist.all_reduce(values)
            values /= dist.get_world_size()
        return values


def make_aggregator(name: str, options: Mapping[str, Any] | None = None) -> Aggregator | None:
    """An aggregator of torchjd by its name there; None for "equal".

    Args:
        name: e.g. "UPGrad" (Quinton and Rey, 2024), "MGDA" (Désidéri, 2012), "PCGrad" (Yu et al., 2020).
        options: its arguments.

    Raises:
        InputError: an unknown name (with the nearest match), options that it does not take, packages that are missing
            (with the command that installs them), or an aggregator that remembers earlier steps.
    """
    if name == EQUAL:
        if options:
            raise InputError(f"aggregator_options={dict(options)}: equal weights take none; choose an aggregator")
        return None
    try:
        from torchjd import aggregation
    except ImportError:
        raise InputError(
            f"aggregator={name!r} needs torchjd; run: pip install torchjd, or set aggregator=equal"
        ) from None
    known = {
        key: value
        for key, value in vars(aggregation).items()
        if key in aggregation.__all__ and issubclass(value, aggregation.Aggregator) and not inspect.isabstract(value)
    }
    if name not in known:
        raise unknown("aggregator", name, [EQUAL, *known])
    arguments = dict(options or {})
    if name in ("UPGrad", "DualProj"):
        arguments.setdefault("projector", _projector())
    try:
        aggregator: Aggregator = known[name](**arguments)
    except ImportError as error:  # a solver that torchjd does not bring along
        raise InputError(f"aggregator={name!r}: {error}, or choose another, e.g. UPGrad") from None
    except (TypeError, ValueError) as error:
        raise InputError(f"aggregator={name!r} with aggregator_options={dict(options or {})}: {error}") from None
    if hasattr(aggregator, "reset"):
        raise InputError(
            f"aggregator={name!r} remembers each batch's gradient from step to step, but the batches are drawn anew; "
            "choose another, e.g. UPGrad"
        )
    return aggregator


def _projector() -> Any:
    """Projections on the dual cone by scipy, so that UPGrad and DualProj need no solver package."""
    from scipy.optimize import nnls
    from torchjd.linalg import DualConeProjector

    class NnlsProjector(DualConeProjector):
        """min v'Gv subject to v ≥ u: with v = u + w and G = LL', the least squares |L'w + L'u| over w ≥ 0."""

        def __call__(self, U: Tensor, G: Tensor) -> Tensor:
            gramian = G.detach().double().cpu().numpy()
            scale = float(np.trace(gramian))
            if scale <= 0:
                return U
            # Normalised and regularised, as torchjd's own projector does.
            factor = np.linalg.cholesky(gramian / scale + 1e-4 * np.eye(len(gramian))).T
            rows = U.detach().double().cpu().numpy().reshape(-1, len(gramian))
            solved = np.stack([u + nnls(factor, -factor @ u)[0] for u in rows]).reshape(U.shape)
            return torch.as_tensor(solved, dtype=G.dtype, device=G.device)

    return NnlsProjector()


def _flat(row: Sequence[Tensor | None], shared: Sequence[Tensor], touched: Sequence[int]) -> Tensor:
    parts = []
    for i in touched:
        gradient = row[i]
        parts.append((torch.zeros_like(shared[i]) if gradient is None else gradient).flatten())
    return torch.cat(parts)
