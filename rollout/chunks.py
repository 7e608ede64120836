"""What is run where: the sensors of each task, and a manifest cut into chunks."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from trunkline.envs.manifest import Manifest
from trunkline.envs.registry import make_worlds, split_task
from trunkline.envs.spec import ActionSpec, SensorSpec, TaskSpec
from trunkline.errors import unknown
from trunkline.rollout.policies import Policy

SensorChoice = Mapping[str, Sequence[str]] | Sequence[str] | None


@dataclass(frozen=True)
class Chunk:
    """TaskSpecs of one task, and how to run them.

    Attributes:
        task: "family/task".
        indices: their places in the manifest.
        specs: the TaskSpecs.
        sensors: what the world reads.
        record: what of that is kept.
        options: of the world's family.
        film: ids of the TaskSpecs to take pictures of.
        frame_size: edge of the pictures in pixels.
    """

    task: str
    indices: tuple[int, ...]
    specs: tuple[TaskSpec, ...]
    sensors: tuple[str, ...]
    record: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    film: frozenset[str] = frozenset()
    frame_size: int = 128

    def only(self, indices: Iterable[int]) -> "Chunk":
        """The part of it that has these places in the manifest."""
        wanted = set(indices)
        kept = [(i, spec) for i, spec in zip(self.indices, self.specs, strict=True) if i in wanted]
        return replace(self, indices=tuple(i for i, _ in kept), specs=tuple(spec for _, spec in kept))


@dataclass(frozen=True)
class TaskPlan:
    """How the episodes of one task are run.

    Attributes:
        task: "family/task".
        sensors: names of what the world reads: what is recorded and what the policy needs.
        recorded: what of that is kept.
        action: the body's actuators.
        fps: control steps a second.
        options: of the world's family.
        available: names of all sensors the world could have.
        remarks: what the policy's user should know.
    """

    task: str
    sensors: tuple[str, ...]
    recorded: Mapping[str, SensorSpec]
    action: ActionSpec
    fps: int
    options: Mapping[str, Any]
    available: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def family_of(task: str) -> str:
    """The world family of a task's name."""
    return split_task(task)[0]


def plan_task(
    task: str,
    policy: Policy,
    sensors: SensorChoice = None,
    hidden: Sequence[str] = (),
    options: Mapping[str, Mapping[str, Any]] | None = None,
    record: bool = True,
) -> TaskPlan:
    """Decide what is read and recorded on one task.

    Args:
        task: "family/task".
        policy: what will act.
        sensors: names to record: of every task, or by task or family; what is not named records its default sensors.
        hidden: names that are not recorded, whatever `sensors` says; the policy may still read them.
        options: of worlds, by family.
        record: False if nothing is kept.

    Raises:
        InputError: unknown task, sensor or option, or sensors that the policy cannot act on.
    """
    family = family_of(task)
    own_options = dict((options or {}).get(family, {}))
    world = make_worlds(task, 1, **own_options)
    try:
        available = {spec.name: spec for spec in world.available_sensors()}
        names = _chosen(sensors, task, family, world.default_sensors()) if record else ()
        for name in names:
            if name not in available:
                raise unknown(f"sensor of {task}", name, available)
        recorded = {name: available[name] for name in names if name not in hidden}
        read = tuple(dict.fromkeys((*recorded, *policy.sensors(available))))
        remarks = policy.remarks(available)
        return TaskPlan(task, read, recorded, world.action_spec, world.fps, own_options, tuple(available), remarks)
    finally:
        world.close()


def _chosen(sensors: SensorChoice, task: str, family: str, default: Sequence[str]) -> Sequence[str]:
    if sensors is None:
        return default
    if isinstance(sensors, Mapping):
        return sensors.get(task, sensors.get(family, default))
    return sensors


def make_chunks(
    manifest: Manifest,
    plans: Mapping[str, TaskPlan],
    size: int,
    skip: Collection[str] = (),
    film: Collection[str] = (),
    frame_size: int = 128,
) -> list[Chunk]:
    """A manifest in chunks of one task and at most `size` TaskSpecs, in order of their first places.

    The cuts are those of the whole manifest, so that what is left of it is run and delivered in the same order.

    Args:
        manifest: what is to be run.
        plans: how, by task.
        size: TaskSpecs of a whole chunk.
        skip: ids of TaskSpecs to leave out.
        film: ids of TaskSpecs to take pictures of.
        frame_size: edge of the pictures in pixels.
    """
    chunks = []
    for task, places in manifest.by_task().items():
        plan = plans[task]
        for start in range(0, len(places), size):
            part = [(i, manifest.tasks[i]) for i in places[start : start + size]]
            left = [(i, spec) for i, spec in part if spec.id not in skip]
            if not left:
                continue
            filmed = frozenset(spec.id for _, spec in left if spec.id in film)
            chunks.append(
                Chunk(
                    task=task,
                    indices=tuple(i for i, _ in left),
                    specs=tuple(spec for _, spec in left),
                    sensors=plan.sensors,
                    record=tuple(plan.recorded),
                    options=plan.options,
                    film=filmed,
                    frame_size=frame_size,
                )
            )
    return sorted(chunks, key=lambda chunk: chunk.indices[0])
