"""Behaviour cloning: the recorded action, from the observation alone."""

from dataclasses import dataclass
from typing import Literal, get_args

from torch import Tensor

from trunkline.agents.agent import Agent
from trunkline.agents.heads.auxiliary import auxiliary_losses
from trunkline.errors import unknown
from trunkline.pretrain.batch import TensorBatch
from trunkline.pretrain.losses import squared_error
from trunkline.pretrain.objectives.base import Objective, objective

Loss = Literal["mse", "nll"]


@objective("behaviour_cloning")
@dataclass(frozen=True)
class BehaviourCloning(Objective):
    """L = ‖E[π(· | φ(o))] − a‖² / A, or −log π(a | φ(o)) / A; discrete actions: the cross-entropy.

    It trains the agent's own policy heads, so its result acts as it is. Pomerleau, "ALVINN", 1989. The weighted losses
    of the agent's auxiliary heads, where the batch has their labels, are added.

    Attributes:
        loss: "mse" of the mean, which leaves the policy's spread alone, or "nll", which learns it too.
    """

    loss: Loss = "mse"

    def __post_init__(self) -> None:
        if self.loss not in get_args(Loss):
            raise unknown("loss of objective 'behaviour_cloning'", self.loss, get_args(Loss))

    def __call__(self, agent: Agent, batch: TensorBatch) -> dict[str, Tensor]:
        """The loss, and the error of each action dimension; see `losses`. "auxiliary/…": of the auxiliary heads."""
        features = agent.encode(batch.observations)
        cloning = self._cloning(agent, features, batch)
        auxiliary = auxiliary_losses(agent, features, batch.observations)
        if not auxiliary:
            return cloning
        means = {f"auxiliary/{name}": batch.mean(value) for name, value in auxiliary.items()}
        return cloning | means | {"loss": cloning["loss"] + means["auxiliary/loss"], "cloning": cloning["loss"]}

    def _cloning(self, agent: Agent, features: Tensor, batch: TensorBatch) -> dict[str, Tensor]:
        spec = agent.actions[batch.action]
        policy = agent.policy(features, batch.action)
        if self.loss == "mse" and not spec.discrete:
            return squared_error(policy.mean, batch, spec)
        likelihood = {"loss": -batch.mean(policy.log_prob(batch.actions)) / spec.shape[0]}
        if spec.discrete:
            right = (policy.mode == batch.actions).all(-1).float()
            return likelihood | {"accuracy": batch.mean(right)}
        errors = squared_error(policy.mean.detach(), batch, spec)
        return errors | {"mse": errors["loss"]} | likelihood
