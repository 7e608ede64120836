"""PPO with a pull towards the pretrained policy, as RLlib's Learner.

    L = −min(r Â, clip(r, 1 ± ε) Â) + c_v (V − V̂)² − c_e H(π) + β KL(π ‖ π_ref) + L_aux,   r = π(a|s) / π_old(a|s)

PPO: Schulman et al. 2017. The KL to the frozen pretrained policy keeps what pretraining taught; β decays geometrically
each iteration. L_aux: the weighted losses of the policy's auxiliary heads. Legend: T steps, E simulations, N rows of
one group, R rows of a minibatch.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.learner.torch.torch_learner import TorchLearner
from ray.rllib.core.learner.training_data import TrainingData
from torch import Tensor

from trunkline.agents.threads import torch_threads
from trunkline.envs.random import generator
from trunkline.errors import InputError
from trunkline.rollout.rl.advantages import generalised_advantages
from trunkline.rollout.rl.config import PPOConfig
from trunkline.rollout.rl.fragment import Fragment, Group
from trunkline.rollout.rl.module import AgentModule

CHUNK_ROWS, CHUNK_NUMBERS = 8192, 2**22  # limits of a forward pass outside of training: rows, and readings in them


@dataclass(frozen=True)
class Update:
    """What one call of `PPOLearner.update` learns from: a fragment a group, and where training stands."""

    fragments: tuple[Fragment, ...]
    iteration: int
    progress: float  # fraction of training done, 0–1


class PPOLearner(TorchLearner):
    """Takes arrays (`TrainingData.batch` is an `Update`): no episode objects, no connectors.

    RLlib gives it the optimisers' bookkeeping, gradient clipping, devices and, with several learners, the averaging of
    gradients. `learner_config_dict` holds `ppo` (PPOConfig), `groups`, `seed` and `threads`.
    """

    @property
    def ppo(self) -> PPOConfig:
        """The configured update."""
        ppo: PPOConfig = self.config.learner_config_dict["ppo"]
        return ppo

    @property
    def agent_module(self) -> AgentModule:
        """Our module inside of RLlib's wrappers."""
        module: AgentModule = self.module[DEFAULT_MODULE_ID].unwrapped()
        return module

    def configure_optimizers_for_module(self, module_id: str, config: Any = None) -> None:
        """An Adam for the policy and one for a separate critic, so that their gradients are clipped apart."""
        module: AgentModule = self.module[module_id].unwrapped()
        parts = {"policy": (module.policy, self.ppo.lr), "critic": (module.critic, self.ppo.critic_lr)}
        for name, (part, lr) in parts.items():
            if part is None:
                continue
            params = [p for p in part.parameters() if p.requires_grad]
            optimizer = torch.optim.Adam(params, lr=lr, eps=1e-5, foreach=True)
            self.register_optimizer(module_id=module_id, optimizer_name=name, optimizer=optimizer, params=params)

    # One update

    def update(self, *_: Any, training_data: TrainingData, **__: Any) -> dict[str, float]:
        """Run `epochs` passes over the fragments; the mean of every loss term by name."""
        with torch_threads(self.config.learner_config_dict["threads"]):
            return self._learn(training_data.batch)

    def _learn(self, update: Update) -> dict[str, float]:
        ppo = self.ppo
        self._set_learning_rates(*ppo.lr_at(update.iteration, update.progress))
        self._beta = ppo.kl_at(update.iteration)
        self._warmup = update.iteration < ppo.critic_warmup
        columns = [self._prepare(fragment) for fragment in update.fragments if fragment.num_simulations]
        rng = generator("minibatches", self.config.learner_config_dict["seed"], update.iteration, self._learner_index)
        self._terms: list[dict[str, Tensor]] = []
        stopped = False
        for _epoch in range(ppo.epochs):
            for minibatch in self._minibatches(columns, rng):
                self._update({DEFAULT_MODULE_ID: minibatch})
            if ppo.target_kl is not None and self._common(self._terms[-1]["kl_update"]) > ppo.target_kl:
                stopped = True
                break
        names = dict.fromkeys(name for terms in self._terms for name in terms)
        means = {name: float(torch.stack([t[name] for t in self._terms if name in t]).mean()) for name in names}
        return {**means, "kl_coefficient": self._beta, "stopped_early": float(stopped), **self._explained(columns)}

    def _prepare(self, fragment: Fragment) -> dict[str, Any]:
        """A fragment as rows on the learner's device, with values, advantages, returns and the reference's features."""
        group = self._group(fragment.group)
        steps, rows = fragment.rewards.shape
        observations = {name: self._tensor(v).flatten(0, 1) for name, v in fragment.observations.items()}
        values = self._values(observations).reshape(steps, rows)
        next_values = np.concatenate([values[1:], self._values(self._tensors(fragment.last))[None]])
        next_values[fragment.terminated] = 0.0
        if len(fragment.cut_at):
            next_values[tuple(fragment.cut_at.T)] = self._values(self._tensors(fragment.cut))
        done = fragment.terminated | fragment.truncated
        rewards = fragment.rewards * np.float32(self.ppo.reward_scale)
        advantages = generalised_advantages(rewards, values, next_values, done, self.ppo.gamma, self.ppo.lam)
        returns = advantages + values
        # Each task for itself: a task with small rewards would else learn nothing beside one with large ones.
        for task in np.unique(fragment.task):
            part = advantages[:, fragment.task == task]
            advantages[:, fragment.task == task] = (part - part.mean()) / (part.std() + 1e-8)
        module = self.agent_module
        reference = {} if module.reference is None else {"reference": _chunked(module.reference_features, observations)}
        return {
            **reference,
            "action": group.action.name,
            "observations": observations,
            "actions": self._tensor(fragment.actions).flatten(0, 1),
            "log_probs": self._tensor(fragment.log_probs).flatten(),
            "advantages": self._tensor(advantages).flatten(),
            "returns": self._tensor(returns).flatten(),
            "values": self._tensor(values).flatten(),
        }

    def _minibatches(self, columns: list[dict[str, Any]], rng: np.random.Generator) -> Iterator[dict[str, Any]]:
        """Every row once, in `minibatches` parts; each part holds its share of every group."""
        parts = []
        for group in columns:
            order = torch.from_numpy(rng.permutation(len(group["returns"]))).to(self.device)
            parts.append(order.tensor_split(self.ppo.minibatches))
        for index in range(self.ppo.minibatches):
            picked = [(group, part[index]) for group, part in zip(columns, parts, strict=True) if len(part[index])]
            yield {
                "freeze_policy": self._warmup,
                "rows": [
                    {
                        "action": group["action"],
                        "observations": {name: value[rows] for name, value in group["observations"].items()},
                        **{name: group[name][rows] for name in ("actions", "reference") if name in group},
                    }
                    for group, rows in picked
                ],
                **{
                    name: torch.cat([group[name][rows] for group, rows in picked])
                    for name in ("log_probs", "advantages", "returns")
                },
            }

    def compute_loss_for_module(
        self, *, module_id: str, config: Any = None, batch: dict[str, Any], fwd_out: dict[str, Tensor]
    ) -> Tensor:
        """The loss of a minibatch; see the module's docstring."""
        ppo = self.ppo
        log_ratio = fwd_out["log_probs"] - batch["log_probs"]
        ratio = log_ratio.exp()
        advantages = batch["advantages"]
        surrogate = torch.min(ratio * advantages, ratio.clamp(1 - ppo.clip, 1 + ppo.clip) * advantages)
        value_loss = (fwd_out["values"] - batch["returns"]).square().mean()
        entropy = fwd_out["entropy"].mean()
        policy_loss = -surrogate.mean()
        total: Tensor = ppo.value_coefficient * value_loss
        if not self._warmup:
            total = total + policy_loss - ppo.entropy_coefficient * entropy
        terms = {"policy_loss": policy_loss, "value_loss": value_loss, "entropy": entropy}
        if "kl" in fwd_out:
            terms["kl_reference"] = fwd_out["kl"].mean()
            if not self._warmup:
                total = total + self._beta * terms["kl_reference"]
        if "auxiliary/loss" in fwd_out:
            terms |= {name: value.mean() for name, value in fwd_out.items() if name.startswith("auxiliary/")}
            if not self._warmup:
                total = total + terms["auxiliary/loss"]
        with torch.no_grad():
            # Schulman's low-variance estimate of KL(π_old ‖ π): r − 1 − log r, expected over actions of π_old.
            terms["kl_update"] = (ratio - 1 - log_ratio).mean()
            terms["clipped"] = ((ratio - 1).abs() > ppo.clip).float().mean()
        self._terms.append({name: value.detach() for name, value in terms.items()})
        return total

    def compute_gradients(self, loss_per_module: dict[str, Tensor], **kwargs: Any) -> dict[Any, Tensor]:
        """As RLlib does, without the parameters that took no part (heads of other objectives, absent sensors)."""
        gradients = super().compute_gradients(loss_per_module, **kwargs)
        return {ref: gradient for ref, gradient in gradients.items() if gradient is not None}

    # What a checkpoint holds

    def load(self, weights: Mapping[str, np.ndarray], optimizers: Mapping[str, np.ndarray] | None = None) -> None:
        """Load the module's weights, all of them, and the optimisers' state as `optimizer_state` gave it."""
        state = {name: torch.from_numpy(np.array(value)) for name, value in weights.items()}
        self.agent_module.load_state_dict(state)
        if optimizers is None:
            return
        parameters = dict(self.agent_module.named_parameters())
        owner = {p: optimizer for optimizer in self._named_optimizers.values() for p in _parameters(optimizer)}
        for key, value in optimizers.items():
            name, _, field = key.partition("|")
            if name not in parameters or parameters[name] not in owner:
                raise InputError(f"the optimiser state holds {name!r}, which is not learned here; is it another run's?")
            parameter = parameters[name]
            tensor = torch.from_numpy(np.array(value))
            owner[parameter].state[parameter][field] = tensor if field == "step" else tensor.to(parameter.device)

    def weights(self) -> dict[str, np.ndarray]:
        """The module's weights by name: "policy.…", "critic.…", "reference.…"."""
        return {name: value.cpu().numpy().copy() for name, value in self.agent_module.state_dict().items()}

    def optimizer_state(self) -> dict[str, np.ndarray]:
        """Adam's moments and step counts: {"<parameter>|<field>": array}."""
        names = {parameter: name for name, parameter in self.agent_module.named_parameters()}
        return {
            f"{names[parameter]}|{field}": value.cpu().numpy().copy()
            for optimizer in self._named_optimizers.values()
            for parameter, fields in optimizer.state.items()
            for field, value in fields.items()
        }

    # Helpers

    def _group(self, name: str) -> Group:
        groups: tuple[Group, ...] = self.config.learner_config_dict["groups"]
        return next(group for group in groups if group.name == name)

    def _set_learning_rates(self, policy: float, critic: float) -> None:
        for name, lr in (("policy", policy), ("critic", critic)):
            optimizer = self._named_optimizers.get(f"{DEFAULT_MODULE_ID}_{name}")
            if optimizer is not None:
                self._set_optimizer_lr(optimizer, lr)

    def _common(self, value: Tensor) -> float:
        """The mean over all learners: they must take the same decisions."""
        if self.distributed:
            value = value.clone()
            torch.distributed.all_reduce(value)
            value /= torch.distributed.get_world_size()
        return float(value)

    def _values(self, observations: Mapping[str, Tensor]) -> np.ndarray:
        with torch.inference_mode():
            return _chunked(self.agent_module.values, observations).cpu().numpy()

    def _explained(self, columns: list[dict[str, Any]]) -> dict[str, float]:
        returns = torch.cat([group["returns"] for group in columns])
        values = torch.cat([group["values"] for group in columns])
        return {"explained_variance": float(1 - (returns - values).var() / returns.var().clamp_min(1e-8))}

    def _tensor(self, value: np.ndarray) -> Tensor:
        # Arrays that came through Ray's object store are read-only, and torch warns of those.
        return torch.from_numpy(value if value.flags.writeable else value.copy()).to(self.device)

    def _tensors(self, values: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
        return {name: self._tensor(value) for name, value in values.items()}


def _chunked(compute: Callable[[dict[str, Tensor]], Tensor], observations: Mapping[str, Tensor]) -> Tensor:
    """`compute` over all rows, so many at a time that images need no more memory than vectors."""
    size = len(next(iter(observations.values())))
    numbers = sum(value.shape[1:].numel() for value in observations.values())
    rows = max(1, min(CHUNK_ROWS, CHUNK_NUMBERS // numbers))
    starts = range(0, size, rows)
    return torch.cat([compute({name: v[at : at + rows] for name, v in observations.items()}) for at in starts])


def _parameters(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]
