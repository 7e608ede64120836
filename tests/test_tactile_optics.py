"""Touch sensors: the catalogue, gel images and taxel readings against closed forms."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest

from trunkline.envs.spec import SensorSpec
from trunkline.envs.tactile.optics import Optics
from trunkline.envs.tactile.sensor import FOLDERS_VARIABLE, load_touch_sensor, touch_sensor_names
from trunkline.envs.tactile.taxels import Taxels
from trunkline.errors import InputError

NAMES = touch_sensor_names()
OPTICAL = [name for name in NAMES if load_touch_sensor(name).kind == "optical"]
TAXELS = [name for name in NAMES if name not in OPTICAL]
MM = 1e-3
RADIUS = 5 * MM

CUSTOM = """
name: mine
kind: optical
gel: {form: flat, size_mm: [10.0, 8.0], stiffness_n_mm3: 0.2}
resolution: [40, 50]
frame_rate: 30
background: {colour: [100, 100, 100]}
lights:
  - {azimuth_deg: 0, elevation_deg: 30, colour: [200, 0, 0]}
sources: [made for a test]
"""


def sphere(sensor, rows, cols, depth, centre=(0.0, 0.0), radius=RADIUS):
    """Depth (rows, cols) of a ball pressed into the gel's chart."""
    chart = sensor.gel.chart(rows, cols) - centre
    drop = radius - np.sqrt(np.maximum(radius**2 - (chart**2).sum(-1), 0))
    return np.maximum(depth - drop, 0).reshape(rows, cols).astype(np.float32)


def quiet(name, **changes):
    return dataclasses.replace(load_touch_sensor(name), noise=0.0, **changes)


def distance(sensor, rows, cols, centre=(0.0, 0.0)):
    return np.linalg.norm(sensor.gel.chart(rows, cols) - centre, axis=-1).reshape(rows, cols)


# The catalogue


def test_the_catalogue_holds_the_promised_sensors():
    assert len(OPTICAL) >= 10
    assert len(TAXELS) >= 3
    promised = {"digit", "gelsight_mini", "gelsight_mini_markers", "wedge", "svelte", "finray", "densetact", "digit360"}
    assert promised | {"gs_black", "gs_green", "gs_tag"} <= set(OPTICAL)


@pytest.mark.parametrize("name", NAMES)
def test_a_spec_describes_the_sensor_and_survives_json(name):
    sensor = load_touch_sensor(name)
    spec = sensor.spec()
    assert spec.modality == ("tactile_rgb" if name in OPTICAL else "taxels")
    assert spec.shape[:2] == sensor.resolution
    assert spec.form["gel"]["size_mm"] == list(sensor.gel.size_mm)
    again = SensorSpec.from_json(json.loads(json.dumps(spec.to_json())))
    assert spec.difference(again) is None
    assert any("estimated" in source for source in sensor.sources)
    if name in OPTICAL:
        small = sensor.spec((64, 48), "left")
        assert (small.name, small.shape) == ("left", (64, 48, 3))
        assert small.form["pixel_pitch_mm"][0] == pytest.approx(sensor.gel.size_mm[0] / 48)
    else:
        assert len(spec.form["positions_mm"]) == sensor.resolution[0] * sensor.resolution[1]
        with pytest.raises(InputError, match="taxels"):
            sensor.spec((64, 64))


def test_unknown_names_and_wrong_files_say_what_to_do(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="did you mean 'digit'"):
        load_touch_sensor("digti")
    with pytest.raises(InputError, match="does not exist"):
        load_touch_sensor(tmp_path / "none.yaml")
    file = tmp_path / "mine.yaml"
    for text, message in (
        (CUSTOM.replace("frame_rate", "framerate"), "did you mean 'frame_rate'"),
        (CUSTOM.replace("[40, 50]", "[40]"), "resolution"),
        (CUSTOM.replace("name: mine", "name: other"), "must be the file's"),
        (CUSTOM.replace("[made for a test]", "[]"), "sources"),
        (CUSTOM.replace("form: flat", "form: dome"), "radius_mm"),
        ("- a list", "mapping"),
        ("a: [", "mine.yaml"),
    ):
        file.write_text(text)
        with pytest.raises(InputError, match=message):
            load_touch_sensor(file)
    monkeypatch.setenv(FOLDERS_VARIABLE, str(tmp_path / "none"))
    with pytest.raises(InputError, match=FOLDERS_VARIABLE):
        touch_sensor_names()


