"""The environment that `dojo.make` returns: gym 0.21's interface, as MineDojo has it, over a voxel world."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trunkline.envs.minecraft.dojo import masks as arms
from trunkline.envs.minecraft.dojo.commands import Commands, mob_kind
from trunkline.envs.minecraft.dojo.game import Game
from trunkline.envs.minecraft.dojo.names import InventoryItem, NotSimulatedError
from trunkline.envs.minecraft.dojo.observation import Observer
from trunkline.envs.minecraft.dojo.options import DAY, Options, inventory_stack, read_options, world_number
from trunkline.envs.minecraft.dojo.spaces import action_space, observation_space
from trunkline.envs.minecraft.dojo.stats import Stats
from trunkline.envs.minecraft.dojo.tasks import Task, named_task
from trunkline.envs.minecraft.entities import spawn
from trunkline.errors import InputError

FACTORS = ("forward/back", "left/right", "jump/sneak/sprint", "pitch", "yaw", "function", "craft", "slot")
_MIDDLE = 12  # of the engine's own factors of the camera, which are not used
_TELEPORT_RANGE = 200
_WORDS = {arms.EQUIP: "equip", arms.PLACE: "place", arms.DESTROY: "destroy"}

Observation = dict[str, Any]
Step = tuple[Observation, float, bool, dict[str, Any]]


class DojoEnv:
    """One agent in one voxel world, behind MineDojo's interface.

    A step is one tick (MineDojo lets two more pass after functions 2 and 4 to 7, as its game lags). An agent that dies
    leaves what it carried and is at home again in the next step; that ends no episode, as in MineDojo. Steps are never
    truncated. Rewards are MineDojo's, 0 where a task is open-ended.

    Args:
        options: of the world.
        task: what is asked for.

    Attributes:
        action_space: MultiDiscrete.
        observation_space: Dict.
        prev_obs, prev_info, prev_action: of the last step.
        info_prev_reset: of the last reset.
        is_successful: whether the last step solved the task.
        is_terminated: whether the game has ended, which it never does by itself.
    """

    metadata: Mapping[str, Any] = {"render.modes": ["rgb_array"], "video.frames_per_second": 20}
    reward_range = (-float("inf"), float("inf"))
    spec = None
    is_terminated = False

    def __init__(self, options: Options, task: Task) -> None:
        self.options, self.task = options, task
        self.action_space = action_space(options.cam_interval)
        self.observation_space = observation_space(options.picture, options.limits, len(options.rays))
        self.game = Game(options)
        self.prev_obs: Observation | None = None
        self.prev_info: dict[str, Any] | None = None
        self.prev_action: np.ndarray | None = None
        self.info_prev_reset: dict[str, Any] | None = None
        self.is_successful = False
        self._observer, self._stats = Observer(self.game), Stats(self.game)
        self._prompt, self._guidance = task.prompt, ""
        self._first: dict[str, Any] = {}
        self._before: dict[str, Any] = {}  # the step before, to the task
        self._carried: Counter[str] = Counter()
        self._dead = self._closed = False
        self.seed(options.seed)

    @property
    def unwrapped(self) -> "DojoEnv":
        """Itself: there are no wrappers."""
        return self

    @property
    def task_prompt(self) -> str:
        """What is asked for, in words."""
        return self._prompt

    @property
    def task_guidance(self) -> str:
        """What `specify_guidance` was given; MineDojo's own texts are not part of this package."""
        return self._guidance

    def specify_prompt(self, prompt: str) -> None:
        """Change `task_prompt`."""
        self._prompt = prompt

    def specify_guidance(self, guidance: str) -> None:
        """Change `task_guidance`."""
        self._guidance = guidance

    def __enter__(self) -> "DojoEnv":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def seed(self, seed: int | None = None) -> None:
        """Begin all that is drawn from here on anew."""
        self._rng = np.random.default_rng(seed)
        self._commands = Commands(self.game, self._rng)

    def reset(self) -> Observation:
        """Begin an episode.

        Raises:
            InputError: the environment is closed, or the world leaves no place for the agent.
        """
        self._check_open()
        options, game = self.options, self.game
        known = self.prev_obs is not None
        anew = options.regenerate_world_after_reset or options.generate_world_type != "default"
        if known and options.fast_reset:
            self._reset_fast()
        else:
            if not known or anew:
                seed = world_number(options.world_seed)
                game.make_world(int(self._rng.integers(1 << 62)) if seed is None else seed)
            game.populate(self._rng)
            self._stats.clear()
        self._place_mobs()
        self._dead = self.is_successful = False
        game.simulation.look()
        self._observer.forget()
        self._carried = arms.named_counts(game)
        observation = self._observe(arms.no_changes())
        self.prev_info = self.info_prev_reset = self._first = self._before = self._observer.info(self._stats.counts)
        return observation

    def step(self, action: Sequence[int] | np.ndarray) -> Step:
        """One tick.

        Args:
            action: eight choices, see `action_space`.

        Raises:
            InputError: a choice out of range, an empty slot to equip, place or destroy, or no reset before.
        """
        observation, info = self._advance(self._checked(action))
        solved = self.task.solved(self._first, info)
        reward = self.task.reward(self._before, info, solved)
        self._before, self.is_successful = info, solved
        return observation, reward, solved, info

    def execute_cmd(self, cmd: str, action: Sequence[int] | np.ndarray | None = None) -> Step:
        """Follow a command of Minecraft's, and take a step without reward.

        Args:
            cmd: such as "/time set 6000"; see `commands.Commands`.
            action: of the step; nothing where left out.

        Raises:
            InputError: arguments that make no sense.
            NotSimulatedError: a command for something that the voxel worlds have not.
        """
        self._check_begun()
        chosen = self._checked(self.action_space.no_op() if action is None else action)
        self._commands.follow(cmd)
        self._observer.forget()
        observation, info = self._advance(chosen)
        return observation, 0.0, self.is_terminated, info

    def spawn_mobs(
        self, mobs: str | Sequence[str], rel_positions: np.ndarray | Sequence[Any], action: Any | None = None
    ) -> Step:
        """Put mobs at places relative to the agent, (3,) or (N, 3) blocks; each takes a step."""
        names, places = _paired([mobs] if isinstance(mobs, str) else list(mobs), rel_positions)
        for name in names:
            mob_kind(name)
        commands = [f"/summon {name} ~{x} ~{y} ~{z}" for name, (x, y, z) in zip(names, places, strict=True)]
        return self._follow(commands, action)

    def set_block(
        self, blocks: str | Sequence[str], rel_positions: np.ndarray | Sequence[Any], action: Any | None = None
    ) -> Step:
        """Set blocks at places relative to the agent, (3,) or (N, 3) blocks; each takes a step."""
        names, places = _paired([blocks] if isinstance(blocks, str) else list(blocks), rel_positions)
        commands = [f"/setblock ~{x} ~{y} ~{z} {name}" for name, (x, y, z) in zip(names, places, strict=True)]
        return self._follow(commands, action)

    def clear_inventory(self, action: Any | None = None) -> Step:
        """Remove all that the agent carries."""
        return self.execute_cmd("/clear", action)

    def set_inventory(self, inventory_list: Sequence[InventoryItem], action: Any | None = None) -> Step:
        """Put items into slots, instead of what is there; each takes a step."""
        self._check_begun()
        stacks = [inventory_stack(entry) for entry in inventory_list]
        step = self._still()
        for (slot, _, count), entry in zip(stacks, inventory_list, strict=True):
            variant = (*entry, None, None)[2]
            self._commands.set_slot(slot, entry[1], count, int(variant or 0))
            step = self._plain_step(action)
        return step

    def teleport_agent(self, x: float, y: float, z: float, yaw: float, pitch: float, action: Any | None = None) -> Step:
        """Put the agent somewhere."""
        return self.execute_cmd(f"/tp {x} {y} {z} {yaw} {pitch}", action)

    def kill_agent(self, action: Any | None = None) -> Step:
        """Let the agent die."""
        return self.execute_cmd("/kill", action)

    def set_time(self, time: int, action: Any | None = None) -> Step:
        """Set the time of day, in ticks."""
        return self.execute_cmd(f"/time set {time}", action)

    def set_weather(self, weather: str, action: Any | None = None) -> Step:
        """Set the weather: "clear" or "normal".

        Raises:
            NotSimulatedError: rain and thunder.
        """
        return self.execute_cmd(f"/weather {weather}", action)

    def random_teleport(self, max_range: int, action: Any | None = None) -> Step:
        """Put the agent onto the ground within so many blocks along x and z."""
        return self.execute_cmd(f"/spreadplayers ~ ~ 0 {max_range} false @p", action)

    def render(self, mode: str = "human") -> np.ndarray:
        """What the agent sees, (H, W, 3) uint8, for mode "rgb_array".

        Raises:
            NotSimulatedError: "human", which MineDojo shows in a window.
        """
        if mode == "human":
            raise NotSimulatedError("render mode 'human' opens a window; use mode='rgb_array' and show the picture")
        if mode != "rgb_array":
            raise InputError(f"render mode {mode!r}: choose 'rgb_array'")
        self._check_begun()
        assert self.prev_obs is not None
        picture: np.ndarray = self.prev_obs["rgb"].transpose(1, 2, 0)
        return picture.copy()

    def close(self) -> None:
        """Let go of the world; the environment cannot be used afterwards."""
        self._closed = True

    def _reset_fast(self) -> None:
        """The agent, reborn somewhere near, in the world as it is."""
        options, game = self.options, self.game
        game.begin()
        reach = options.fast_reset_random_teleport_range
        reach = _TELEPORT_RANGE if reach is None else reach
        if reach and options.start_position is None:
            self._commands.follow(f"/spreadplayers ~ ~ 0 {reach} false @p")
        game.write("day", options.start_time or 0)
        self._commands.follow("/kill @e[type=item]")
        self._stats.die()

    def _place_mobs(self) -> None:
        task, here = self.task, np.asarray(self.game.read("position"))
        for mob in task.mobs:
            x, _, z = here + self._rng.uniform(task.low, task.high)
            where = self.game.standing(float(x), float(z))
            spawn(self.game.worlds, 0, mob_kind(mob), where, float(self._rng.uniform(-180, 180)))

    def _checked(self, action: Any) -> np.ndarray:
        self._check_begun()
        chosen = np.asarray(action)
        if chosen.shape != (len(FACTORS),) or chosen.dtype.kind not in "iu":
            raise InputError(f"action is {chosen.dtype}{list(chosen.shape)}; give {len(FACTORS)} integers")
        for factor, (value, count) in enumerate(zip(chosen, self.action_space.nvec, strict=True)):
            if not 0 <= value < count:
                raise InputError(f"action[{factor}] ({FACTORS[factor]}) is {value}; choose 0 to {count - 1}")
        if int(chosen[5]) in _WORDS and self.game.read("count")[chosen[7]] == 0:
            word = _WORDS[int(chosen[5])]
            raise InputError(f"action: slot {chosen[7]} is empty, nothing to {word} there; see obs['masks']['{word}']")
        return chosen.astype(np.int64)

    def _advance(self, action: np.ndarray) -> tuple[Observation, dict[str, Any]]:
        """One tick, and what is seen after it."""
        game, interval = self.game, self.options.cam_interval
        if self._dead:
            game.revive()
            game.simulation.look()
            self._dead = False
        assert self.prev_obs is not None
        possible = bool(self.prev_obs["masks"]["craft_smelt"][action[6]])
        control = action.copy()
        control[3:5] = _MIDDLE
        day = int(game.read("day"))
        game.simulation.act(control[None], (action[None, 3:5] * interval - 180.0).astype(np.float32))
        self._stats.begin_tick()
        game.simulation.tick()
        if not self.options.allow_time_passage:
            game.write("day", day % DAY)
        carried = arms.named_counts(game)
        grown = Counter({name: carried[name] - self._carried[name] for name in carried})
        self._stats.end_tick(action, grown)
        if game.read("health") <= 0:
            self._dead = True
            self._stats.die()
            game.leave_belongings()
            carried = arms.named_counts(game)
        crafted = int(action[6]) if action[5] == arms.CRAFT else None
        changes = arms.changes(self._carried, carried, crafted, possible)
        self._carried = carried
        self.prev_action = action
        observation = self._observe(changes)
        self.prev_info = self._observer.info(self._stats.counts)
        return observation, self.prev_info

    def _observe(self, changes: dict[str, np.ndarray]) -> Observation:
        tools = arms.nearby_tools(self.game)
        seen = self._observer.observe()
        seen |= {"nearby_tools": tools, "masks": arms.masks(self.game, tools), "delta_inv": changes}
        self.prev_obs = {name: seen[name] for name in self.observation_space}
        return self.prev_obs

    def _follow(self, commands: Sequence[str], action: Any | None) -> Step:
        self._check_begun()
        step = self._still()
        for command in commands:
            step = self.execute_cmd(command, action)
        return step

    def _plain_step(self, action: Any | None) -> Step:
        observation, info = self._advance(self._checked(self.action_space.no_op() if action is None else action))
        return observation, 0.0, self.is_terminated, info

    def _still(self) -> Step:
        assert self.prev_obs is not None and self.prev_info is not None
        return self.prev_obs, 0.0, self.is_terminated, self.prev_info

    def _check_open(self) -> None:
        if self._closed:
            raise InputError("the environment is closed; make another one")

    def _check_begun(self) -> None:
        self._check_open()
        if self.prev_obs is None:
            raise InputError("no episode has begun; call reset first")


