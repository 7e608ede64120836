"""trunkline: embodied agents on one shared trunk.

    import trunkline

    agent = trunkline.load_agent("runs/quickstart/checkpoints/pretrained_rl/seed0")
    manifest = trunkline.Manifest(tuple(trunkline.sample_tasks("tabletop/push", 50, seed=0, split="test/goal")))
    rows = trunkline.evaluate(agent, manifest)

Names are imported when they are first used, so `import trunkline` costs nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_LAZY = {
    "make_worlds": "trunkline.envs.registry",
    "make_env": "trunkline.envs.single",
    "sample_tasks": "trunkline.envs.registry",
    "Manifest": "trunkline.envs.manifest",
    "ActionSpec": "trunkline.envs.spec",
    "SensorSpec": "trunkline.envs.spec",
    "TaskSpec": "trunkline.envs.spec",
    "Agent": "trunkline.agents.agent",
    "AgentConfig": "trunkline.agents.config",
    "load_agent": "trunkline.agents.checkpoint",
    "save_agent": "trunkline.agents.checkpoint",
    "EpisodeDataset": "trunkline.data.reader",
    "evaluate": "trunkline.rollout.evaluate",
    "InputError": "trunkline.errors",
}

__all__ = [*sorted(_LAZY), "__version__"]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'trunkline' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__


if TYPE_CHECKING:
    from trunkline.agents.agent import Agent as Agent
    from trunkline.agents.checkpoint import load_agent as load_agent
    from trunkline.agents.checkpoint import save_agent as save_agent
    from trunkline.agents.config import AgentConfig as AgentConfig
    from trunkline.data.reader import EpisodeDataset as EpisodeDataset
    from trunkline.envs.manifest import Manifest as Manifest
    from trunkline.envs.registry import make_worlds as make_worlds
    from trunkline.envs.registry import sample_tasks as sample_tasks
    from trunkline.envs.single import make_env as make_env
    from trunkline.envs.spec import ActionSpec as ActionSpec
    from trunkline.envs.spec import SensorSpec as SensorSpec
    from trunkline.envs.spec import TaskSpec as TaskSpec
    from trunkline.errors import InputError as InputError
    from trunkline.rollout.evaluate import evaluate as evaluate
