"""AdamW with parts that are frozen or slowed, warm-up and cosine, and clipping."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from trunkline.errors import InputError, unknown
from trunkline.pretrain.schedule import warmup_cosine

_MOMENTS = ("step", "exp_avg", "exp_avg_sq")


class Optimiser:
    """AdamW (Loshchilov and Hutter, 2019) over an agent's parameters.

    Matrices and kernels decay; biases, normalisation gains and other vectors do not. A part is named by a prefix of its
    parameters' names: "trunk", "encoders", "encoders.camera", "heads.policy_gripper".

    Args:
        module: the agent; its frozen parts get `requires_grad=False`.
        lr: peak learning rate.
        steps: updates in the whole run, for the schedule.
        warmup: updates of linear warm-up.
        lr_floor: the factor of `lr` that the cosine ends at.
        weight_decay: decoupled decay of matrices.
        betas: decay rates of the two moments.
        clip: largest norm of the whole gradient; 0 for no clipping.
        freeze: parts that do not learn.
        lr_multipliers: factors of `lr` by part; the longest matching part counts.

    Raises:
        InputError: an unknown part (with the nearest match), or nothing left to learn.
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        lr: float,
        steps: int,
        warmup: int = 0,
        lr_floor: float = 0.0,
        weight_decay: float = 0.01,
        betas: tuple[float, float] = (0.9, 0.999),
        clip: float = 1.0,
        freeze: Sequence[str] = (),
        lr_multipliers: Mapping[str, float] | None = None,
    ) -> None:
        self.lr, self.steps, self.warmup, self.lr_floor, self.clip = lr, steps, warmup, lr_floor, clip
        self.frozen = tuple(freeze)
        multipliers = dict(lr_multipliers or {})
        known = part_names(module)
        for kind, parts in (("part to freeze", freeze), ("part in lr_multipliers", multipliers)):
            for part in parts:
                if part not in known:
                    raise unknown(kind, part, known)
        groups: dict[tuple[float, float], list[Tensor]] = {}
        self.parameters: dict[str, Tensor] = {}
        for name, parameter in module.named_parameters():
            parameter.requires_grad_(_longest(name, freeze) is None)
            if not parameter.requires_grad:
                continue
            part = _longest(name, multipliers)
            multiplier = 1.0 if part is None else multipliers[part]
            groups.setdefault((multiplier, weight_decay if parameter.ndim >= 2 else 0.0), []).append(parameter)
            self.parameters[name] = parameter
        if not self.parameters:
            raise InputError(f"freeze={list(freeze)} leaves nothing to learn; freeze fewer parts")
        # Fused: one call over all tensors instead of a dozen a tensor, on a CPU too.
        self._adamw = torch.optim.AdamW(
            [{"params": p, "weight_decay": d, "multiplier": m, "lr": lr * m} for (m, d), p in groups.items()],
            betas=betas,
            fused=True,
        )

    def lr_at(self, step: int) -> float:
        """The learning rate of update `step` (from 0), before the parts' multipliers."""
        return self.lr * warmup_cosine(step, self.steps, self.warmup, self.lr_floor)

    def zero_grad(self) -> None:
        """Drop the gradients."""
        self._adamw.zero_grad(set_to_none=True)

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
        """The moments by parameter name: {"exp_avg": {"trunk.…": tensor}, …}; a parameter never updated has none."""
        state = self._adamw.state
        return {
            moment: {name: state[p][moment] for name, p in self.parameters.items() if p in state}
            for moment in _MOMENTS
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


def part_names(module: nn.Module) -> set[str]:
    """What parts of an agent are called: every prefix, of up to two words, of its parameters' names."""
    words = [name.split(".") for name, _ in module.named_parameters()]
    return {".".join(w[:n]) for w in words for n in (1, 2) if len(w) > n} | {w[0] for w in words}


def _longest(name: str, parts: Iterable[str]) -> str | None:
    matching = [part for part in parts if name == part or name.startswith(part + ".")]
    return max(matching, key=len, default=None)
