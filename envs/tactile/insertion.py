"""`tactile/insertion`: seat a plug, held with an unknown offset, in a socket that is not quite where it should be.

The hand knows where it is (`proprio`, `wrist`) and where the socket ought to be (`goal`, `to_goal`). It does not know
how the plug sits between its pads (across, up and down, and turned) nor how far the socket is off: that can only be
felt.

Legend: E simulations, n episodes that start. Computed element by element: the same bits in a batch of any size.
"""

from collections.abc import Sequence
from typing import Any

import mujoco
import numpy as np

from trunkline.envs.mujoco.raycast import View
from trunkline.envs.mujoco.sensors import PROPRIO_SIZE, goal_sensor
from trunkline.envs.mujoco.tabletop.task import column, norm
from trunkline.envs.sampling import draw_tasks
from trunkline.envs.spec import ActionSpec, SensorSpec, TaskSpec
from trunkline.envs.tactile.gripper_touch import in_hand
from trunkline.envs.tactile.gripper_world import GripperWorld
from trunkline.envs.tactile.insertion_connectors import CONNECTORS, DROP, PIN_COUNTS, ConnectorTable
from trunkline.envs.tactile.insertion_model import SOCKET_HEIGHT, insertion_spec
from trunkline.envs.tactile.insertion_task import (
    CONTEXTS,
    ENCODER_STEP,
    plug_state_sensor,
    sample_params,
    to_goal_sensor,
    wrist_sensor,
)
from trunkline.errors import InputError

TOLERANCE = 0.0004  # m, how far from its seat a seated plug may be, sideways and up
FORCE_LIMIT = 10.0  # N between plug and socket; more breaks them and ends the episode
GRIP_FORCE = 15.0  # N
STEP = np.array([0.001, 0.001, 0.001, np.radians(1.0)])  # that the command moves in a control step at action 1
LAG = np.array([0.008, 0.008, 0.008, np.radians(8.0)])  # that the command may be ahead of the hand
REACH = np.array([0.05, 0.05, 0.06, np.radians(25.0)])  # of the command from the middle of the work space
MIDDLE = np.array([0.0, 0.0, SOCKET_HEIGHT + 0.035, 0.0])
MAX_STEPS = 80
SETTLING = 40  # physics steps after the plug is put between the pads
_START_INDENTATION = 0.0008  # m
_SLACK = 0.01  # m beyond the start where progress is 0: leaving costs something too
_TILT_ARM = 0.02  # m a radian, in the distance that is left


