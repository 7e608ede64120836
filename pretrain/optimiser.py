"""AdamW with parts that are frozen or slowed, warm-up and cosine, and clipping."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from trunkline.agents.agent import Agent
from trunkline.errors import InputError, unknown
from trunkline.pretrain.schedule import warmup_cosine

_MOMENTS = ("step", "exp_avg", "exp_avg_sq")


class Optimiser:
    """AdamW (Loshchilov and Hutter, 2019) over an agent's parameters.

    Matrices and kernels decay; biases, normalisation gains and other vectors do not. Parts have the names that the
    agent gives them: "trunk", "encoders" (all of them), "encoders/camera", "heads/policy_gripper".

    Args:
        agent: what learns; its parts in `freeze` are frozen.
        lr: peak learning rate.
        steps: updates in the whole run, for the schedule.
        warmup: updates of linear warm-up.
        lr_floor: the factor of `lr` that the cosine ends at.
        weight_decay: decoupled decay of matrices.
        betas: decay rates of the two moments.
        clip: largest norm of the whole gradient; 0 for no clipping.
        freeze: parts that do not learn.
        unfreeze: parts that begin to learn at an update (from 0); see `thaw`.
        lr_multipliers: factors of `lr` by part; that of one part counts more than that of all of a kind.

    Raises:
        InputError: an unknown part (with the nearest match), or nothing left to learn.
    """

    def __init__(
        self,
        agent: Agent,
        *,
        lr: float,
        steps: int,
        warmup: int = 0,
        lr_floor: float = 0.0,
        weight_decay: float = 0.01,
        betas: tuple[float, float] = (0.9, 0.999),
        clip: float = 1.0,
        freeze: Sequence[str] = (),
        unfreeze: Mapping[str, int] | None = None,
        lr_multipliers: Mapping[str, float] | None = None,
    ) -> None:
        self.lr, self.steps, self.warmup, self.lr_floor, self.clip = lr, steps, warmup, lr_floor, clip
        self._agent = agent
        self._waiting = {part: step for name, step in (unfreeze or {}).items() for part in agent.select([name])}
        agent.freeze(part for part in agent.select(freeze) if part not in self._waiting)
        multipliers = {part: 1.0 for part in agent.parts}
        # General names first, so that specific ones override them.
        for name, factor in sorted((lr_multipliers or {}).items(), key=lambda item: "/" in item[0]):
            if not 0 < factor < float("inf"):
                raise InputError(f"lr_multipliers: {name}={factor} must be positive; to stop a part, freeze it")
            multipliers.update(dict.fromkeys(agent.select([name]), factor))
        groups: dict[tuple[float, float], list[Tensor]] = {}
        self.parameters: dict[str, Tensor] = {}
        at_once = False
        for part, module in agent.parts.items():
            for name, parameter in module.named_parameters(prefix=part):
                if parameter.requires_grad:
                    key = (multipliers[part], weight_decay if parameter.ndim >= 2 else 0.0)
                    groups.setdefault(key, []).append(parameter)
                    self.parameters[name] = parameter
                    at_once |= part not in self._waiting
        if not self.parameters:
            raise InputError(f"freeze={list(freeze)} leaves nothing to learn; freeze fewer parts")
        if not at_once:
            raise InputError(f"nothing learns before update {min(self._waiting.values())}; unfreeze a part earlier")
        # Fused: one call over all tensors instead of a dozen a tensor, on a CPU too.
        self._adamw = torch.optim.AdamW(
            [{"params": p, "weight_decay": d, "multiplier": m, "lr": lr * m} for (m, d), p in groups.items()],
            betas=betas,
            fused=True,
        )

    def thaw(self, step: int) -> None:
        """Freeze the parts that wait for a later update than `step` (from 0), unfreeze those whose time has come."""
        for part, begins in self._waiting.items():
            if step < begins and part not in self._agent.frozen:
                self._agent.freeze([part])
            elif step >= begins and part in self._agent.frozen:
                self._agent.unfreeze([part])

    def lr_at(self, step: int) -> float:
        """The learning rate of update `step` (from 0), before the parts' multipliers."""
        return self.lr * warmup_cosine(step, self.steps, self.warmup, self.lr_floor)

    def zero_grad(self) -> None:
        """Drop the gradients."""
        for parameter in self.parameters.values():
            parameter.grad = None

    def update(self, step: int) -> Tensor:
        """Clip the gradients and apply update `step`; the norm they had before."""
        gradients = [p.grad for p in self.parameters.values() if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        if self.clip:
            torch.nn.utils.clip_grads_with_norm_(list(self.parameters.values()), self.clip, norm)
        lr = self.lr_at(step)
        for group in self._adamw.param_groups:
            group["lr"] = lr * group["multiplier"]
        self._adamw.step()
        return norm

    def state_dict(self) -> dict[str, dict[str, Tensor]]:
        """The moments by parameter name: {"exp_avg": {"trunk.…": tensor, …}, …}; a parameter never updated has none."""
        state = self._adamw.state
        return {
            moment: {name: state[p][moment] for name, p in self.parameters.items() if p in state} for moment in _MOMENTS
        }

    def load_state_dict(self, state: Mapping[str, Mapping[str, Any]]) -> None:
        """Go on from `state_dict`.

        Raises:
            InputError: it is the state of other parameters.
        """
        for moment in _MOMENTS:
            for name, value in state[moment].items():
                parameter = self.parameters.get(name)
                if parameter is None:
                    raise unknown("parameter in the optimiser's state", name, self.parameters)
                if moment != "step" and value.shape != parameter.shape:
                    raise InputError(
                        f"the optimiser's {moment} of {name} has shape {tuple(value.shape)}, "
                        f"the parameter {tuple(parameter.shape)}; resume with the configuration the run began with"
                    )
                dtype = torch.float32 if moment == "step" else parameter.dtype
                copy = torch.empty_like(value, dtype=dtype, device=parameter.device).copy_(value)
                self._adamw.state[parameter][moment] = copy
