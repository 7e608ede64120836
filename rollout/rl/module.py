"""The agent as RLlib's RLModule: the policy, its critic, and the policy it must stay near.

Legend: B rows of one body, R rows of all bodies, A action dimensions.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from ray.rllib.core.rl_module.torch import TorchRLModule
from torch import Tensor
from torch.distributions import Distribution, kl_divergence

from trunkline.agents.agent import Agent
from trunkline.agents.config import AgentConfig
from trunkline.agents.heads.auxiliary import auxiliary_losses
from trunkline.envs.spec import ActionSpec, SensorSpec


@dataclass(frozen=True)
class Blueprint:
    """How to build the module in every process.

    Attributes:
        sensors, actions, agent: of the policy.
        seed: of weights that nobody loads.
        critic: the value's own network, whose gradients leave the policy's features alone; None for the policy's own
            value head.
        critic_sensors: what that network reads; None for what the policy does.
        reference: whether there is a policy to stay near.
        freeze: the policy's parts that do not learn.
    """

    sensors: Mapping[str, SensorSpec]
    actions: Mapping[str, ActionSpec]
    agent: AgentConfig
    seed: int
    critic: AgentConfig | None = None
    critic_sensors: Mapping[str, SensorSpec] | None = None
    reference: bool = False
    freeze: tuple[str, ...] = ()

    def build_policy(self) -> Agent:
        """The policy with fresh weights."""
        return Agent(self.sensors, self.actions, self.agent, self.seed)

    def build_critic(self) -> Agent | None:
        """The critic with fresh weights."""
        if self.critic is None:
            return None
        sensors = self.sensors if self.critic_sensors is None else self.critic_sensors
        return Agent(sensors, {}, replace(self.critic, auxiliary={}), self.seed + 1)


class AgentModule(TorchRLModule):
    """Built by RLlib from `model_config["blueprint"]`; runners get only the policy (`inference_only`).

    All networks stay in evaluation mode: PPO's ratio π/π_old is only 1 at the start of an update if the policy that
    learns is the very one that acted, without dropout.
    """

    def setup(self) -> None:
        """Build the agents."""
        blueprint: Blueprint = self.model_config["blueprint"]
        self.policy = blueprint.build_policy()
        self.policy.freeze(blueprint.freeze)
        self.critic: Agent | None = None
        self.reference: Agent | None = None
        if not self.inference_only:
            self.critic = blueprint.build_critic()
            if blueprint.reference:
                self.reference = blueprint.build_policy()
                self.reference.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> "AgentModule":
        """Stay in evaluation mode, whatever RLlib asks; see the class."""
        super().train(False)
        return self

    def set_policy(self, weights: Mapping[str, np.ndarray]) -> None:
        """Load the policy's weights by name."""
        self.policy.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in weights.items()})

    def policy_weights(self) -> dict[str, np.ndarray]:
        """The policy's weights by name, as `set_policy` takes them."""
        return {name: value.detach().cpu().numpy().copy() for name, value in self.policy.state_dict().items()}

    def explore(self, observations: Mapping[str, Tensor], action: str) -> tuple[Tensor, Tensor]:
        """Draw actions (B, A) for one body and their log-probabilities (B,)."""
        distribution = self.policy.policy(_encode(self.policy, observations), action)
        drawn = distribution.sample()
        return drawn, distribution.log_prob(drawn)

    def values(self, observations: Mapping[str, Tensor]) -> Tensor:
        """V(s), (B,)."""
        critic = self.critic or self.policy
        values: Tensor = critic.value(_encode(critic, observations))
        return values

    def reference_features(self, observations: Mapping[str, Tensor]) -> Tensor:
        """The reference's features (B, D): they do not change while the policy learns, so once is enough."""
        assert self.reference is not None
        with torch.no_grad():
            return _encode(self.reference, observations)

    def _forward_train(self, batch: dict[str, Any], **_: Any) -> dict[str, Tensor]:
        """Judge a minibatch.

        Args:
            batch: "rows": a list with one entry a group, each {"action": its body, "observations", "actions"} and, with
                a reference, its features "reference"; "freeze_policy": True to learn the value alone.

        Returns:
            `log_probs`, `entropy`, `values` and, with a reference, `kl` = KL(π ‖ π_ref), each (R,). With auxiliary
            heads `auxiliary/loss` (R,), 0 in rows without labels, and `auxiliary/<sensor>/…` of the rows with them.
        """
        frozen = bool(batch["freeze_policy"])
        outputs: dict[str, list[Tensor]] = defaultdict(list)
        for rows in batch["rows"]:
            observations = rows["observations"]
            with torch.set_grad_enabled(torch.is_grad_enabled() and not frozen):
                features = _encode(self.policy, observations)
                distribution = self.policy.policy(features, rows["action"])
                outputs["log_probs"].append(distribution.log_prob(rows["actions"]))
                outputs["entropy"].append(distribution.entropy())
                if self.reference is not None:
                    outputs["kl"].append(kl_divergence(distribution, self._reference(rows)))
                if self.policy.config.auxiliary:
                    losses = {"loss": features.new_zeros(len(features))}
                    losses |= auxiliary_losses(self.policy, features, observations)
                    for name, value in losses.items():
                        outputs[f"auxiliary/{name}"].append(value)
            values = self.policy.value(features) if self.critic is None else self.values(observations)
            outputs["values"].append(values)
        return {name: torch.cat(parts) for name, parts in outputs.items()}

    def _reference(self, rows: Mapping[str, Any]) -> Distribution:
        assert self.reference is not None
        with torch.no_grad():
            return self.reference.policy(rows["reference"], rows["action"])


def _encode(agent: Agent, observations: Mapping[str, Tensor]) -> Tensor:
    """An agent's features (B, D) of the sensors that it knows: the policy's and the critic's may differ."""
    return agent.encode({name: value for name, value in observations.items() if name in agent.encoders})
