"""What a main job asks of its configuration before hours are spent on it."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from trunkline.agents.agent import Agent
from trunkline.envs.registry import make_worlds, split_task
from trunkline.envs.spec import ActionSpec, SensorSpec
from trunkline.errors import InputError, unknown
from trunkline.rollout.experiment.config import ARMS, ExperimentConfig

Options = Mapping[str, Mapping[str, Any]]


def refuse_own(stage: str, given: Mapping[str, Any], own: Collection[str]) -> None:
    """Pass if the options of a stage leave alone what the run sets.

    Raises:
        InputError: they do not.
    """
    for name in own:
        if name in given:
            raise InputError(f"{stage}.{name} is set by the run; leave it out")


def require_agent_and_arms(config: ExperimentConfig, options_of: Callable[[str], Options]) -> None:
    """Pass if the architecture can be built for the tasks' sensors and bodies, and every arm evaluated.

    Args:
        config: the run.
        options_of: worlds' options by family, in which an arm is evaluated.

    Raises:
        InputError: an unknown trunk, encoder, head or option, or a sensor that its encoder does not take; an option
            that a world does not have, or a sensor to hide that no agent is shown.
    """
    sensors: dict[str, SensorSpec] = {}
    labels: dict[str, SensorSpec] = {}
    actions: dict[str, ActionSpec] = {}
    for task in config.tasks:
        family = split_task(task)[0]
        world = make_worlds(task, 1, config.sensors.get(family), **config.options.get(family, {}))
        sensors |= world.sensors
        labels |= {spec.name: spec for spec in world.available_sensors() if spec.name in config.agent.auxiliary}
        actions[world.action_spec.name] = world.action_spec
        world.close()
    Agent({**sensors, **labels}, actions, config.agent)
    asked: set[str] = set()
    for arm in config.arms:
        if ARMS[arm].masked:
            for name in config.hidden:
                if name not in sensors:
                    raise unknown(f"sensor in hidden, which arm {arm!r} goes without,", name, sensors)
        options = options_of(arm)
        for task in (*config.tasks, *config.held_out):
            own = options.get(split_task(task)[0], {})
            if (key := f"{task} {sorted(own.items())!r}") not in asked:
                asked.add(key)
                make_worlds(task, 1, **own).close()
