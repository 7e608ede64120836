"""MineDojo itself, Minecraft 1.11.2 in a process of its own, with the sensors and actions of the Minecraft tasks.

Install with `trunkline envs install minedojo`; launching also needs Java 8 and the game, which MineDojo builds. What
there is of our sensors: `rgb`, `status` and `voxels`. MineDojo shows no goal view, and says nothing of `on_ground`,
`charge`, `digging` and `drawing` of `status`: the first is read off the block below, the others are as of one at rest.

The bridge was tested against MineDojo's own spaces and wrappers with a fake of the game below its `step`; the game
itself was never launched with it.

Legend: S pixels a side, n voxels a side.
"""

import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from trunkline.envs.minecraft import actions
from trunkline.envs.minecraft.blocks import block_state
from trunkline.envs.minecraft.dojo.names import BARRIER, item_number, states_by_name
from trunkline.envs.minecraft.dojo.names import NotSimulatedError as NotOurs
from trunkline.envs.minecraft.items import items
from trunkline.envs.minecraft.minedojo_setup import VENV
from trunkline.envs.minecraft.views import STATUS
from trunkline.envs.remote.process import RemoteCallError, RemoteProcess
from trunkline.envs.spec import SensorSpec
from trunkline.errors import InputError

SERVER = Path(__file__).with_name("minedojo_server.py")
CAMERA = 0.25  # degrees by which MineDojo's choices for the camera differ: fine enough for our bins
_FUNCTIONS = (0, 3, 1, 6)  # MineDojo's for nothing, attack, use and place
_PLACE = 6
_STEPS = 100
_HELD = {"none": "nothing", "block": "block", "tool": "tool", "sword": "sword", "bow": "bow"}

Observations = dict[str, np.ndarray]


