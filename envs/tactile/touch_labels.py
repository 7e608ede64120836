"""Exact labels of contacts, read off the simulation.

Everything is in the pad's frame: the middle of the undeformed gel at the origin, x right, y up, +z out of the gel.
Forces and torques (about the origin) are those of the pad on the object, so that pressing is a positive force along
z; the gel feels the opposite.
"""

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