def _paired(names: list[str], places: Any) -> tuple[list[str], np.ndarray]:
    """As many whole offsets as names; one offset stands for all."""
    offsets = np.atleast_2d(np.asarray(places, np.float64))
    if offsets.ndim != 2 or offsets.shape[1] != 3 or len(offsets) not in (1, len(names)):
        raise InputError(f"rel_positions has the shape {offsets.shape}; give (3,) or ({len(names)}, 3) blocks")
    return names, np.broadcast_to(offsets, (len(names), 3)).astype(np.int64)


def make(task_id: str = "open-ended", *, cam_interval: float = 15, **kwargs: Any) -> DojoEnv:
    """An environment with MineDojo's interface, in a voxel world instead of Minecraft.

    Args:
        task_id: "open-ended"; "harvest", "combat", "techtree" or "survival" with their arguments; or a programmatic
            task of MineDojo's such as "harvest_1_log" (`tasks.simulated_tasks` lists them).
        cam_interval: degrees by which the camera's choices differ.
        **kwargs: MineDojo's, and `world_size`, `entities` and `device`; see `options.Options`.

    Raises:
        InputError: an unknown task, argument or value.
        NotSimulatedError: what MineDojo has and the voxel worlds have not, by name.
    """
    if not isinstance(task_id, str):
        raise InputError(f"task_id={task_id!r}; give a name such as 'open-ended' or 'harvest_1_log'")
    task, rest = named_task(task_id, kwargs)
    options = read_options(rest | {"cam_interval": cam_interval})
    if options.entities < len(task.mobs):
        raise InputError(f"entities={options.entities}: task {task_id!r} puts {len(task.mobs)} mobs into the world")
    return DojoEnv(options, task)
