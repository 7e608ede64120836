"""From tasks to groups: which simulations run through the agent together, and what sensors and bodies there are."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from trunkline.envs.registry import make_worlds
from trunkline.envs.spec import ActionSpec, SensorSpec
from trunkline.errors import InputError, unknown
from trunkline.rollout.chunks import family_of
from trunkline.rollout.rl.fragment import Group


def plan_groups(
    tasks: Sequence[str],
    sensors: Mapping[str, Sequence[str]],
    known: Mapping[str, SensorSpec] | None = None,
    bodies: Mapping[str, ActionSpec] | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    further: Collection[str] = (),
) -> tuple[tuple[Group, ...], dict[str, SensorSpec], dict[str, ActionSpec]]:
    """Group tasks by body and sensors.

    Args:
        tasks: "family/task" of each.
        sensors: names of the sensors to read, by world family; families that are not named read their default ones.
        known: the sensors of a trained agent; others are left out, and these must be the very same.
        bodies: the bodies of a trained agent.
        options: of worlds, by family.
        further: sensors beside those, read wherever a task has them: what auxiliary heads learn from, what critics see.

    Returns:
        The groups, the sensors and the bodies by name, in the order of first appearance.

    Raises:
        InputError: unknown task, sensor or option, a task that the agent has no sensor or body for, two sensors of
            one name but different forms, or one of `further` that no task has.
    """
    members: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    found: dict[str, SensorSpec] = {}
    available: set[str] = set()
    actions: dict[str, ActionSpec] = {}
    options = options or {}
    families = {family_of(task) for task in tasks}
    for key, named in (("sensors", sensors), ("options", options)):
        for family in named:
            if family not in families:
                raise unknown(f"world family in {key}", family, families)
    for task in tasks:
        family = family_of(task)
        world = make_worlds(task, 1, sensors.get(family), **options.get(family, {}))
        specs, action = dict(world.sensors), world.action_spec
        every = {spec.name: spec for spec in world.available_sensors()} if further else {}
        available |= every.keys()
        learned = {name: spec for name, spec in every.items() if name in further}
        world.close()
        if known is not None:
            specs = {name: spec for name, spec in specs.items() if name in known}
            if not specs:
                raise InputError(f"the agent has none of the sensors of {task}; it has {', '.join(known)}")
        specs |= learned
        if bodies is not None and action.name not in bodies:
            raise InputError(f"the agent has no policy for body {action.name!r} of {task}; it has {', '.join(bodies)}")
        for name, spec in specs.items():
            other = found.get(name, (known or {}).get(name, spec))
            difference = other.difference(spec)
            if difference is not None:
                raise InputError(f"sensor {name!r} of {task} is another than the agent's: {difference}")
            found.setdefault(name, other)
        if actions.setdefault(action.name, action) != action or (bodies or actions)[action.name] != action:
            raise InputError(f"the body {action.name!r} of {task} has other actions than the agent's of that name")
        members.setdefault((action.name, tuple(specs)), []).append(task)
    for name in further:
        if name not in found:
            raise unknown("sensor in agent.auxiliary or critic_sensors", name, available)
    groups = tuple(
        Group(f"{body}/{'+'.join(names)}", actions[body], names, tuple(group), options)
        for (body, names), group in members.items()
    )
    return groups, found, actions