def test_a_users_own_file_is_picked_up(tmp_path, monkeypatch):
    file = tmp_path / "mine.yaml"
    file.write_text(CUSTOM)
    assert load_touch_sensor(file).spec().shape == (40, 50, 3)
    monkeypatch.setenv(FOLDERS_VARIABLE, str(tmp_path))
    assert "mine" in touch_sensor_names()
    sensor = load_touch_sensor("mine")
    images = Optics(sensor, 1).render(sphere(sensor, 40, 50, 1 * MM)[None])
    assert images.shape == (1, 40, 50, 3)
    assert np.all(images[..., 1:] == 100)  # its only light is red
    assert images[0, 20, 32, 0] > 110 > 100 > images[0, 20, 18, 0]  # and stands on the right
    (tmp_path / "digit.yaml").write_text(CUSTOM.replace("mine", "digit"))
    with pytest.raises(InputError, match="defined twice"):
        touch_sensor_names()


# The gel's surface


@pytest.mark.parametrize("name", NAMES)
def test_surfaces_have_their_form(name):
    sensor = load_touch_sensor(name)
    rows, cols = 41, 31
    points, normals = sensor.surface(rows, cols)
    assert points.shape == normals.shape == (rows * cols, 3)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=-1), 1)
    middle = rows * cols // 2
    np.testing.assert_allclose(points[middle], 0, atol=1e-12)
    np.testing.assert_allclose(normals[middle], [0, 0, -1], atol=1e-12)
    assert points[0, 0] < 0 < points[0, 1]  # the first is top left
    inside = sensor.gel.mask(rows, cols).ravel()
    if sensor.gel.radius_mm is None:
        assert np.all(points[:, 2] == 0)
    else:
        centre = np.array([0, 0, -sensor.gel.radius_mm * MM])
        arms = points - centre
        if sensor.gel.form == "cylinder":
            arms[:, 1] = 0
        np.testing.assert_allclose(np.linalg.norm(arms[inside], axis=-1), sensor.gel.radius_mm * MM)
        np.testing.assert_allclose(normals[inside], -arms[inside] / (sensor.gel.radius_mm * MM), atol=1e-12)
    area = sensor.areas(200, 200).sum()
    if sensor.gel.form == "dome":
        expected = 2 * np.pi * (sensor.gel.radius_mm * MM) ** 2 * (1 - np.cos(np.deg2rad(sensor.gel.rim_deg)))
    else:
        expected = np.prod(sensor.gel.size_mm) * MM**2
    assert area == pytest.approx(expected, rel=0.005)


# Gel images


@pytest.mark.parametrize("depth", [0.4 * MM, 1.0 * MM])
def test_a_pressed_sphere_has_the_right_profile_and_radius(depth):
    sensor = quiet("gelsight_mini")
    rows, cols = 480, 640
    pressed = sphere(sensor, rows, cols, depth)
    shape = Optics(sensor, 1, (rows, cols)).shape(pressed[None])[0]
    bend = sensor.gel.smoothing_mm * MM
    contact = np.sqrt(2 * RADIUS * depth - depth**2)
    # The gel lies on the ball up to where its own bend is as steep as the ball.
    core = contact - 1.6 * bend
    away = distance(sensor, rows, cols)
    assert np.abs(shape - pressed)[away < core].max() < 5e-6
    assert np.all(shape >= pressed - 5e-6)
    assert np.all(shape[away > contact + 3 * bend] < 0.02 * depth)
    # Half the depth is reached where a ball's is.
    half = np.sqrt(RADIUS**2 - (RADIUS - depth / 2) ** 2)
    measured = np.sqrt((shape > depth / 2).sum() * sensor.areas(rows, cols)[0, 0] / np.pi)
    assert measured == pytest.approx(half, rel=0.03)


