"""What agents of the Minecraft tasks see: their own view, the goal's, where the target is in it, and how they are."""

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trunkline.envs.minecraft.goals import EYE, EYE_SNEAKING
from trunkline.envs.minecraft.items import NOTHING, items
from trunkline.envs.minecraft.overlay import lay_over
from trunkline.envs.minecraft.start import Starter
from trunkline.envs.warp import start_warp

# Values of the sensor `status`, as `kernels.goal.describe` fills them; the last say what is in the hand.
STATUS = (
    *("health", "food", "oxygen", "pitch", "on_ground", "in_water", "charge", "digging", "drawing"),
    *("nothing", "block", "tool", "sword", "bow", "other"),
)
_INSET = 0.4  # of a picture's side that the goal view takes
_OUTLINE = np.array([255, 64, 64], np.uint8)


def farthest(size: Sequence[int]) -> float:
    """Metres that the sensor `depth` reads at most: from corner to corner of a world."""
    return math.dist((0, 0, 0), size)


class Views:
    """Pictures of W worlds.

    Args:
        worlds: `state.Worlds`.
        rules: `state.Rules` on the same device.
        starter: which holds the goals.
        wanted: names of the sensors that are read.
        image_size: S.
        field_of_view: degrees.
        overlay: what `rgb` shows over the world, see `overlay.PARTS`.
    """

    def __init__(
        self,
        worlds: Any,
        rules: Any,
        starter: Starter,
        wanted: Sequence[str] | Mapping[str, Any],
        image_size: int,
        field_of_view: float,
        overlay: Sequence[str] = (),
    ) -> None:
        self.wp = start_warp()
        from trunkline.envs.minecraft.kernels import goal as goal_kernels

        self.worlds, self.rules, self.starter, self.kernels = worlds, rules, starter, goal_kernels
        self.wanted, self.size, self.field_of_view = frozenset(wanted), image_size, field_of_view
        self.overlay = tuple(overlay)
        own = self.wanted & {"rgb", "depth", "segmentation"}
        parts = own | ({"segmentation"} if "target_view" in self.wanted else set())
        self.eyes: Any = self._renderer(image_size, parts) if parts else None
        self.goals = self._renderer(image_size, {"rgb", "segmentation"})
        self.farthest = farthest(worlds.size)
        self.goal_views = np.zeros((worlds.count, image_size, image_size, 4), np.uint8)

    @functools.cached_property
    def _everyone(self) -> np.ndarray:
        return np.arange(self.worlds.count)

    def _renderer(self, size: int, parts: set[str] | frozenset[str]) -> Any:
        from trunkline.envs.minecraft.render import Renderer

        shown = {name: name in parts for name in ("rgb", "depth", "segmentation")}
        return Renderer(self.worlds, self.rules, size, size, self.field_of_view, **shown)

    def show_goals(self, ids: np.ndarray) -> None:
        """Draw the goal views of episodes that begin, as their worlds are at first."""
        self.goal_views[ids] = self._goal_pictures(self.goals, ids)

    def _goal_pictures(self, renderer: Any, ids: np.ndarray) -> np.ndarray:
        """(K, S, S, 4) uint8 of the rows `ids`."""
        wp, device = self.wp, self.worlds.device
        scenes = [self.starter.scenes[row] for row in ids]
        cameras = np.asarray([scene.goal.camera for scene in scenes if scene is not None])
        seen = renderer.draw(cameras[:, :3], cameras[:, 3], cameras[:, 4], ids)
        rows = wp.array(np.asarray(ids, np.int32), dtype=wp.int32, device=device)
        masks = wp.zeros(seen["segmentation"].shape[:3], dtype=wp.uint8, device=device)
        inputs = [seen["segmentation"], rows, self.starter.targets, masks]
        wp.launch(self.kernels.mask, masks.shape, inputs, device=device)
        return np.concatenate([seen["rgb"].numpy(), masks.numpy()[..., None]], axis=3)

    def observe(self, ids: np.ndarray | None) -> dict[str, np.ndarray]:
        """Readings of the sensors that are pictures, or are read off them; only rows `ids` are right."""
        readings: dict[str, np.ndarray] = {}
        if self.eyes is not None:
            readings = self._own(ids)
        if "goal_view" in self.wanted:
            readings["goal_view"] = self.goal_views.copy()
        return readings

    def _own(self, ids: np.ndarray | None) -> dict[str, np.ndarray]:
        rows = self._everyone if ids is None else ids
        seen = self.eyes.draw_agents() if ids is None else self._draw_own(self.eyes, rows)
        drawn = {name: seen[name].numpy() for name in self.wanted & {"rgb", "segmentation"}}
        if "rgb" in drawn and self.overlay:
            drawn["rgb"] = self._overlaid(drawn["rgb"], rows)
        if "depth" in self.wanted:
            drawn["depth"] = np.minimum(seen["depth"].numpy()[..., None], self.farthest)
        if "target_view" in self.wanted:
            drawn["target_view"] = self._labels(seen["segmentation"], rows)
        return {name: self._spread(value, ids) for name, value in drawn.items()}

    def _overlaid(self, rgb: np.ndarray, rows: np.ndarray) -> np.ndarray:
        held = np.where(self.worlds.view("count")[rows, 0] > 0, self.worlds.view("item")[rows, 0], NOTHING)
        shown = rgb.copy()
        lay_over(shown, self.overlay, held)
        return shown

    def _draw_own(self, renderer: Any, rows: np.ndarray) -> Any:
        """What the agents of some worlds see."""
        view = self.worlds.view
        height = np.where(view("sneaking")[rows] != 0, EYE_SNEAKING, EYE)
        eyes = view("position")[rows] + height[:, None] * np.array([0.0, 1.0, 0.0])
        return renderer.draw(eyes, view("yaw")[rows], view("pitch")[rows], rows)

    def _labels(self, segmentation: Any, rows: np.ndarray) -> np.ndarray:
        wp, device = self.wp, self.worlds.device
        labels = wp.empty((len(rows), 7), dtype=wp.float32, device=device)
        places = wp.array(rows.astype(np.int32), dtype=wp.int32, device=device)
        wp.launch(self.kernels.label, len(rows), [segmentation, places, self.starter.targets, labels], device=device)
        found: np.ndarray = labels.numpy()
        return found

    def _spread(self, value: np.ndarray, ids: np.ndarray | None) -> np.ndarray:
        """Rows `ids` at their places among all W, in an array of its own."""
        if ids is None:
            return value.copy()
        every = np.zeros((self.worlds.count, *value.shape[1:]), value.dtype)
        every[ids] = value
        return every

    @functools.cache  # noqa: B019 - as many entries as sizes of videos
    def _painter(self, size: int) -> Any:
        return self._renderer(size, {"rgb"})

    def pictures(self, ids: Sequence[int], size: int) -> np.ndarray:
        """What agents see, with their goal's view in the corner and its target outlined: (K, size, size, 3) uint8."""
        rows = np.asarray(ids)
        shown = self._overlaid(self._draw_own(self._painter(size), rows)["rgb"].numpy(), rows)
        small = max(8, round(size * _INSET))
        goals = self._resized(self.goal_views[rows], small)
        goals[..., :3][_border(goals[..., 3] > 0)] = _OUTLINE
        frame = max(1, size // 128)
        shown[:, : small + frame, size - small - frame :] = 255
        shown[:, :small, size - small :] = goals[..., :3]
        return shown

    @staticmethod
    def _resized(images: np.ndarray, size: int) -> np.ndarray:
        """Pictures (K, S, S, C) at another size, by their nearest pixels."""
        places = ((np.arange(size) + 0.5) * images.shape[1] / size).astype(np.int64)
        return images[:, places][:, :, places]


def _border(mask: np.ndarray) -> np.ndarray:
    """Pixels of masks (K, S, S) that have a neighbour outside."""
    padded = np.pad(mask, ((0, 0), (1, 1), (1, 1)))
    inner = padded[:, :-2, 1:-1] & padded[:, 2:, 1:-1] & padded[:, 1:-1, :-2] & padded[:, 1:-1, 2:]
    border: np.ndarray = mask & ~inner
    return border


def _classes() -> np.ndarray:
    """The column of `STATUS` that an item in the hand fills, (I,) int32."""
    names = {"none": "nothing", "block": "block", "tool": "tool", "sword": "sword", "bow": "bow"}
    return np.asarray([STATUS.index(names.get(item.kind, "other")) for item in items()], np.int32)


class Status:
    """The sensor `status` of W worlds, read by one kernel.

    Args:
        worlds: `state.Worlds`.
    """

    def __init__(self, worlds: Any) -> None:
        wp = start_warp()
        from trunkline.envs.minecraft.kernels.goal import describe

        classes = wp.array(_classes(), dtype=wp.int32, device=worlds.device)
        self._values = wp.zeros((worlds.count, len(STATUS)), dtype=wp.float32, device=worlds.device)
        inputs = [worlds.game, classes, self._values]
        self._describe = wp.launch(describe, worlds.count, inputs, device=worlds.device, record_cmd=True)

    def read(self) -> np.ndarray:
        """(W, len(STATUS)) float32 in [−1, 1]."""
        self._describe.launch()
        values: np.ndarray = self._values.numpy().copy()
        return values