@dataclass(frozen=True)
class MineDojoConfig:
    """An environment of MineDojo's.

    Attributes:
        task_id: MineDojo's.
        image_size: S.
        voxels: n, odd.
        options: further keyword arguments of `minedojo.make`, such as world_seed.
        timeout_s: the deadline of a step.
        launch_timeout_s: of a reset; the first one launches the game.
    """

    task_id: str = "open-ended"
    image_size: int = 64
    voxels: int = 5
    options: Mapping[str, Any] = field(default_factory=dict)
    timeout_s: float = 120.0
    launch_timeout_s: float = 1200.0

    def __post_init__(self) -> None:
        if not 8 <= self.image_size <= 1024:
            raise InputError(f"image_size={self.image_size}; choose 8 to 1024 pixels")
        if self.voxels % 2 == 0 or not 1 <= self.voxels <= 31:
            raise InputError(f"voxels={self.voxels}; choose an odd number up to 31")
        if min(self.timeout_s, self.launch_timeout_s) <= 0:
            raise InputError(f"timeout_s={self.timeout_s}, launch_timeout_s={self.launch_timeout_s}: positive")
        taken = {"image_size", "use_voxel", "voxel_size", "cam_interval", "event_level_control"} & set(self.options)
        if taken:
            raise InputError(f"options: {', '.join(sorted(taken))} is chosen by the bridge; leave it out")

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of `minedojo.make`."""
        far = self.voxels // 2
        sides = {f"{axis}{end}": sign * far for axis in "xyz" for end, sign in (("min", -1), ("max", 1))}
        fixed = {"image_size": [self.image_size] * 2, "use_voxel": True, "voxel_size": sides, "cam_interval": CAMERA}
        return {**self.options, **fixed}


class MineDojo:
    """MineDojo in a process of its own; a context manager that ends it.

    Args:
        config: what to make.
        command: the program that serves it and its arguments; left out, `minedojo_server.py` in MineDojo's own venv.

    Attributes:
        sensors: of the observations.
        action_spec: the compact action of the Minecraft tasks.
        prompt: of the task.
        parts: names of the parts of MineDojo's own observation.
        raw: MineDojo's last observation; texts are arrays of str.
        strangers: how often each block was seen that we have not, by MineDojo's names; a like one stands for it.

    Raises:
        InputError: MineDojo is not installed, or does not know the task or an option.
        RemoteError: it did not start.
    """

    def __init__(self, config: MineDojoConfig | None = None, command: Sequence[str] | None = None) -> None:
        self.config = config = config or MineDojoConfig()
        argv = list(command) if command is not None else [str(VENV.require()), str(SERVER)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        environment.setdefault("MINEDOJO_HEADLESS", "1")
        size, n = config.image_size, config.voxels
        specs = (
            SensorSpec("rgb", "rgb", (size, size, 3), "uint8", frame_rate=20.0),
            SensorSpec("status", "proprio", (len(STATUS),), low=-1.0, high=1.0, form={"values": list(STATUS)}),
            SensorSpec("voxels", "voxels", (n, n, n), "uint8", privileged=True),
        )
        self.sensors = MappingProxyType({spec.name: spec for spec in specs})
        self.action_spec = actions.action_spec()
        self.raw: dict[str, Any] = {}
        self.strangers: Counter[str] = Counter()
        self._process = RemoteProcess(
            argv, environment, name="minedojo", timeout_s=config.timeout_s, start_timeout_s=config.timeout_s
        )
        try:
            made = self._process.call("make", task_id=config.task_id, kwargs=config.arguments())
        except RemoteCallError as error:
            self._process.close()
            raise InputError(f"{error} (task {config.task_id!r}, options {dict(config.options)})") from None
        except BaseException:
            self._process.close()
            raise
        self.prompt: str = made["prompt"]
        self.parts: tuple[str, ...] = tuple(made["observation"])
        self._choices = tuple(made["choices"])

    def __enter__(self) -> "MineDojo":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process and the game; the object cannot be used afterwards."""
        self._process.close()

    def reset(self) -> Observations:
        """Begin an episode.

        Raises:
            RemoteError: the game did not start or hangs; the process has been ended.
        """
        return self._read(self._process.call("reset", self.config.launch_timeout_s))

    def step(self, action: ArrayLike) -> tuple[Observations, float, bool, dict[str, Any]]:
        """One step of MineDojo's.

        Args:
            action: (6,) see `actions.py`.

        Returns:
            observations, reward, whether the episode is over, and {"success", "alive"}.

        Raises:
            InputError: an action out of range, or no reset before.
            RemoteError: the game died or hangs; the process has been ended.
        """
        if not self.raw:
            raise InputError("no episode has begun; call reset first")
        empty = float(np.ravel(self.raw["inventory"]["quantity"])[0]) == 0
        answer = self._process.call("step", action=to_minedojo(action, self._choices, hand_empty=empty))
        info = {"success": bool(answer["success"]), "alive": bool(answer["alive"])}
        return self._read(answer["observation"]), float(answer["reward"]), bool(answer["done"]), info

    def _read(self, observation: dict[str, Any]) -> Observations:
        self.raw = _with_texts(observation)
        states, strangers = to_states(self.raw["voxels"])
        self.strangers += strangers
        return {
            "rgb": np.ascontiguousarray(self.raw["rgb"].transpose(1, 2, 0)),
            "status": to_status(self.raw, states),
            "voxels": np.ascontiguousarray(states.transpose(0, 2, 1)),  # by x, z, y
        }


