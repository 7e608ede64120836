"""`tactile/touch`: objects, contact geometry, exact labels, splits, expert, and the same bits everywhere."""

from collections import Counter

import mujoco
import numpy as np
import pytest
from mujoco.batch import Batch

from trunkline.data.fota.pose import pose_change
from trunkline.envs.manifest import disjoint
from trunkline.envs.registry import make_worlds, sample_tasks, splits
from trunkline.envs.spec import TaskSpec
from trunkline.envs.tactile.feel import DEEPEST, Feel
from trunkline.envs.tactile.objects import object_names, touch_object, touch_objects
from trunkline.envs.tactile.pads import PadConfig, TactileGrid, add_pad, add_pad_pair, unsensed
from trunkline.envs.tactile.sensor import load_touch_sensor, touch_sensor_names
from trunkline.envs.tactile.solids import triangles
from trunkline.envs.tactile.textures import TEXTURES, tile
from trunkline.envs.tactile.touch_frames import TouchRecord, touch_frames
from trunkline.envs.tactile.touch_labels import contact_labels
from trunkline.envs.tactile.touch_rig import PAD_SPRING, PAD_TWIST_SPRING, Rig
from trunkline.envs.tactile.underside import COUNT, NOTHING, PITCH, Underside
from trunkline.errors import InputError

TASK = "tactile/touch"
SENSORS = ("digit", "gelsight_mini_markers", "digit360", "magnetic_4x4")
COUNTED = touch_objects()


@pytest.fixture(scope="module")
def pressed() -> Rig:
    """Every object, tilted and turned, pressed on the pad and then dragged."""
    count = len(COUNTED)
    rig = Rig(COUNTED, count, 1)
    rng = np.random.default_rng(0)
    pose = rng.uniform(-1, 1, (count, 6)) * (0.002, 0.002, 0, 3, 0.04, 0.04)
    pose[:, 2] = 0.001
    rig.place(np.arange(count), np.arange(count), pose, np.where(np.arange(count) % 2, 0.3, 1.2))
    for step in range(30):
        rig.command[:, 2] -= 0.00012
        if step > 20:
            rig.command[:, 0] += 0.0003
        rig.step(None)
    assert rig.contact.mean() > 0.9
    return rig


@pytest.fixture(scope="module")
def records() -> list[TouchRecord]:
    return list(touch_frames(sample_tasks(TASK, 20, 5, "train"), SENSORS, 32, num_envs=16))


def test_objects_cover_textures_and_grades_in_every_part() -> None:
    names = object_names()
    assert len(names) >= 24 and len(set(names)) == len(names)
    kinds = Counter(thing.solid.kind for thing in COUNTED)
    assert {"sphere", "ellipsoid", "capsule", "cylinder", "box", "mesh"} == set(kinds)
    for part in ("train", "validation", "test"):
        things = [thing for thing in COUNTED if thing.part == part]
        assert {thing.texture for thing in things} == set(TEXTURES)
        assert {thing.smoothness for thing in things} == set(range(5))
    with pytest.raises(InputError, match="did you mean 'sphere'"):
        touch_object("spere")


@pytest.mark.parametrize("thing", [t for t in COUNTED if triangles(t.solid) is not None], ids=lambda t: t.name)
def test_meshes_are_closed_and_face_outwards(thing) -> None:
    vertices, faces = triangles(thing.solid)
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    directed = {tuple(e) for e in edges.tolist()}
    assert len(directed) == len(edges) and all((b, a) in directed for a, b in directed)
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    assert np.einsum("ij,ij->i", a, np.cross(b, c)).sum() > 0
    assert abs(vertices[:, 2].min()) < 1e-9 and np.abs(vertices[:, :2]).max() < 0.0125


@pytest.mark.parametrize("texture", TEXTURES)
def test_textures_are_seamless_reliefs(texture: str) -> None:
    depth = tile(texture, 8)
    assert depth.min() >= 0 and depth.max() <= 1 + 1e-6
    assert texture == "plain" or np.ptp(depth) > 0.6
    jump = max(np.abs(depth[0] - depth[-1]).max(), np.abs(depth[:, 0] - depth[:, -1]).max())
    assert jump <= np.abs(np.diff(depth, axis=0)).max() + np.abs(np.diff(depth, axis=1)).max()