@pytest.mark.parametrize("name", OPTICAL)
def test_normals_under_the_lights_are_those_of_a_sphere(name):
    sensor = quiet(name, markers=None)
    rows, cols = 240, 240
    depth = 1.0 * MM
    optics = Optics(sensor, 1, (rows, cols))
    image = optics.render(sphere(sensor, rows, cols, depth)[None])[0].astype(float)
    chart = sensor.gel.chart(rows, cols).reshape(rows, cols, 2)
    away = distance(sensor, rows, cols)
    # The inner side of the gel seen by the camera: a bulge towards it, with the ball's normal.
    up = np.sqrt(np.maximum(RADIUS**2 - away**2, 0))
    normal = np.stack([chart[..., 0], chart[..., 1], up], -1) / RADIUS
    expected = optics.background.astype(float)
    x, y = np.linspace(-1, 1, 2 * cols + 1)[1::2], np.linspace(1, -1, 2 * rows + 1)[1::2]
    gain = 1 - sensor.background.vignette * (x[None] ** 2 + y[:, None] ** 2) / 2
    for light in sensor.lights:
        azimuth, elevation = np.deg2rad([light.azimuth_deg, light.elevation_deg])
        toward = [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)]
        change = (np.maximum(normal @ toward, 0) - toward[2]) * gain
        expected += change[..., None] * np.array(light.colour)
    pitch = max(sensor.gel.size_mm[0] / cols, sensor.gel.size_mm[1] / rows) * MM
    core = away < np.sqrt(2 * RADIUS * depth - depth**2) - 1.6 * sensor.gel.smoothing_mm * MM - 2 * pitch
    assert core.sum() > 100
    assert np.abs(image - np.clip(expected, 0, 255))[core].max() < 4.0
    assert np.abs(image - np.clip(expected, 0, 255))[core].mean() < 1.0


def test_the_difference_image_grows_with_depth():
    sensor = quiet("digit")
    optics = Optics(sensor, 8, (96, 72))
    depths = np.linspace(0, 1.4 * MM, 8)
    images = optics.render(np.stack([sphere(sensor, 96, 72, d) for d in depths])).astype(float)
    energy = ((images - optics.background) ** 2).sum((1, 2, 3))
    assert energy[0] == 0
    assert np.all(np.diff(energy) > 0)


@pytest.mark.parametrize("size", [(64, 64), (37, 51), (9, 130), (240, 320)])
def test_an_even_press_shows_no_border(size):
    sensor = quiet("gelsight_mini")
    optics = Optics(sensor, 2, size)
    images = optics.render(np.full((2, *size), 0.5 * MM))
    assert np.all(images == optics.background)


def test_depth_may_come_on_any_grid():
    sensor = quiet("digit")
    optics = Optics(sensor, 1, (96, 80))
    images = [
        optics.render(sphere(sensor, rows, cols, 0.8 * MM)[None])[0].astype(float)
        for rows, cols in ((96, 80), (48, 40), (200, 170))
    ]
    for image in images[1:]:
        assert np.abs(image - images[0]).mean() < 0.7
        assert np.abs(image - images[0]).max() < 40  # at the edge of the contact


def test_noise_is_normal_and_named_by_the_seed():
    sensor = load_touch_sensor("digit")
    optics = Optics(sensor, 4, (160, 120))
    images = optics.render(np.zeros((4, 20, 15)), seeds=[0, 1, 2**32 - 1, 1])
    noise = images.astype(float) - optics.background
    assert np.array_equal(images[1], images[3])
    for image in noise[:3]:
        assert abs(image.mean()) < 0.05
        assert image.std() == pytest.approx(sensor.noise, rel=0.03)
        assert np.abs(np.corrcoef(image.reshape(-1, 3).T) - np.eye(3)).max() < 0.03
        assert abs(np.corrcoef(image[:, 1:].ravel(), image[:, :-1].ravel())[0, 1]) < 0.02
        assert abs(np.corrcoef(image[1:].ravel(), image[:-1].ravel())[0, 1]) < 0.02
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 0.02


