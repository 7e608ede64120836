"""The Minecraft tasks: voxel worlds in lockstep, each with a target to approach, break, use, hunt, shoot, or build at.

Legend: E simulations, S pixels a side of an image, B cells of a target, M entities of a world.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np

from trunkline.envs.base import Observations, World
from trunkline.envs.minecraft import actions, tasks
from trunkline.envs.minecraft.expert import Expert
from trunkline.envs.minecraft.goals import INTERACTIONS
from trunkline.envs.minecraft.overlay import check_overlay
from trunkline.envs.minecraft.start import Starter
from trunkline.envs.minecraft.views import STATUS, Status, Views, farthest
from trunkline.envs.spec import ActionSpec, SensorSpec, TaskSpec
from trunkline.envs.warp import find_device, start_warp
from trunkline.errors import InputError, unknown
from trunkline.schema import build

TICKS_PER_SECOND = 20
REWARDS = ("progress", "outcome")
# m from the eye to the target at which there is nothing to be gained by going nearer.
_NEAR = {"approach": 3.0, "break": 3.5, "interact": 3.0, "hunt": 2.5, "shoot": 10.0, "place": 3.5}
_AROUND = 2  # cells on each side in `voxels`


@dataclass(frozen=True)
class Options:
    """Options of the Minecraft worlds.

    Attributes:
        size: blocks (nx, ny, nz) of every world; TaskSpecs are of one size.
        image_size: pixels a side of images.
        ticks_per_step: ticks that an action lasts; the head turns in the first of them.
        reward: "progress", potential-based with a bonus on success, or "outcome", 1 on success and else 0.
        field_of_view: degrees, from the image's top to its bottom.
        entities: places a world for mobs, drops and arrows.
        overlay: what `rgb` and videos show over the world: "crosshair", and "hand" for the item in it.
        wrong_goal: whether `goal_view` shows another target of the terrain; what counts as success stays.
        device: of Warp, e.g. "cpu" or "cuda:0".
    """

    size: tuple[int, int, int] = tasks.SIZE
    image_size: int = 64
    ticks_per_step: int = 1
    reward: str = "progress"
    field_of_view: float = 70.0
    entities: int = 16
    overlay: tuple[str, ...] = ()
    wrong_goal: bool = False
    device: str = "cpu"

    def __post_init__(self) -> None:
        if len(self.size) != 3 or any(int(n) != n or n < 32 for n in self.size):
            raise InputError(f"size={list(self.size)}: three whole numbers of at least 32, e.g. {list(tasks.SIZE)}")
        if not 8 <= self.image_size <= 1024:
            raise InputError(f"image_size={self.image_size}; choose 8 to 1024 pixels")
        if not 1 <= self.ticks_per_step <= 20:
            raise InputError(f"ticks_per_step={self.ticks_per_step}; choose 1 to 20")
        if self.reward not in REWARDS:
            raise unknown("reward", self.reward, REWARDS)
        if not 10.0 <= self.field_of_view <= 150.0:
            raise InputError(f"field_of_view={self.field_of_view}; choose 10 to 150 degrees")
        object.__setattr__(self, "overlay", check_overlay(self.overlay))
        if not 4 <= self.entities <= 256:
            raise InputError(f"entities={self.entities}; choose 4 to 256")


class Minecraft(World):
    """All tasks of the family `minecraft`; the task's name is the interaction with the target.

    A goal is a picture of the target, taken from elsewhere, and a mask that says what in it is the target. It is
    reached when

        approach   the eye is within 3 m of the target
        break      the agent breaks a block of the target
        interact   the agent uses a block of the target: opens, pulls, works at it
        hunt       the agent kills the mob
        shoot      an arrow of the agent hits the mob
        place      the agent places a block that shares a face with a block of the target

    An episode that cannot succeed any more, because the agent died or the mob is gone, ends without success.

    Sensors: `rgb` (S, S, 3) uint8 and `depth` (S, S, 1) in blocks, from the agent's eye; `goal_view` (S, S, 4) uint8,
    the goal picture and its mask (0 or 255); `interaction` (6,) one-hot; `status` (see `views.STATUS`). Privileged:
    `segmentation` (S, S, 2) int32; `voxels` (5, 5, 5) uint8, block states around the feet by x, z, y; `target_view`
    (7,): whether the target is seen, its centroid x, y and its box x0, y0, x1, y1, all in [−1, 1]; `target_state` (4,):
    the middle of the target's nearest block, to the right, up and ahead of the eye, and how far its nearest point is.

    The action is six choices, see `actions.py`. `TaskSpec.max_steps` counts ticks.

    Args:
        task: one of INTERACTIONS.
        num_envs: E.
        sensors: names of the sensors to read.
        num_threads: has no effect; Warp runs the kernels on one core of a CPU, or on a GPU.
        **options: of `Options`.
    """

    family = "minecraft"
    options_class: ClassVar[type[Options]] = Options

    def __init__(
        self, task: str, num_envs: int, sensors: Sequence[str] | None = None, num_threads: int = 1, **options: Any
    ) -> None:
        known = self.options_class.__dataclass_fields__
        for name in options:
            if name not in known:
                raise unknown(f"option of {self.family}", name, known)
        self.options = build(self.options_class, options, f"options.{self.family}")
        self.fps = round(TICKS_PER_SECOND / self.options.ticks_per_step)
        super().__init__(task, num_envs, sensors, num_threads)
        wp = start_warp()
        find_device(self.options.device)
        from trunkline.envs.minecraft.kernels import goal as goal_kernels
        from trunkline.envs.minecraft.rules import make_rules
        from trunkline.envs.minecraft.state import Worlds

        device = self.options.device
        self.worlds = Worlds(num_envs, self.options.size, self.options.entities, device)
        self.rules = make_rules(device)
        self.simulation = self.make_simulation()
        self.starter = Starter(self.worlds, self.rules, task, _NEAR[task])
        size, angle = self.options.image_size, self.options.field_of_view
        self.views = Views(self.worlds, self.rules, self.starter, self.sensors, size, angle, self.options.overlay)
        inputs = [self.worlds.game, self.rules, self.starter.targets]
        self._watch, self._measuring = (
            wp.launch(kernel, dim=num_envs, inputs=inputs, device=device, record_cmd=True)
            for kernel in (goal_kernels.watch, goal_kernels.measure)
        )
        self._status = Status(self.worlds)
        self._expert: Expert | None = None
        self._decoys: Minecraft | None = None
        # On a CPU these are the worlds' own memory, elsewhere copies that are sent there.
        self._told = {name: self.worlds.view(name) for name in ("active", "control", "turn")}
        self._one_hot = np.zeros((num_envs, len(INTERACTIONS)), np.float32)
        self._one_hot[:, INTERACTIONS.index(task)] = 1.0

    def make_simulation(self) -> Any:
        """What runs the worlds: something with `tick()`, after which `self.worlds` is as they then are."""
        from trunkline.envs.minecraft.simulation import Simulation

        return Simulation(self.worlds, self.rules)

    @classmethod
    def task_names(cls) -> tuple[str, ...]:
        return INTERACTIONS

    @classmethod
    def splits(cls, task: str) -> tuple[str, ...]:
        return tasks.SPLITS

    @classmethod
    def sample_tasks(cls, task: str, count: int, seed: int, split: str) -> list[TaskSpec]:
        from trunkline.envs.minecraft.synthesis import synthesize

        return synthesize({task: count}, seed, split)[task]

    def available_sensors(self) -> list[SensorSpec]:
        size, fov = self.options.image_size, {"field_of_view": self.options.field_of_view}
        rate = TICKS_PER_SECOND / self.options.ticks_per_step
        wide = 2 * _AROUND + 1
        far = farthest(self.options.size)
        screen = fov | ({"overlay": list(self.options.overlay)} if self.options.overlay else {})
        return [
            SensorSpec("rgb", "rgb", (size, size, 3), "uint8", frame_rate=rate, form=screen),
            SensorSpec("depth", "depth", (size, size, 1), low=0.0, high=far, units="m", frame_rate=rate, form=fov),
            SensorSpec("goal_view", "goal_view", (size, size, 4), "uint8", form=fov),
            SensorSpec("interaction", "interaction", (len(INTERACTIONS),), low=0.0, high=1.0),
            SensorSpec("status", "proprio", (len(STATUS),), low=-1.0, high=1.0, form={"values": list(STATUS)}),
            SensorSpec("segmentation", "segmentation", (size, size, 2), "int32", form=fov, privileged=True),
            SensorSpec("voxels", "voxels", (wide, wide, wide), "uint8", privileged=True),
            SensorSpec("target_view", "target_view", (7,), low=-1.0, high=1.0, privileged=True),
            SensorSpec("target_state", "state", (4,), units="m", privileged=True),
        ]

    def default_sensors(self) -> tuple[str, ...]:
        return ("rgb", "goal_view", "interaction", "status")

    def make_action_spec(self) -> ActionSpec:
        return actions.action_spec()

    def _start(self, ids: np.ndarray, tasks: Sequence[TaskSpec]) -> None:
        self.starter.start(ids, tasks)
        if self._expert is not None:
            self._expert.begin(ids)
        self._limit[ids] = -(-self._limit[ids] // self.options.ticks_per_step)
        self._measuring.launch()
        if self.options.wrong_goal:
            self._show_wrong_goals(ids, tasks)
        else:
            self.views.show_goals(ids)

    def _show_wrong_goals(self, ids: np.ndarray, tasks: Sequence[TaskSpec]) -> None:
        from trunkline.envs.minecraft.synthesis import another

        if self._decoys is None:
            options = {field.name: getattr(self.options, field.name) for field in fields(Options)}
            self._decoys = Minecraft(self.task, 1, ("goal_view",), **{**options, "wrong_goal": False})
        for row, spec in zip(ids, tasks, strict=True):
            shown, _ = self._decoys.reset(options={"tasks": [another(self.in_voxels(spec))]})
            self.views.goal_views[row] = shown["goal_view"][0]

    @staticmethod
    def in_voxels(spec: TaskSpec) -> TaskSpec:
        """The TaskSpec of the family `minecraft` that one of this family is."""
        return spec

    def _advance(self, actions_: np.ndarray, ids: np.ndarray | None) -> None:
        told = self._told
        told["active"][:] = ids is None
        if ids is not None:
            told["active"][ids] = 1
        actions.write_controls(actions_, told["control"], told["turn"])
        self._tell("active", "control", "turn")
        for tick in range(self.options.ticks_per_step):
            if tick == 1:
                told["turn"][:] = 0.0
                self._tell("turn")
            self.simulation.tick()
            self._watch.launch()

    def _tell(self, *names: str) -> None:
        if self.worlds.device != "cpu":
            for name in names:
                self.worlds.put(name, self._told[name])

    def _measure(self) -> tuple[np.ndarray, np.ndarray]:
        self._measuring.launch()
        return self.starter.read("progress").astype(np.float64), self.starter.read("reached") != 0

    def _reward(self, progress: np.ndarray, success: np.ndarray) -> np.ndarray:
        if self.options.reward == "outcome":
            return success.astype(np.float32)
        return super()._reward(progress, success)

    def _over(self, success: np.ndarray) -> np.ndarray:
        over: np.ndarray = success | (self.starter.read("lost") != 0)
        return over

    def _observe(self, ids: np.ndarray | None) -> Observations:
        seen = self.views.observe(ids)
        for name in self.sensors:
            if name == "interaction":
                seen[name] = self._one_hot.copy()
            elif name == "status":
                seen[name] = self._status.read()
            elif name == "target_state":
                seen[name] = self.starter.read("state").copy()
            elif name == "voxels":
                seen[name] = self._voxels()
        return {name: seen[name] for name in self.sensors}

    def _voxels(self) -> np.ndarray:
        """Block states (E, 5, 5, 5) around the feet by x, z, y; BARRIER's number outside the world."""
        nx, ny, nz = self.worlds.size
        feet = np.floor(self.worlds.view("position")).astype(np.int64)
        steps = np.arange(-_AROUND, _AROUND + 1)
        x = feet[:, 0, None, None, None] + steps[None, :, None, None]
        z = feet[:, 2, None, None, None] + steps[None, None, :, None]
        y = feet[:, 1, None, None, None] + steps[None, None, None, :]
        inside = (x >= 0) & (x < nx) & (z >= 0) & (z < nz) & (y >= 0)
        cells = (x.clip(0, nx - 1) * nz + z.clip(0, nz - 1)) * ny + y.clip(0, ny - 1)
        states = self.worlds.view("blocks")[np.arange(self.num_envs)[:, None, None, None], cells]
        return np.where(inside, np.where(y < ny, states, 0), 255).astype(np.uint8)

    def expert_actions(self) -> np.ndarray:
        if self._expert is None:
            self._expert = Expert(self.worlds, self.rules, self.starter.targets, self.options.ticks_per_step)
            self._expert.begin(np.flatnonzero(self.active))
        return self._expert.actions(self.active)

    def render_images(self, ids: Sequence[int], size: int = 128) -> np.ndarray:
        return self.views.pictures(ids, size)
