"""Where tasks of one terrain start, and from where their goals are seen: many at once, by kernels.

For every target: walk backwards from where it can be reached, over all of the terrain; draw starts among the cells met
at a wanted distance, and keep the first from which as much of the target is hidden as the split wants; draw cameras
around the target, and keep the first that sees enough of it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from trunkline.envs.minecraft import targets
from trunkline.envs.minecraft.drafts import MIDDLE, Draft, Params, draw_target, rounded
from trunkline.envs.minecraft.goals import CLUSTER, EYE, parse_state
from trunkline.envs.minecraft.survey import OPEN, SEEN, TARGET, VEIL, Survey, state_bits
from trunkline.envs.minecraft.tasks import Context
from trunkline.envs.warp import start_warp

ROUNDS = 4  # targets tried in one terrain
CANDIDATES = 8  # starts, and cameras, tried for one target
REACH = 3.4  # m from the eye to the nearest of the target, at the end of the walk
CAMERA = (2.5, 6.5)  # m from the goal's camera to the target
STEEP = 80.0  # degrees up or down that a goal's camera looks, at most
PIXELS = 20.0  # of 64 × 64 that the target fills in the goal view, at least
SHOWN = 0.5  # share of what the goal view could show of the target, at least
DETOUR = (1.6, 6.0)  # a walk is at most so many times the distance, and so many steps more


class Placer:
    """Makes the tasks of one terrain.

    Args:
        land: the terrain, surveyed.
    """

    def __init__(self, land: Survey) -> None:
        self.land = land
        self.warp = start_warp()
        from trunkline.envs.minecraft.kernels import synthesis as synthesis_kernels

        self.kernels: Any = synthesis_kernels
        self.feet = land.nodes + MIDDLE
        self.eyes = self.feet + np.array([0.0, EYE, 0.0])

    def make(self, interaction: str, what: Context, rngs: Sequence[np.random.Generator]) -> list[Params | None]:
        """One task a generator, or None where none was found: params without the world's name."""
        found: list[Params | None] = [None] * len(rngs)
        if not len(self.land.nodes):
            return found
        for _ in range(ROUNDS):
            open_slots = [i for i, params in enumerate(found) if params is None]
            drafts = [(i, draw_target(self.land, interaction, what, rngs[i])) for i in open_slots]
            made = [(i, draft) for i, draft in drafts if draft is not None]
            if made:
                chosen = self._place([draft for _, draft in made], interaction, what, [rngs[i] for i, _ in made])
                for (i, _), params in zip(made, chosen, strict=True):
                    found[i] = params
        return found

    def _place(
        self, drafts: list[Draft], interaction: str, what: Context, rngs: Sequence[np.random.Generator]
    ) -> list[Params | None]:
        """Starts and cameras for targets."""
        terrain = self._terrain(drafts)
        steps = self._walks(terrain, len(drafts))
        starts = [self._starts(*each, what) for each in zip(drafts, steps, rngs, strict=True)]
        gazes = [_gaze(self.eyes[nodes], draft.centre) for draft, nodes in zip(drafts, starts, strict=True)]
        whole, seen = self._look(terrain, starts, gazes, SEEN | VEIL | TARGET)
        hidden = np.where(whole > 0, 1 - seen / np.maximum(whole, 1e-9), -1.0)
        low, high = what.occlusion
        fits = (hidden >= low) & (hidden <= high)
        first = [int(np.argmax(row)) if row.any() and len(s) else -1 for row, s in zip(fits, starts, strict=True)]
        chosen = [int(s[f]) if f >= 0 else -1 for s, f in zip(starts, first, strict=True)]
        cameras = [
            self._cameras(draft, node, rng, what) if node >= 0 else np.zeros(0, np.int64)
            for draft, node, rng in zip(drafts, chosen, rngs, strict=True)
        ]
        gazes = [
            _gaze(self.eyes[nodes], draft.centre) + rng.uniform((-12.0, -8.0), (12.0, 8.0), (CANDIDATES, 2))
            if len(nodes)
            else np.zeros((CANDIDATES, 2))
            for draft, nodes, rng in zip(drafts, cameras, rngs, strict=True)
        ]
        for gaze in gazes:
            gaze[:, 1].clip(-STEEP, STEEP, out=gaze[:, 1])
        whole, seen = self._look(terrain, cameras, gazes, SEEN | TARGET)
        # A plant fills less than a third of its box.
        least = np.asarray([PIXELS * (3 if draft.target.get("block") in targets.PLANTS else 1) for draft in drafts])
        shown = (seen >= least[:, None]) & (seen >= SHOWN * whole)
        result: list[Params | None] = []
        for k, (draft, rng) in enumerate(zip(drafts, rngs, strict=True)):
            camera = int(np.argmax(shown[k])) if len(cameras[k]) and shown[k].any() else -1
            if camera < 0:
                result.append(None)
                continue
            eye, gaze = self.eyes[cameras[k][camera]], gazes[k][camera]
            share = float(hidden[k, first[k]])
            result.append(self._params(draft, interaction, chosen[k], eye, gaze, steps[k], share, rng))
        return result

    def _terrain(self, drafts: list[Draft]) -> Any:
        """The terrain with each draft's blocks, as kernels take it."""
        wp, land = self.warp, self.land
        nx, ny, nz = land.size
        bits = np.repeat(land.bits[None], len(drafts), axis=0)
        low = np.zeros((len(drafts), CLUSTER, 3), np.float32)
        high = np.zeros_like(low)
        table = state_bits() & (OPEN | SEEN | VEIL)
        for k, draft in enumerate(drafts):
            for (x, y, z), text in draft.blocks:
                bits[k, (x * nz + z) * ny + y] = table[parse_state(text)]
            x, y, z = draft.cells.T
            bits[k, (x * nz + z) * ny + y] |= TARGET
            low[k, : len(draft.low)], high[k, : len(draft.low)] = draft.low, draft.high
        terrain = self.kernels.Terrain()
        terrain.nx, terrain.ny, terrain.nz = nx, ny, nz
        arrays = {
            "bits": (bits, wp.uint8),
            "index": (land.index, wp.int32),
            "nodes": (land.nodes, wp.vec3i),
            "low": (low, wp.vec3),
            "high": (high, wp.vec3),
            "boxes": (np.asarray([len(d.low) for d in drafts], np.int32), wp.int32),
        }
        for name, (value, kind) in arrays.items():
            setattr(terrain, name, wp.array(value, dtype=kind, device="cpu", copy=False))
        return terrain

    def _walks(self, terrain: Any, count: int) -> np.ndarray:
        """Steps (K, N) from every node to where the target can be reached, −1 where there is no way."""
        wp = self.warp
        shape = (count, len(self.land.nodes))
        queue = wp.empty(shape, dtype=wp.int32, device="cpu")
        steps = wp.empty(shape, dtype=wp.int16, device="cpu")
        wp.launch(self.kernels.reach, count, [terrain, REACH, queue, steps], device="cpu")
        result: np.ndarray = steps.numpy()
        return result

    def _starts(self, draft: Draft, steps: np.ndarray, rng: np.random.Generator, what: Context) -> np.ndarray:
        """Nodes (CANDIDATES,) to start from, none if there are none."""
        low, high = what.distance
        wanted = rng.uniform(low, high)
        draws = rng.random(CANDIDATES)
        away = np.hypot(self.feet[:, 0] - draft.centre[0], self.feet[:, 2] - draft.centre[2])
        fits = (steps > 0) & (away >= low) & (away <= high) & (steps <= DETOUR[0] * away + DETOUR[1])
        nodes = np.flatnonzero(fits & (np.abs(away - wanted) <= 1.0))
        if not len(nodes):
            nodes = np.flatnonzero(fits)
        return nodes[(draws * len(nodes)).astype(np.int64)] if len(nodes) else nodes

    def _cameras(self, draft: Draft, start: int, rng: np.random.Generator, what: Context) -> np.ndarray:
        """Nodes (CANDIDATES,) whose eyes may see the goal view, none if there are none."""
        draws = rng.random(CANDIDATES)
        offset = self.eyes - draft.centre
        away = np.sqrt((offset**2).sum(1))
        nodes = np.flatnonzero((away >= CAMERA[0]) & (away <= CAMERA[1]))
        angle = _between(offset[nodes], offset[start])
        nodes = nodes[(angle >= what.view[0]) & (angle <= what.view[1])]
        for _, *feet, _ in draft.mobs[1:]:  # nor behind another mob
            nodes = nodes[~self._before(np.add(feet, (0.0, 0.7, 0.0)), self.eyes[nodes], draft.centre)]
        for (x, y, z), _ in draft.blocks:  # an eye within a block sees nothing
            cells = self.land.nodes[nodes]
            inside = (cells[:, 0] == x) & (cells[:, 2] == z) & (np.abs(cells[:, 1] + 0.5 - y) < 1)
            nodes = nodes[~inside]
        return nodes[(draws * len(nodes)).astype(np.int64)] if len(nodes) else nodes

    @staticmethod
    def _before(thing: np.ndarray, eyes: np.ndarray, point: np.ndarray) -> np.ndarray:
        """Whether a thing of about a metre stands between eyes (n, 3) and a point: (n,) bool."""
        towards = point - eyes
        length = np.sqrt((towards**2).sum(1))
        along = ((thing - eyes) * towards).sum(1) / length
        beside = np.sqrt((((thing - eyes) - towards * (along / length)[:, None]) ** 2).sum(1))
        before: np.ndarray = (along > -0.7) & (along < length) & (beside < 0.9)
        return before

    def _look(
        self, terrain: Any, nodes: list[np.ndarray], gazes: list[np.ndarray], clear: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Pixels of the target that eyes on nodes would see if nothing were in the way, and that they see: (K, C)."""
        wp = self.warp
        eyes = np.full((len(nodes), CANDIDATES, 3), (0.0, -1e3, 0.0), np.float32)  # who has none sees nothing from afar
        gaze = np.zeros((len(nodes), CANDIDATES, 2), np.float32)
        for k, places in enumerate(nodes):
            if len(places):
                eyes[k], gaze[k] = self.eyes[places], gazes[k]
        whole = wp.zeros(eyes.shape[:2], dtype=wp.float32, device="cpu")
        seen = wp.zeros(eyes.shape[:2], dtype=wp.float32, device="cpu")
        inputs = [terrain, wp.array(eyes, dtype=wp.vec3, device="cpu"), wp.array(gaze, dtype=wp.vec2, device="cpu")]
        wp.launch(self.kernels.look, eyes.shape[:2], [*inputs, clear, whole, seen], device="cpu")
        return whole.numpy(), seen.numpy()

    def _params(
        self,
        draft: Draft,
        interaction: str,
        start: int,
        eye: np.ndarray,
        gaze: np.ndarray,
        steps: np.ndarray,
        hidden: float,
        rng: np.random.Generator,
    ) -> Params:
        feet = self.feet[start]
        bearing = float(_gaze(self.eyes[start][None], draft.centre)[0, 0])
        yaw = (bearing + rng.uniform(-60.0, 60.0) + 180.0) % 360.0 - 180.0
        away = float(np.hypot(feet[0] - draft.centre[0], feet[2] - draft.centre[2]))
        return {
            "blocks": [[*cell, text] for cell, text in draft.blocks],
            "mobs": draft.mobs,
            "target": draft.target,
            "start": [*rounded(feet), round(yaw, 1), round(float(rng.uniform(-5.0, 20.0)), 1)],
            "camera": [*rounded(eye), *rounded(gaze, 1)],
            "items": [list(held) for held in targets.equipment(interaction, draft.target.get("block", ""))],
            "distance": round(away, 2),
            "path": int(steps[start]),
            "view": round(float(_between((eye - draft.centre)[None], feet - draft.centre)[0]), 1),
            "occlusion": round(hidden, 3),
        }


def _gaze(eyes: np.ndarray, point: np.ndarray) -> np.ndarray:
    """Yaw and pitch (n, 2) in degrees with which eyes (n, 3) look at a point."""
    x, y, z = (point - eyes).T
    angles: np.ndarray = np.degrees(np.stack([np.arctan2(-x, z), -np.arctan2(y, np.hypot(x, z))], 1))
    return angles


def _between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Degrees (n,) between directions (n, 3) and one (3,), over the ground."""
    turn = np.arctan2(a[:, 0], a[:, 2]) - np.arctan2(b[0], b[2])
    angle: np.ndarray = np.abs(np.degrees((turn + np.pi) % (2 * np.pi) - np.pi))
    return angle