def test_an_image_does_not_depend_on_its_batch():
    sensor = load_touch_sensor("gelsight_mini_markers")
    depth = np.stack([sphere(sensor, 30, 40, d * MM, (x * MM, 0)) for d, x in ((0.3, 0), (1, 2), (0, 0), (0.7, -4))])
    shear = np.array([[0, 0, 0], [5e-4, 0, 0.1], [1e-3, 0, 0], [0, -3e-4, 0]])
    seeds = np.arange(4)
    together = Optics(sensor, 4, (96, 128)).render(depth, shear, seeds)
    in_threes = Optics(sensor, 3, (96, 128)).render(depth, shear, seeds)
    one = Optics(sensor, 1, (96, 128))
    backwards = [one.render(depth[i : i + 1], shear[i : i + 1], seeds[i : i + 1])[0] for i in (3, 2, 1, 0)][::-1]
    assert np.array_equal(together, in_threes)
    assert np.array_equal(together, backwards)


def test_one_pixel_a_thread_gives_the_same_image(monkeypatch):
    """CUDA's layout of the kernels, on the CPU."""
    from trunkline.envs.tactile import kernels

    sensor = load_touch_sensor("gelsight_mini_markers")
    depth = sphere(sensor, 75, 101, 1 * MM, (1 * MM, 1 * MM))[None]
    wide = Optics(sensor, 1, (75, 101)).render(depth, [[2e-4, 0, 0.2]], [7])
    monkeypatch.setattr(kernels, "CPU_BLOCK", 1)
    single = Optics(sensor, 1, (75, 101)).render(depth, [[2e-4, 0, 0.2]], [7])
    assert np.abs(wide.astype(int) - single).max() <= 1


def test_markers_follow_shear_and_twist():
    sensor = quiet("gelsight_mini_markers")
    optics = Optics(sensor, 1, (240, 320))
    pressed = sphere(sensor, 240, 320, 1 * MM)[None]
    still = optics.marker_positions(pressed)[0]
    shift = np.array([0.3 * MM, -0.2 * MM])
    moved = optics.marker_positions(pressed, [[*shift, 0.0]])[0] - still
    away = np.linalg.norm(still, axis=-1)
    inside = away < 2.5 * MM
    assert inside.sum() >= 4
    np.testing.assert_allclose(moved[inside], np.broadcast_to(shift, moved[inside].shape), atol=1e-7)
    share = moved @ shift / (shift @ shift)
    order = np.argsort(away)
    assert np.all(np.diff(share[order]) < 0.05)  # falls off with the distance
    assert share[order[-1]] < 0.2
    angle = 0.2
    turned = optics.marker_positions(pressed, [[0, 0, angle]])[0]
    rest = still - optics.marker_positions(pressed * 0)[0]  # pressing alone moves them, too
    arms = (still - rest)[inside]
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    np.testing.assert_allclose((turned - rest)[inside], arms @ rotation, atol=3e-6)
    # Pressing pushes them outwards.
    ring = (away > 1 * MM) & (away < 4 * MM)
    assert np.all((rest[ring] * (still - rest)[ring]).sum(-1) > 0)
    # Without contact, nothing drags them.
    np.testing.assert_array_equal(
        optics.marker_positions(pressed * 0, [[*shift, 0.0]]), optics.marker_positions(pressed * 0)
    )


def test_markers_are_drawn_where_they_are():
    sensor = quiet("gelsight_mini_markers", lights=quiet("gelsight_mini").lights)
    optics = Optics(sensor, 1, (240, 320))
    depth = sphere(sensor, 240, 320, 1 * MM)[None]
    shear = [[0.4 * MM, 0.3 * MM, 0.0]]
    with_dots = optics.render(depth, shear)[0].astype(float)
    without = Optics(dataclasses.replace(sensor, markers=None), 1, (240, 320)).render(depth)[0]
    dark = (without - with_dots).sum(-1)
    place = optics.marker_positions(depth, shear)[0]
    chart = sensor.gel.chart(240, 320).reshape(240, 320, 2)
    for dot in place[np.abs(place[:, 0]) < 7 * MM][::5]:
        near = np.linalg.norm(chart - dot, axis=-1) < 0.5 * MM
        weight = dark * near
        centre = (weight[..., None] * chart).sum((0, 1)) / weight.sum()
        np.testing.assert_allclose(centre, dot, atol=0.04 * MM)


