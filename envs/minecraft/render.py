"""What is seen of worlds: colours, depth and segmentation of any number of cameras, from one cast of rays."""

from typing import Any

import numpy as np

from trunkline.envs.minecraft.look import tables
from trunkline.envs.warp import start_warp
from trunkline.errors import InputError

SKY_DEPTH = 1000.0  # blocks
ENTITY_STATE = 256  # segmentation shows 256 + its kind where an entity is
MOST_CELLS = 1 << 29  # of a world: planes of leaps are indexed with 31 bits
LARGEST = 4096  # pixels of a side


def _dtypes(struct: Any) -> dict[str, Any]:
    """The arrays of a Warp struct, and of what they are."""
    kinds = {name: variable.type for name, variable in struct.vars.items()}
    return {name: kind.dtype for name, kind in kinds.items() if hasattr(kind, "dtype")}


class Renderer:
    """Draws worlds.

    Args:
        worlds: `state.Worlds`, whose leaps `clear.find_leaps` has found.
        rules: `state.Rules` on the same device.
        rows: H, pixels.
        cols: W, pixels.
        fov_degrees: vertical angle of view.
        rgb, depth, segmentation: which of them are drawn.

    Raises:
        InputError: a size or angle that cannot be drawn, or nothing to draw.
    """

    def __init__(
        self,
        worlds: Any,
        rules: Any,
        rows: int,
        cols: int,
        fov_degrees: float = 70.0,
        *,
        rgb: bool = True,
        depth: bool = True,
        segmentation: bool = True,
    ) -> None:
        if not (1 <= rows <= LARGEST and 1 <= cols <= LARGEST):
            raise InputError(f"picture of {rows}×{cols} pixels: 1 to {LARGEST} a side are possible")
        if not 1.0 <= fov_degrees <= 150.0:
            raise InputError(f"angle of view of {fov_degrees} degrees: 1 to 150 are possible")
        if not (rgb or depth or segmentation):
            raise InputError("nothing is drawn: choose rgb, depth or segmentation")
        if worlds.cells > MOST_CELLS:
            raise InputError(f"worlds of {worlds.size} blocks: at most {MOST_CELLS} cells can be seen")
        self._wp = start_warp()
        from trunkline.envs.minecraft.kernels import cast as cast_kernels
        from trunkline.envs.minecraft.kernels import draw as draw_kernels
        from trunkline.envs.minecraft.kernels import ray as ray_kernels
        from trunkline.envs.minecraft.kernels import view as view_kernels

        self.worlds, self.rules, self.rows, self.cols = worlds, rules, rows, cols
        self._draw, self._rays, self._view = draw_kernels, ray_kernels, view_kernels
        self._device = worlds.device
        scene, models = cast_kernels.Scene(), view_kernels.Models()
        scene.nx, scene.ny, scene.nz = worlds.size
        for name in ("blocks", "leaps", "ceiling"):
            setattr(scene, name, worlds.fields[name])
        looks = tables()
        for name, table in looks.scene.items():
            setattr(scene, name, self._array(table, _dtypes(cast_kernels.Scene)[name]))
        for name, table in looks.models.items():
            setattr(models, name, self._array(table, _dtypes(view_kernels.Models)[name]))
        self._scene, self._models = scene, models
        half = float(np.tan(np.radians(fov_degrees) / 2))
        picture = draw_kernels.Picture()
        picture.rows, picture.cols = rows, cols
        picture.across, picture.down = -(-cols // draw_kernels.WIDE), -(-rows // draw_kernels.HIGH)
        picture.pitch, picture.left, picture.top = 2 * half / rows, half * cols / rows, half
        picture.has_rgb, picture.has_depth, picture.has_segmentation = int(rgb), int(depth), int(segmentation)
        self._picture, self._room = picture, 0

    def _array(self, table: np.ndarray, dtype: Any) -> Any:
        return self._wp.array(table, dtype=dtype, device=self._device)

    def _make_room(self, count: int) -> None:
        """Have memory for at least `count` pictures."""
        count = max(count, 1)
        if count <= self._room:
            return
        wp, device, picture, pixels = self._wp, self._device, self._picture, self.rows * self.cols
        if count * pixels * 3 >= 1 << 31:
            raise InputError(f"{count} pictures of {self.rows}×{self.cols} pixels are too many to draw at once")
        picture.rgb = wp.zeros(count * pixels * 3 * picture.has_rgb, dtype=wp.uint8, device=device)
        picture.depth = wp.zeros(count * pixels * picture.has_depth, dtype=wp.float32, device=device)
        picture.segmentation = wp.zeros(count * pixels * 2 * picture.has_segmentation, dtype=wp.int32, device=device)
        views, most = self._view.Views(), self.worlds.entities
        views.most = most
        for name, dtype in _dtypes(self._view.Views).items():
            places = count * most if name.startswith("body_") else count
            setattr(views, name, wp.zeros(places, dtype=dtype, device=device))
        self._views = views
        self._eyes = wp.zeros(count, dtype=wp.vec3d, device=device)
        self._yaw = wp.zeros(count, dtype=wp.float32, device=device)
        self._pitch = wp.zeros(count, dtype=wp.float32, device=device)
        self._world = wp.zeros(count, dtype=wp.int32, device=device)
        self._room = count
        # Recorded, because to pack the structs anew takes longer than a small picture.
        cameras = [self._eyes, self._yaw, self._pitch]
        self._find = self._record(self._view.find_eyes, [self.worlds.game, self._world, *cameras])
        view = [self._scene, self.worlds.game, self._models, self._world, *cameras, views]
        self._make_views = self._record(self._view.make_views, view)
        inputs = [self._scene, self._models, views, picture]
        self._tiles = self._record(self._draw.draw_tiles, inputs) if device == "cpu" else None
        self._leaping = self._record(self._rays.draw_rays, [*inputs, 1]) if device != "cpu" else None
        self._plain: Any = None

    def draw(self, position: Any, yaw: Any, pitch: Any, world: Any, *, skip: bool = True) -> dict[str, Any]:
        """What K cameras see.

        Args:
            position: (K, 3) of the eyes, blocks; they may be outside the world.
            yaw: (K,) degrees.
            pitch: (K,) degrees.
            world: (K,) rows of the worlds that they stand in.
            skip: leap over empty space; without it rays go from cell to cell, to the same pictures.

        Returns:
            Warp arrays that the next call overwrites: `rgb` (K, H, W, 3) uint8; `depth` (K, H, W) float32, blocks from
            the eye, SKY_DEPTH for the sky; `segmentation` (K, H, W, 2) int32: the block's state, or ENTITY_STATE plus
            the entity's kind, or −1 for the sky; and the index of the cell, or the number of cells plus the entity's
            place, or −1.

        Raises:
            InputError: shapes that differ, eyes that are not finite, or a world that there is not.
        """
        eyes, turned = np.asarray(position, np.float64), np.asarray(yaw, np.float32)
        nodded, rows = np.asarray(pitch, np.float32), np.asarray(world, np.int32)
        count = len(rows)
        if eyes.shape != (count, 3) or turned.shape != (count,) or nodded.shape != (count,):
            raise InputError(
                f"{count} worlds, positions {eyes.shape}, yaw {turned.shape}, pitch {nodded.shape}: give one a camera"
            )
        if not (np.isfinite(eyes).all() and np.isfinite(turned).all() and np.isfinite(nodded).all()):
            raise InputError("a camera's position, yaw or pitch is not finite")
        if count and not (rows.min() >= 0 and rows.max() < self.worlds.count):
            raise InputError(f"cameras in worlds {rows.min()} to {rows.max()}: there are {self.worlds.count}, from 0")
        self._make_room(count)
        for array, values in ((self._world, rows), (self._eyes, eyes), (self._yaw, turned), (self._pitch, nodded)):
            if self._device == "cpu":
                array.numpy()[:count] = values
            elif count:
                array[:count].assign(values)
        return self._cast(count, skip)

    def draw_agents(self, *, skip: bool = True) -> dict[str, Any]:
        """What all agents see, without a copy through the host: as `draw`, one camera a world."""
        count = self.worlds.count
        self._make_room(count)
        self._launch(self._find, count)
        return self._cast(count, skip)

    def _record(self, kernel: Any, inputs: list[Any]) -> Any:
        block = (
            self._draw.RAYS
        )  # of threads, a tile; fewer threads of a block than usual have to wait for the longest ray
        return self._wp.launch(kernel, dim=1, inputs=inputs, device=self._device, record_cmd=True, block_dim=block)

    def _launch(self, command: Any, threads: int) -> None:
        if threads:
            command.set_dim(threads)
            command.launch()

    def _cast(self, count: int, skip: bool) -> dict[str, Any]:
        picture = self._picture
        tiles = count * picture.across * picture.down
        rays = tiles * self._draw.RAYS
        self._launch(self._make_views, count)
        if skip and self._tiles is not None:
            self._launch(self._tiles, tiles)
        elif skip:
            self._launch(self._leaping, rays)
        else:
            if self._plain is None:
                inputs = [self._scene, self._models, self._views, picture, 0]
                self._plain = self._record(self._rays.draw_rays, inputs)
            self._launch(self._plain, rays)
        return self._shown(count)

    def _shown(self, count: int) -> dict[str, Any]:
        picture, rows, cols = self._picture, self.rows, self.cols
        pixels, shown = count * rows * cols, {}
        if picture.has_rgb:
            shown["rgb"] = picture.rgb[: pixels * 3].reshape((count, rows, cols, 3))
        if picture.has_depth:
            shown["depth"] = picture.depth[:pixels].reshape((count, rows, cols))
        if picture.has_segmentation:
            shown["segmentation"] = picture.segmentation[: pixels * 2].reshape((count, rows, cols, 2))
        return shown