class Insertion(GripperWorld):
    """The world `tactile/insertion`; see the module.

    The action moves the commanded hand along x, y and z and turns it about y, the axis through the pads. An episode
    succeeds when the plug is seated within 0.4 mm. It fails when, at a control step, plug and socket press on each
    other harder than `FORCE_LIMIT`.
    """

    view = View(position=(0.20, -0.07, 0.10), target=(0.0, 0.0, 0.058), field_of_view=36.0)

    @classmethod
    def task_names(cls) -> tuple[str, ...]:
        return ("insertion",)

    @classmethod
    def splits(cls, task: str) -> tuple[str, ...]:
        return tuple(CONTEXTS)

    @classmethod
    def sample_tasks(cls, task: str, count: int, seed: int, split: str) -> list[TaskSpec]:
        context = CONTEXTS[split]
        return draw_tasks(cls.family, task, count, seed, split, MAX_STEPS, lambda rng: sample_params(rng, context))

    def default_sensors(self) -> tuple[str, ...]:
        return ("touch_left", "touch_right", "proprio", "wrist", "goal", "to_goal")

    def make_action_spec(self) -> ActionSpec:
        return ActionSpec("touch_arm", (4,))

    def _own_sensors(self) -> list[SensorSpec]:
        return [wrist_sensor(), goal_sensor(), to_goal_sensor(), plug_state_sensor()]

    def _build(self) -> Any:
        return insertion_spec()

    def _bind(self) -> None:
        batch, count = self.batch, self.num_envs
        self._hand: np.ndarray = self._qpos[:, :4]
        self._hand_rate: np.ndarray = self._qvel[:, :4]
        self._command: np.ndarray = self._ctrl[:, :4]
        self._fingers: np.ndarray = self._qpos[:, 4:6]
        self._finger_rates: np.ndarray = self._qvel[:, 4:6]
        self._plug: np.ndarray = self._qpos[:, 6:13]
        self._grip = self._ctrl[:, self.model.actuator("grip").id]
        self._socket = batch.expand("body_pos")[:, self.model.body("socket").id]
        address = int(self.model.sensor("socket_force").adr[0])
        self._force = batch.bind("sensordata")[:, address : address + 3]
        self._table = ConnectorTable.build()
        geoms = [self.model.geom(name).id for name in self._table.names()]
        self._geoms = np.array(geoms)
        self._fields = {name: batch.expand(f"geom_{name}") for name in ("size", "aabb", "rbound")}
        self._fields["pos"] = batch.expand("geom_pos")
        self._nominal = np.zeros((count, 3))
        self._length = np.zeros(count)
        self._handle = np.ones((count, 2))  # radius and half length
        self._broken = np.zeros(count, bool)
        self._initial = np.ones(count)

    def _start(self, ids: np.ndarray, tasks: Sequence[TaskSpec]) -> None:
        params = [t.params for t in tasks]
        pins, hand, grasp = column(params, "pins"), column(params, "hand", 3), column(params, "grasp", 3)
        for count in pins:
            if count not in PIN_COUNTS:
                raise InputError(f"TaskSpec param 'pins' is {count:g}; there are connectors with {PIN_COUNTS} pins")
        kinds = np.array([PIN_COUNTS.index(int(count)) for count in pins])
        self.batch.reset(ids, stage=mujoco.mjtStage.mjSTAGE_NONE)
        values = {
            "size": self._table.size,
            "aabb": self._table.aabb,
            "rbound": self._table.rbound,
            "pos": self._table.position,
        }
        for name, table in values.items():
            self._fields[name][ids[:, None], self._geoms] = table[kinds]
        nominal, socket = column(params, "nominal", 3), column(params, "socket", 2)
        self._nominal[ids] = self._socket[ids] = nominal
        self._socket[ids, :2] += socket
        self._length[ids] = self._table.length[kinds]
        self._hand[ids, :3] = self._command[ids, :3] = hand
        self._handle[ids] = np.array([c.handle for c in CONNECTORS.values()])[kinds]
        self._fingers[ids] = self._handle[ids, :1] - _START_INDENTATION
        self._grip[ids] = -GRIP_FORCE
        self._plug[ids, :3] = hand
        self._plug[ids, 0] += grasp[:, 0]
        self._plug[ids, 2] += grasp[:, 1]
        self._plug[ids, 3], self._plug[ids, 5] = np.cos(grasp[:, 2] / 2), np.sin(grasp[:, 2] / 2)
        self._simulate(ids, SETTLING)
        self._broken[ids] = False
        self._initial[ids] = self._remaining()[ids]

    def _advance(self, actions: np.ndarray, ids: np.ndarray | None) -> None:
        hand = self._hand.copy()
        target = STEP * actions.astype(np.float64)
        target += self._command
        np.minimum(np.maximum(target, hand - LAG), hand + LAG, out=target)
        np.minimum(np.maximum(target, MIDDLE - REACH), MIDDLE + REACH, out=target)
        self._command[:] = target
        self._simulate(ids)
        self._broken |= norm(self._force) > FORCE_LIMIT

    def _plug_up(self) -> np.ndarray:
        """The plug's upward axis, (E, 3)."""
        w, x, y, z = (self._plug[:, i] for i in range(3, 7))
        return np.stack([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)], 1)

    def _offset(self) -> np.ndarray:
        """The shoulder's underside from its seat, (E, 3)."""
        offset: np.ndarray = self._plug[:, :3] - DROP * self._plug_up() - self._socket
        return offset

    def _remaining(self) -> np.ndarray:
        """The way that is left, (E,), m: sideways, down, and the tilt times an arm."""
        offset = self._offset()
        tilt = norm(self._plug_up()[:, :2])
        remaining: np.ndarray = norm(offset[:, :2]) + np.abs(offset[:, 2]) + _TILT_ARM * tilt
        return remaining

    def _measure(self) -> tuple[np.ndarray, np.ndarray]:
        offset = self._offset()
        success = (norm(offset[:, :2]) < TOLERANCE) & (np.abs(offset[:, 2]) < TOLERANCE) & ~self._broken
        progress = np.maximum(1.0 - self._remaining() / (self._initial + _SLACK), 0.0)
        return np.where(success, 1.0, progress), success

    def _over(self, success: np.ndarray) -> np.ndarray:
        return success | self._broken

    def _pitch(self) -> np.ndarray:
        return self._hand[:, 3]

    def _finger_positions(self) -> np.ndarray:
        return self._fingers

    def _held(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        up = self._plug_up()
        axis = np.stack([up[:, 2], 0 * up[:, 1], -up[:, 0]], 1)  # the pads keep the plug from turning about x and z
        turn = self._hand[:, 3]
        centre = in_hand(self._plug[:, :3] - self._hand[:, :3], turn)
        return centre, in_hand(axis * self._handle[:, 1:], turn), self._handle[:, 0]

    def _read_proprio(self) -> np.ndarray:
        value = np.empty((self.num_envs, PROPRIO_SIZE), np.float32)
        value[:, 0:3] = self._hand[:, :3]
        value[:, 3:6] = self._hand_rate[:, :3]
        value[:, 6:9] = self._command[:, :3] - self._hand[:, :3]
        value[:, 9] = self._fingers[:, 0] + self._fingers[:, 1]
        value[:, 10] = self._finger_rates[:, 0] + self._finger_rates[:, 1]
        return value

    def _read_own(self, name: str) -> np.ndarray:
        if name == "proprio":
            return self._read_proprio()
        if name == "goal":
            return self._nominal.astype(np.float32)
        if name == "to_goal":
            to_goal: np.ndarray = (self._nominal - self._hand[:, :3]).astype(np.float32)
            return to_goal
        if name == "wrist":
            turn = self._hand[:, 3]
            value = np.stack([turn, self._hand_rate[:, 3], self._command[:, 3] - turn], 1)
            return (np.round(value / ENCODER_STEP) * ENCODER_STEP).astype(np.float32)
        value = np.empty((self.num_envs, 12), np.float32)
        value[:, 0:3] = self._offset()
        value[:, 3:5] = self._plug_up()[:, :2]
        value[:, 5:8] = self._plug[:, :3] - self._hand[:, :3]
        value[:, 8:10] = self._socket[:, :2] - self._nominal[:, :2]
        value[:, 10] = self._length
        value[:, 11] = norm(self._force)
        return value

    def expert_actions(self) -> np.ndarray:
        """Turn the plug upright over the socket, then lower it, correcting its pose all the way."""
        offset, up = self._offset(), self._plug_up()
        lateral, tilt = norm(offset[:, :2]), np.arctan2(up[:, 0], up[:, 2])
        inside = offset[:, 2] < self._length - 0.0005
        aligned = (lateral < 1.5e-4) & (np.abs(tilt) < np.radians(1.0))
        height = np.where(inside | aligned, offset[:, 2] + 0.001, offset[:, 2] - self._length - 0.001)
        # What the load bends the command must make up for, so errors are added to the command, not to the position.
        actions = np.empty((self.num_envs, 4))
        actions[:, :2] = -0.6 * offset[:, :2]
        actions[:, 2] = -0.6 * height
        actions[:, 3] = -0.5 * tilt
        clipped: np.ndarray = np.clip(actions / STEP, -1.0, 1.0).astype(np.float32)
        return clipped