def test_wrong_input_is_named():
    optics = Optics(load_touch_sensor("digit"), 1, (32, 32))
    for depth in (np.zeros((32, 32)), np.full((1, 4, 4), -1.0), np.full((1, 4, 4), np.nan)):
        with pytest.raises(InputError, match="depth"):
            optics.render(depth)
    with pytest.raises(InputError, match="shear"):
        optics.render(np.zeros((2, 4, 4)), shear=np.zeros((1, 3)))
    with pytest.raises(InputError, match="seeds"):
        optics.render(np.zeros((2, 4, 4)), seeds=[1])
    with pytest.raises(InputError, match="no markers"):
        optics.marker_positions(np.zeros((1, 4, 4)))
    with pytest.raises(InputError, match="taxel array"):
        Optics(load_touch_sensor("pressure_12x8"), 1)
    with pytest.raises(InputError, match="does not exist here"):
        Optics(load_touch_sensor("digit"), 1, device="tpu")


def test_warp_starts_late_and_silently():
    code = (
        "import sys, trunkline.envs.tactile.optics, trunkline.envs.tactile.taxels\n"
        "assert 'warp' not in sys.modules\n"
        "from trunkline.envs.warp import start_warp\n"
        "start_warp()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == ""


# Taxels


@pytest.mark.parametrize("name", TAXELS)
def test_taxels_share_out_the_whole_force(name):
    sensor = quiet(name)
    taxels = Taxels(sensor)
    depth = sphere(sensor, 40, 40, 0.5 * MM)[None]
    force = sensor.stiffness * (depth[0] * sensor.areas(40, 40)).sum()
    reading = taxels.read(depth)
    assert reading.shape == (1, *sensor.spec().shape)
    assert reading.dtype == np.float32
    total = reading[0, ..., -1].sum() / sensor.taxels.gain
    assert total == pytest.approx(force, rel=0.02)
    positions = sensor.taxel_positions()
    aside = np.array([3 * MM, 2 * MM])
    reading = taxels.read(sphere(sensor, 40, 40, 0.3 * MM, aside)[None])[0, ..., -1].ravel()
    centre = reading @ positions / reading.sum()
    np.testing.assert_allclose(centre, aside, atol=1.2 * MM)
    deep = taxels.read(depth * 50)
    assert deep.max() == pytest.approx(sensor.taxels.full_scale)
    seeded = Taxels(load_touch_sensor(name)).read(np.repeat(depth, 3, 0), seeds=[1, 2, 1])
    assert np.array_equal(seeded[0], seeded[2])
    assert not np.array_equal(seeded[0], seeded[1])
    assert np.array_equal(seeded[1:2], Taxels(load_touch_sensor(name)).read(depth, seeds=[2]))


def test_three_axis_taxels_feel_shear_and_twist():
    sensor = quiet("magnetic_4x4")
    taxels = Taxels(sensor)
    depth = sphere(sensor, 32, 32, 0.5 * MM)[None]
    told = taxels.read(depth, tangential_force=[[0.4, -0.3]])[0]
    np.testing.assert_allclose(told[..., :2].sum((0, 1)), [0.4, -0.3], atol=0.01)
    moved = taxels.read(depth, [[0.3 * MM, 0, 0]])[0]
    assert moved[..., 0].sum() > 0.05
    assert abs(moved[..., 1].sum()) < 0.01
    turned = taxels.read(depth, [[0, 0, 0.3]])[0].reshape(-1, 3)
    x, y = sensor.taxel_positions().T
    assert (x * turned[:, 1] - y * turned[:, 0]).sum() > 0  # counter-clockwise
    np.testing.assert_allclose(turned[:, :2].sum(0), 0, atol=0.01)