def to_minedojo(action: ArrayLike, choices: Sequence[int], *, hand_empty: bool = False) -> list[int]:
    """MineDojo's eight choices for an action of ours.

    Args:
        action: (6,) see `actions.py`.
        choices: of MineDojo's action space.
        hand_empty: whether there is nothing to place, which MineDojo takes for a mistake.

    Raises:
        InputError: another shape, or a choice out of range.
    """
    chosen = np.asarray(action)
    if chosen.shape != (len(actions.CHOICES),) or chosen.dtype.kind not in "iu":
        raise InputError(f"action is {chosen.dtype}{list(chosen.shape)}; give {len(actions.CHOICES)} integers")
    if ((chosen < 0) | (chosen >= actions.CHOICES)).any():
        raise InputError(f"action {chosen.tolist()}: choose below {list(actions.CHOICES)}")
    degrees = actions.bin_degrees()[chosen[[actions.PITCH, actions.YAW]]]
    middle = [(count - 1) // 2 for count in choices[3:5]]
    turned = [round(float(angle) / CAMERA) + center for angle, center in zip(degrees, middle, strict=True)]
    function = _FUNCTIONS[int(chosen[actions.HANDS])]
    if function == _PLACE and hand_empty:
        function = 0
    return [*(int(value) for value in chosen[:3]), *turned, function, 0, 0]


def to_states(voxels: Mapping[str, np.ndarray]) -> tuple[np.ndarray, Counter[str]]:
    """Our block states (x, y, z) uint8 of MineDojo's voxels, and how often each block was seen that we have not.

    A block that we have not is shown as the first of its name, else as water, stone or air.
    """
    known = states_by_name()
    by_name = {name: state for (name, _), state in reversed(list(known.items()))}
    names, metas = voxels["block_name"], voxels["block_meta"]
    states = np.zeros(names.shape, np.uint8)
    strangers: Counter[str] = Counter()
    for place in np.ndindex(names.shape):
        name = str(names[place])
        state = known.get((name, int(metas[place])), by_name.get(name))
        if state is None:
            strangers[name] += 1
            liquid, solid = bool(voxels["is_liquid"][place]), bool(voxels["is_solid"][place])
            state = block_state("water" if liquid else "stone" if solid else "air")
        states[place] = BARRIER if name == "barrier" else state
    return states, strangers


def to_status(raw: Mapping[str, Any], states: np.ndarray) -> np.ndarray:
    """The sensor `status`, (len(STATUS),) float32, of MineDojo's observation and the states (x, y, z) around it."""
    life, location, voxels = raw["life_stats"], raw["location_stats"], raw["voxels"]
    middle = tuple(np.asarray(states.shape) // 2)
    below = (middle[0], max(middle[1] - 1, 0), middle[2])
    height = float(location["pos"][1])
    values = {
        "health": float(life["life"][0]) / 20,
        "food": float(life["food"][0]) / 20,
        "oxygen": float(life["oxygen"][0]) / 300,
        "pitch": float(location["pitch"][0]) / 90,
        "on_ground": float(bool(voxels["blocks_movement"][below]) and height - np.floor(height) < 0.01),
        "in_water": float("water" in str(voxels["block_name"][middle])),
        "charge": 1.0,
        _held_class(raw["inventory"]): 1.0,
    }
    return np.clip([values.get(name, 0.0) for name in STATUS], -1.0, 1.0).astype(np.float32)


def _held_class(inventory: Mapping[str, np.ndarray]) -> str:
    if float(inventory["quantity"][0]) == 0:
        return "nothing"
    try:
        number = item_number(str(inventory["name"][0]).replace(" ", "_"), int(inventory["variant"][0]))
    except NotOurs:
        return "other"
    return _HELD.get(items()[number].kind, "other")


def _with_texts(value: Any) -> Any:
    if isinstance(value, dict) and set(value) == {"texts", "shape"}:
        return np.array(value["texts"], dtype=np.str_).reshape(value["shape"])
    return {key: _with_texts(part) for key, part in value.items()} if isinstance(value, dict) else value


def check_game() -> str:
    """See `minedojo_setup.check`."""
    VENV.require()
    missing = VENV.missing()
    with MineDojo() as game:
        made = f"minedojo: MineDojo 0.1 is installed, its spaces have {len(game.parts)} parts"
        if missing:
            return f"{made}; not launched: {'; '.join(missing)}"
        began = time.perf_counter()
        game.reset()
        launched = time.perf_counter() - began
        began = time.perf_counter()
        for _ in range(_STEPS):
            game.step((1, 0, 0, actions.STILL, actions.STILL, actions.NOTHING))
        rate = _STEPS / (time.perf_counter() - began)
    return f"{made}; launched in {launched:.0f} s, {_STEPS} steps at {rate:.0f} steps/s"