def test_undersides_equal_mujocos_rays(pressed: Rig) -> None:
    ids = np.arange(len(COUNTED))
    heights = Underside(pressed).solid_heights(ids)
    line = (np.arange(COUNT) - COUNT // 2) * PITCH
    x, y = np.meshgrid(line[::3], line[::3])
    rays = np.stack([x.ravel(), y.ravel(), np.full(x.size, -0.03)], -1)
    distance = pressed.batch.ray(rays, (0, 0, 1), (1, 0, 0, 0, 0, 0))[0].reshape(len(ids), *x.shape)
    drawn = heights[:, ::3, ::3]
    hit = distance >= 0
    assert (hit == (drawn < NOTHING)).mean() > 0.9999
    both = hit & (drawn < NOTHING)
    # Along the silhouette of a wall that is nearly parallel to the rays rounding shows, elsewhere nothing does.
    error = np.abs(distance - 0.03 - drawn)[both]
    assert np.median(error) < 1e-8 and np.quantile(error, 0.999) < 1e-6


def test_relief_is_the_objects_own_and_moves_with_it() -> None:
    thing = touch_object("ridged_plate")
    rig = Rig(COUNTED, 2, 1)
    shift = 4 * PITCH
    pose = np.zeros((2, 6))
    pose[1, 0] = shift
    rig.place(np.arange(2), np.full(2, thing.index), pose, np.full(2, 0.6))
    heights = Underside(rig).heights(np.arange(2))
    middle = slice(COUNT // 2 - 20, COUNT // 2 + 20)
    moved = slice(COUNT // 2 - 16, COUNT // 2 + 24)
    assert np.allclose(heights[0, middle, middle], heights[1, middle, moved], atol=2e-5)
    relief = heights[0, middle, middle] - heights[0, middle, middle].min()
    assert relief.max() == pytest.approx(0.35e-3, rel=0.05)
    assert np.allclose(relief, relief[:1])  # ridges run along y


def test_a_sphere_on_a_flat_gel_sinks_as_deep_as_the_formula_says() -> None:
    thing, load = touch_object("sphere"), 2.0
    rig = Rig(COUNTED, 1, 1)
    rig.place(np.zeros(1, int), np.array([thing.index]), np.zeros((1, 6)), np.ones(1))
    heights = Underside(rig).heights(np.zeros(1, int))
    sensor = load_touch_sensor("gelsight_mini")
    depth, move = Feel(sensor, 96, 96).press(heights, np.array([load]))
    radius, k = thing.solid.size[0], sensor.stiffness
    d = float(depth.max())
    # ∫ k · depth dA over a spherical cap of height d: k · π · d² · (R − d / 3).
    assert k * np.pi * d * d * (radius - d / 3) == pytest.approx(load, rel=0.01)
    assert d == pytest.approx(float(move[0]), rel=0.01)
    area = (depth > 0).sum() * sensor.areas(96, 96)[0, 0]
    assert area == pytest.approx(np.pi * (2 * radius * d - d * d), rel=0.02)


@pytest.mark.parametrize("name", touch_sensor_names())
def test_every_gel_bears_the_same_force(name: str, pressed: Rig) -> None:
    ids = np.flatnonzero(pressed.contact)
    heights, force = Underside(pressed).heights(ids), pressed.force[ids, 2]
    sensor = load_touch_sensor(name)
    depth, _ = Feel(sensor, 48, 48).press(heights, force)
    cosine = -sensor.surface(48, 48)[1][:, 2].reshape(48, 48)
    total = (sensor.stiffness * sensor.areas(48, 48) * cosine * depth).sum((1, 2))
    borne = (depth / np.maximum(cosine, 1e-6)).max((1, 2)) < 0.99 * DEEPEST
    assert borne.mean() > 0.8
    assert np.allclose(total[borne], force[borne], rtol=1e-4)
    assert not Feel(sensor, 48, 48).press(heights, 0 * force)[0].any()


def test_labels_equal_mujocos_contact_forces_and_poses(pressed: Rig) -> None:
    ids = np.arange(len(COUNTED))
    slipping = 0
    for i, labels in zip(ids, contact_labels(pressed, ids), strict=True):
        model, data = pressed.batch.get_model(int(i)), pressed.batch.get_data(int(i))
        mujoco.mj_forward(model, data)
        assert labels["has_contact"] == (data.ncon > 0)
        force, torque = np.zeros(3), np.zeros(3)
        pad = model.geom("pad").id
        for k, contact in enumerate(data.contact):
            wrench = np.zeros(6)
            mujoco.mj_contactForce(model, data, k, wrench)
            frame = contact.frame.reshape(3, 3)
            sign = 1.0 if contact.geom1 == pad else -1.0  # MuJoCo's force acts on the second geom
            push = sign * frame.T @ wrench[:3]
            force += push
            torque += sign * frame.T @ wrench[3:] + np.cross(contact.pos, push)
        assert np.allclose(labels["force_n"], force, atol=1e-6), labels["obj_name"]
        assert np.allclose(labels["torque_nm"], torque, atol=1e-8)
        body = data.body("object")
        assert np.allclose([labels["x_mm"], labels["y_mm"], labels["z_mm"]], 1e3 * body.xpos, atol=1e-9)
        quaternion = np.array([labels[f"quat_{c}"] for c in "wxyz"])
        assert min(np.abs(quaternion - body.xquat).max(), np.abs(quaternion + body.xquat).max()) < 1e-12
        slipping += labels["slip"]
        if data.ncon == 0:
            continue
        # Slip, from the Jacobians of the two bodies at the point where the force acts.
        point = pressed.centroid[i]
        speeds = []
        for name in ("object", "pad"):
            jacobian = np.zeros((3, model.nv)), np.zeros((3, model.nv))
            mujoco.mj_jac(model, data, *jacobian, point, model.body(name).id)
            speeds.append((jacobian[0] @ data.qvel, jacobian[1] @ data.qvel))
        slide, spin = speeds[0][0] - speeds[1][0], speeds[0][1] - speeds[1][1]
        expected = np.sqrt(slide[0] ** 2 + slide[1] ** 2 + (PadConfig().twist_friction * spin[2]) ** 2)
        assert labels["slip_mm_s"] == pytest.approx(1e3 * expected, abs=1e-6)
    assert 0 < slipping < len(ids)


def test_the_gel_is_carried_by_what_sticks_and_left_by_what_slips() -> None:
    rig = Rig(COUNTED, 2, 1)
    plate = touch_object("bumpy_plate").index
    pose = np.zeros((2, 6))
    pose[:, 2] = 0.0005
    rig.place(np.arange(2), np.full(2, plate), pose, np.array([1.2, 0.3]))
    for step in range(60):
        rig.command[:, 2] -= 0.0001 if step < 20 else 0.0
        rig.command[:, 0] += 0.00005 if 25 <= step < 55 else 0.0
        rig.step(None)
    travel, shear, load = rig.pose[:, 0], rig.force[:, 0], rig.force[:, 2]
    assert rig.pad[0, 0] == pytest.approx(travel[0], abs=0.1e-3) and travel[0] > 0.8e-3
    assert -shear[0] == pytest.approx(PAD_SPRING * rig.pad[0, 0], rel=0.02)
    assert -shear[1] == pytest.approx(0.3 * load[1], rel=0.03)
    assert rig.pad[1, 0] < travel[1] - 0.3e-3
    assert PAD_TWIST_SPRING > 0


def test_pose_change_is_inverse_first_times_second() -> None:
    rng = np.random.default_rng(1)
    poses = []
    for _ in range(2):
        quaternion = rng.standard_normal(4)
        quaternion /= np.linalg.norm(quaternion)
        position = rng.standard_normal(3)
        poses.append((np.array([[*position, *quaternion[1:], quaternion[0]]]), position, quaternion))
    (first, p, q), (second, s, r) = poses
    change = pose_change(first, second)
    three, six = change["pose_3d"][0], change["pose_6d"][0]
    a, b = np.zeros(9), np.zeros(9)
    mujoco.mju_quat2Mat(a, q)
    mujoco.mju_quat2Mat(b, r)
    a, b = a.reshape(3, 3), b.reshape(3, 3)
    assert np.allclose(three, s - p)
    assert np.allclose(six, np.concatenate([a.T @ (s - p), (a.T @ b)[:, 0], (a.T @ b)[:, 1]]))


def test_no_object_or_trial_is_in_two_splits() -> None:
    drawn = {split: sample_tasks(TASK, 150, 0, split) for split in splits(TASK)}
    assert set(drawn) == {"train", "validation/trial", "test/trial", "validation/object", "test/object"}
    objects = {split: {s.params["object"] for s in specs} for split, specs in drawn.items()}
    for split, specs in drawn.items():
        assert sample_tasks(TASK, 40, 0, split) == specs[:40]
        assert all(TaskSpec.from_json(s.to_json()) == s for s in specs)
        for other in drawn:
            if other == split:
                continue
            assert disjoint(specs, drawn[other])
            if "object" in split + other:
                assert not objects[split] & objects[other]
    cells = {
        split: {tuple(np.floor(np.array(s.params["start"][:2]) / 0.001).astype(int)) for s in drawn[split]}
        for split in ("train", "validation/trial", "test/trial")
    }
    names = list(cells)
    assert all(not cells[a] & cells[b] for i, a in enumerate(names) for b in names[i + 1 :])


def test_expert_succeeds_and_random_fails() -> None:
    specs = sample_tasks(TASK, 60, 11, "train") + sample_tasks(TASK, 40, 11, "test/object")
    success = {}
    for policy in ("expert", "random"):
        world = make_worlds(TASK, 25, ("touch_arm", "touch_command", "touch_state"))
        rng = np.random.default_rng(0)
        chosen = specs if policy == "expert" else specs[::4]
        world.reset(options={"tasks": chosen})
        done = np.zeros(len(chosen), bool)
        while world.active.any():
            expert = policy == "expert"
            actions = world.expert_actions() if expert else rng.uniform(-1, 1, (25, 6)).astype(np.float32)
            assert (np.abs(actions) <= 1).all()
            observations, _, terminated, _, info = world.step(actions)
            for name, value in observations.items():
                assert world.observation_space[name].contains(value), name
            assert ((info["progress"] >= 0) & (info["progress"] <= 1)).all()
            done[info["task"][terminated]] = info["success"][terminated]
        success[policy] = done.mean()
    assert success["expert"] >= 0.95 and success["random"] <= 0.05


def same(a: TouchRecord, b: TouchRecord) -> bool:
    arrays = all(np.array_equal(a.images[n], b.images[n]) and np.array_equal(a.masks[n], b.masks[n]) for n in a.images)
    return arrays and all(a.fields(n) == b.fields(n) for n in a.images)


def test_same_bits_alone_in_a_batch_on_two_threads_and_in_the_world(records: list[TouchRecord]) -> None:
    specs = sample_tasks(TASK, 20, 5, "train")
    known = {r.contact_id: r for r in records}
    assert len(known) == len(records) and len({r.spec.id for r in records}) == len(specs)
    threaded = list(touch_frames(specs, SENSORS, 32, num_envs=7, threads=2))
    assert len(threaded) == len(records) and all(same(r, known[r.contact_id]) for r in threaded)
    for index in (0, 9, 19):
        alone = list(touch_frames(specs[index : index + 1], SENSORS, 32, num_envs=1))
        assert len(alone) > 2 and all(same(r, known[r.contact_id]) for r in alone)
    world = make_worlds(TASK, 3, SENSORS, image_size=32)
    observations, _ = world.reset(options={"tasks": specs[:3]})
    compared = 0
    for step in range(12):
        for row in range(3):
            record = known.get(f"{specs[row].id}-{step:03d}")
            if record is not None:
                compared += 1
                assert all(np.array_equal(observations[n][row], record.images[n]) for n in SENSORS)
        observations, *_ = world.step(world.expert_actions())
    assert compared >= 6


def test_one_contact_gives_a_labelled_frame_of_every_sensor(records: list[TouchRecord]) -> None:
    touching = [r for r in records if r.labels["has_contact"] and r.labels["force_n"][2] > 1]
    assert len(touching) > 0.5 * len(records) > 0 and len(touching) < len(records)
    form = {"digit": (32, 32), "gelsight_mini_markers": (32, 32), "digit360": (32, 32), "magnetic_4x4": None}
    specs = {name: load_touch_sensor(name).spec(form[name]) for name in SENSORS}
    for record in records:
        assert set(record.images) == set(record.masks) == set(record.own) == set(SENSORS)
        for name in SENSORS:
            assert specs[name].space.contains(record.images[name])
            fields = record.fields(name)
            assert fields["has_contact"] == bool(record.masks[name].any())
            assert fields["contact_id"] == record.contact_id and fields["trial_idx"] == record.spec.seed
            assert fields["obj_name"] == record.spec.params["object"]
            if not record.labels["has_contact"]:
                assert not fields["has_contact"] and fields["force_n"] == [0, 0, 0] and fields["depth_mm"] == 0
    # The softer gel is pressed deeper, so the object stands lower in its frame.
    soft, stiff = "gelsight_mini_markers", "magnetic_4x4"
    assert load_touch_sensor(soft).stiffness < load_touch_sensor(stiff).stiffness
    deeper = [r.own[soft]["depth_mm"] >= r.own[stiff]["depth_mm"] for r in touching]
    assert np.mean(deeper) > 0.9
    pressed = np.mean([np.abs(np.diff(r.images["digit"].astype(float), axis=0)).mean() for r in touching])
    free = [r for r in records if not r.labels["has_contact"]]
    assert pressed > np.mean([np.abs(np.diff(r.images["digit"].astype(float), axis=0)).mean() for r in free])


def test_mujocos_tactile_sensor_reads_several_grids_on_one_pad() -> None:
    config = PadConfig()
    spec = mujoco.MjSpec()
    pad = spec.worldbody.add_body(name="pad", pos=(0.1, 0, 0.2), quat=(0.5, 0.5, 0.5, 0.5))
    add_pad(spec, pad, "pad", config)
    ball = spec.worldbody.add_body(name="ball")
    ball.add_freejoint()
    ball.add_geom(name="ball", type=mujoco.mjtGeom.mjGEOM_SPHERE, size=(0.006, 0, 0), contype=0, conaffinity=0)
    add_pad_pair(spec, "pad", "ball", config)
    plane = TactileGrid.flat("plane", "pad", 12, 8, config)
    beside = plane.points + np.array([0.004, 0, 0.001])  # partly beside the pad, and above it
    raised = TactileGrid("raised", "pad", beside, config)
    for grid in (plane, raised):
        grid.declare(spec)
    model = spec.compile()
    for grid in (plane, raised):
        grid.place(model)
    batch = Batch(model, 2, 1)
    readings = [grid.bind(batch) for grid in (plane, raised)]
    qpos = batch.bind("qpos")
    centre = np.array(
        [[0.001, 0.002, 0.0055], [0.001, 0.002, 0.02]]
    )  # in the pad's frame, which has x, y, z on y, z, x
    qpos[:, :3] = centre[:, [2, 0, 1]] + (0.1, 0, 0.2)
    batch.forward()
    for grid, reading in zip((plane, raised), readings, strict=True):
        expected = np.maximum(0.006 - np.linalg.norm(grid.points - centre[0], axis=-1), 0)
        assert np.allclose(reading[0, 0], expected, atol=1e-7) and expected.max() > 0.0003
        assert not reading[1].any()  # out of contact
    with unsensed(batch):
        qpos[0, 0] += 0.0001
        batch.step(nstep=2)
    assert np.allclose(readings[0][0, 0].max(), 0) or readings[0][0, 0].max() < 0.001
    with pytest.raises(InputError, match="2 × 2"):
        TactileGrid("line", "pad", np.zeros((1, 5, 3)), config)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: make_worlds(TASK, sensors=["digitt"]), "did you mean 'digit'"),
        (lambda: make_worlds(TASK, image_size=4), "8 to 1024"),
        (lambda: make_worlds(TASK, imagesize=64), "did you mean 'image_size'"),
        (lambda: make_worlds("tactile/tuch"), "did you mean 'tactile/touch'"),
        (lambda: sample_tasks(TASK, 1, 0, "test/goal"), "unknown split"),
        (lambda: next(touch_frames(sample_tasks(TASK, 1, 0), ["digit", "digit"])), "each once"),
        (lambda: next(touch_frames(sample_tasks("fake/reach", 1, 0), ["digit"])), "is of fake/reach"),
    ],
)
def test_bad_input_names_the_thing(call, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()


def test_pictures_show_the_object() -> None:
    world = make_worlds(TASK, 2, ("touch_arm",))
    world.reset(seed=0)
    images = world.render_images([0, 1], 48)
    assert images.shape == (2, 48, 48, 3) and not np.array_equal(images[0], images[1])
