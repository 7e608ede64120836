"""One checkpoint's encoders for sensors of other names: what a finger learned serves both pads of a gripper."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from trunkline.agents.agent import Agent
from trunkline.agents.checkpoint import load_agent, save_agent
from trunkline.errors import unknown


def retarget(
    path: str | Path, out: str | Path, encoders: Mapping[str, str], policy: Mapping[str, Any] | None = None
) -> None:
    """Write a checkpoint with a checkpoint's trunk, and copies of some of its encoders under other sensors' names.

    Other encoders and all heads stay behind. Weights keep the statistics that they were trained with.

    Args:
        path: the checkpoint.
        out: folder of the new one.
        encoders: by new sensor name, the sensor whose encoder it gets, e.g. {"touch_left": "digit"}.
        policy: options of the policy heads that bodies will get, see `AgentConfig.policy`; None for the checkpoint's.

    Raises:
        InputError: no checkpoint at `path`, or a sensor that it does not have, with the nearest match.
    """
    source = load_agent(path)
    for sensor in encoders.values():
        if sensor not in source.sensors:
            raise unknown(f"sensor in {path}", sensor, source.sensors)
    config = replace(
        source.config,
        encoders={new: source.config.encoders[old] for new, old in encoders.items()},
        policy=dict(source.config.policy if policy is None else policy),
    )
    sensors = {new: replace(source.sensors[old], name=new) for new, old in encoders.items()}
    agent = Agent(sensors, {}, config, source.seed)
    agent.trunk.load_state_dict(source.trunk.state_dict())
    for new, old in encoders.items():
        agent.encoders[new].load_state_dict(source.encoders[old].state_dict())
    save_agent(agent, out)
