"""Exact labels of contacts, read off the simulation, and what two touches of one trial say about each other.

Everything is in the pad's frame: the middle of the undeformed gel at the origin, x right, y up, +z out of the gel.
Forces and torques (about the origin) are those of the pad on the object, so that pressing is a positive force along
z; the gel feels the opposite.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from trunkline.envs.tactile.textures import TEXTURES
from trunkline.envs.tactile.touch_rig import Rig

SLIPPING = 0.002  # m/s; below it friction, which the simulation softens, still creeps
POSE_FIELDS = ("x_mm", "y_mm", "z_mm", "quat_x", "quat_y", "quat_z", "quat_w")

Labels = dict[str, Any]


def contact_labels(rig: Rig, ids: np.ndarray) -> list[Labels]:
    """Labels of the present contacts of simulations `ids`, JSON values.

    `has_contact` (bool), `obj_idx`, `obj_name`, `texture`, `texture_name`, `smoothness` (0 rough to 4 smooth),
    `force_n` [x, y, z], `torque_nm` [x, y, z], `slip` (bool), `slip_mm_s`, and the pose of the object's touching
    point as `x_mm`, `y_mm`, `z_mm`, `quat_x`, `quat_y`, `quat_z`, `quat_w` (quat_w ≥ 0).
    """
    contact = rig.contact[ids]
    force = np.where(contact[:, None], rig.force[ids], 0.0)
    torque = np.where(contact[:, None], rig.torque()[ids], 0.0)
    slip = rig.slip()[ids]
    position = rig.position[ids] * 1e3
    quaternion = rig.quaternion[ids]
    quaternion = np.where(quaternion[:, :1] < 0, -quaternion, quaternion)
    labels = []
    for k, i in enumerate(ids):
        thing = rig.objects[rig.kind[i]]
        pose = [*position[k].tolist(), *quaternion[k, 1:].tolist(), float(quaternion[k, 0])]
        labels.append(
            {
                "has_contact": bool(contact[k]),
                "obj_idx": thing.index,
                "obj_name": thing.name,
                "texture": TEXTURES.index(thing.texture),
                "texture_name": thing.texture,
                "smoothness": thing.smoothness,
                "force_n": force[k].tolist(),
                "torque_nm": torque[k].tolist(),
                "slip": bool(slip[k] > SLIPPING),
                "slip_mm_s": float(slip[k] * 1e3),
                **dict(zip(POSE_FIELDS, pose, strict=True)),
            }
        )
    return labels


def pose_matrix(labels: Mapping[str, Any]) -> np.ndarray:
    """The pose in labels as a homogeneous matrix (4, 4), millimetres."""
    x, y, z, w = (float(labels[name]) for name in ("quat_x", "quat_y", "quat_z", "quat_w"))
    matrix = np.eye(4)
    matrix[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    matrix[:3, 3] = [labels["x_mm"], labels["y_mm"], labels["z_mm"]]
    return matrix


def pose_change(first: Mapping[str, Any], second: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Pose change between two touches of one trial.

    Returns:
        The difference of positions (3,), mm; and (9,): translation (mm) and the first two columns of the rotation of
        inv(T₁) · T₂, the movement as the object itself saw it (T3, Zhao et al. 2024).
    """
    a, b = pose_matrix(first), pose_matrix(second)
    turn = a[:3, :3].T
    relative, moved = turn @ b[:3, :3], turn @ (b[:3, 3] - a[:3, 3])
    return b[:3, 3] - a[:3, 3], np.concatenate([moved, relative[:, 0], relative[:, 1]])
