"""Colour pictures by OpenGL, with everything off that costs time: shadows, reflections, multisampling."""

import atexit
import os
import sys
from typing import Any

import mujoco
import numpy as np

from trunkline.envs.mujoco.raycast import View
from trunkline.errors import InputError

_REMEDY = (
    "install OpenGL (Debian: apt-get install libegl1 libgl1-mesa-dri, and pip install -e '.[gl]'), set "
    "MUJOCO_GL=egl on a machine without a display, or read the sensor 'camera', which needs no OpenGL"
)


class OpenGLRenderer:
    """Draws simulations of a batch one after the other; OpenGL has no batch.

    Args:
        batch: a `mujoco.batch.Batch`.
        view: the camera.
        size: pixels a side.

    Raises:
        InputError: no OpenGL on this machine.
    """

    def __init__(self, batch: Any, view: View, size: int) -> None:
        self._batch = batch
        self._size = size
        self._model = batch.get_model(0)
        self._data = batch.get_data(0)
        self._model.vis.quality.offsamples = 0
        self._model.vis.global_.offwidth = self._model.vis.global_.offheight = size
        self._model.vis.global_.fovy = view.field_of_view
        self._gl: Any = _context(size)
        try:
            self._gl.make_current()
            self._render = mujoco.MjrContext(self._model, mujoco.mjtFontScale.mjFONTSCALE_100)
        except (mujoco.FatalError, RuntimeError) as error:
            raise InputError(f"sensor 'rgb' needs OpenGL: {_first_line(error)}; {_REMEDY}") from error
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._render)
        self._scene = mujoco.MjvScene(self._model, maxgeom=200)
        for flag in (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION):
            self._scene.flags[flag] = False
        self._option = mujoco.MjvOption()
        self._camera = mujoco.MjvCamera()
        offset = np.subtract(view.target, view.position)
        distance = np.sqrt((offset * offset).sum())
        self._camera.lookat[:] = view.target
        self._camera.distance = distance
        self._camera.azimuth = np.degrees(np.arctan2(offset[1], offset[0]))
        self._camera.elevation = np.degrees(np.arcsin(offset[2] / distance))
        self._picture = np.empty((size, size, 3), np.uint8)
        # EGL's display ends at exit; a context that is freed after that is an error.
        atexit.register(self.close)

    def render(self, ids: np.ndarray) -> np.ndarray:
        """Pictures of simulations `ids`, (len(ids), size, size, 3) uint8."""
        self._gl.make_current()
        rectangle = mujoco.MjrRect(0, 0, self._size, self._size)
        images = np.empty((len(ids), self._size, self._size, 3), np.uint8)
        for row, i in enumerate(ids):
            self._batch.get_model(int(i), self._model)
            self._batch.get_data(int(i), self._data)
            mujoco.mj_kinematics(self._model, self._data)
            mujoco.mj_camlight(self._model, self._data)
            everything = mujoco.mjtCatBit.mjCAT_ALL
            mujoco.mjv_updateScene(self._model, self._data, self._option, None, self._camera, everything, self._scene)
            mujoco.mjr_render(rectangle, self._scene, self._render)
            mujoco.mjr_readPixels(self._picture, None, rectangle, self._render)
            images[row] = self._picture[::-1]  # OpenGL's first row is the lowest
        return images

    def close(self) -> None:
        """Free the OpenGL context; a second call does nothing."""
        if self._gl is None:
            return
        atexit.unregister(self.close)
        self._gl.make_current()
        self._render.free()
        self._gl.free()
        self._gl = None


def _context(size: int) -> Any:
    """An offscreen OpenGL context: MuJoCo's choice, except that EGL is the default where there is no display."""
    headless = sys.platform == "linux" and not os.environ.get("DISPLAY") and not os.environ.get("MUJOCO_GL")
    try:
        if headless:
            from mujoco.egl import GLContext
        else:
            from mujoco import GLContext
        return GLContext(size, size)
    except (ImportError, AttributeError, RuntimeError, OSError) as error:
        # AttributeError: PyOpenGL where the system's library is missing.
        raise InputError(f"sensor 'rgb' needs OpenGL: {_first_line(error)}; {_REMEDY}") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
