"""Which policy it is that acted: two with the same identity act alike, wherever they were loaded from."""

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trunkline.envs.spec import canonical_json
from trunkline.errors import InputError

if TYPE_CHECKING:
    from trunkline.rollout.policies import Policy


def policy_identity(policy: "Policy") -> str:
    """SHA-256 of a policy's class and of what it says about itself."""
    kind = type(policy)
    plain = canonical_json({"class": f"{kind.__module__}.{kind.__qualname__}", "about": dict(policy.about())})
    return hashlib.sha256(plain.encode()).hexdigest()


def require_identity(policy: "Policy") -> None:
    """Pass if policies of this one's class that act unlike can be told apart.

    Raises:
        InputError: it holds something and does not say what.
    """
    from trunkline.rollout.policies import Policy

    kind = type(policy)
    if kind.about is Policy.about and getattr(policy, "__dict__", None):
        raise InputError(
            f"{kind.__name__} holds {', '.join(vars(policy))} and has no about(), so its results could not be told "
            f"from another {kind.__name__}'s; define about() to return what it depends on, or evaluate without out"
        )


def acting_identity(policy: "Policy", options: Mapping[str, Any]) -> str:
    """SHA-256 of a policy and the options of the worlds that it acts in; without options, of the policy."""
    identity = policy_identity(policy)
    if not any(options.values()):
        return identity
    return hashlib.sha256(canonical_json({"policy": identity, "options": dict(options)}).encode()).hexdigest()


def agent_identity(agent: Any) -> str:
    """SHA-256 of an agent's description and tensors; of another object that acts as one, its class."""
    import torch

    from trunkline.agents.agent import Agent
    from trunkline.agents.checkpoint_files import describe_agent

    if not isinstance(agent, Agent):
        return f"{type(agent).__module__}.{type(agent).__qualname__}"
    description = {name: value for name, value in describe_agent(agent).items() if name not in ("format", "versions")}
    digest = hashlib.sha256(canonical_json(description).encode())
    for name, tensor in sorted(agent.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
