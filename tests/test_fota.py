"""FoTa: what is written is read back, in seeded order, exactly resumed; damage is named, counted and skipped."""

import io
import itertools
import json
import os
import signal
import subprocess
import sys
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from trunkline.data.fota import FotaConfig, FotaDataset, FotaStream, FotaWriter, Tolerance, pose_change
from trunkline.data.fota.form import load_form
from trunkline.data.fota.labels import LABELS, POSE
from trunkline.data.fota.shards import scan
from trunkline.envs.spec import SensorSpec
from trunkline.errors import InputError

GEL = SensorSpec("gel", "tactile_rgb", (16, 16, 3), "uint8")
PAD = SensorSpec("pad", "taxels", (4, 4, 3))


def labels_of(number):
    rng = np.random.default_rng([9, number])
    pose = dict(zip(POSE, rng.normal(size=7).tolist(), strict=True))
    names = {"obj_idx": number // 20, "obj_name": f"object {number // 20}", "trial_idx": number // 5 % 4}
    return {"has_contact": number % 2 == 0, "frame_idx": number, **names, **pose, "force_n": [0.0, 0.1, float(number)]}


def picture(number):
    """A smooth picture, which JPEG hardly changes, that tells its number by its brightness."""
    rows = np.arange(16, dtype=np.uint8)[:, None, None]
    return np.broadcast_to(rows + np.uint8(number % 200), GEL.shape).copy()


def mask_of(number):
    return np.arange(256).reshape(16, 16) < number


def write(folder, count=100, split="train", start=0, shard_samples=30, **extra):
    with FotaWriter(folder, split, GEL, FotaConfig(shard_samples=shard_samples)) as writer:
        for i in range(start, start + count):
            writer.add(f"touch.{i:05d}", picture(i), {**labels_of(i), **extra}, mask_of(i))
    return folder


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write(tmp_path_factory.mktemp("fota") / "gel")


@pytest.fixture
def stream():
    """Makes streams and closes them."""
    made = []

    def make(source, batch_size=8, **options):
        source = source if isinstance(source, FotaDataset | list) else FotaDataset(source)
        made.append(FotaStream(source, batch_size, **{"shuffle_buffer": 32, "seed": 3, **options}))
        return made[-1]

    yield make
    for one in made:
        one.close()


def numbers(batches):
    return [n for batch in batches for n in batch.fields["frame_idx"].tolist()]


def assert_equal(batch, other):
    for one, two in ((batch, other), *([(batch.second, other.second)] if batch.second else [])):
        readings, fields = (one.readings, one.fields) if one is batch else one
        theirs, their_fields = (two.readings, two.fields) if two is other else two
        np.testing.assert_array_equal(readings, theirs)
        assert fields.keys() == their_fields.keys()
        for name in fields:
            np.testing.assert_array_equal(fields[name], their_fields[name])


# What is written


def test_files_are_those_of_fota(root):
    folder = root / "train"
    assert (folder / "count.txt").read_text() == "100\n"
    shards = sorted(folder.glob("*.tar"))
    assert [path.name for path in shards] == [f"data-{i:06d}.tar" for i in range(4)]
    with tarfile.open(shards[1]) as archive:
        names = archive.getnames()
        assert names[:3] == ["touch-00030.jpg", "touch-00030.json", "touch-00030.png"] and len(names) == 90
        assert json.load(archive.extractfile("touch-00031.json")) == labels_of(31)
        assert Image.open(archive.extractfile("touch-00031.jpg")).size == (16, 16)
    assert {path.name for path in root.iterdir()} == {"train", "sensor.json", ".lock"}


def test_images_labels_and_masks_come_back(root):
    dataset = FotaDataset(root)
    samples = list(dataset.samples())
    assert len(samples) == len(dataset) == 100
    for i, sample in enumerate(samples):
        assert sample.key == f"touch-{i:05d}" and sample.labels == labels_of(i)
        np.testing.assert_allclose(sample.reading, picture(i), atol=2)
        np.testing.assert_array_equal(sample.mask, mask_of(i))


def test_taxels_come_back_exactly(tmp_path, stream):
    values = np.random.default_rng(0).normal(size=(20, *PAD.shape)).astype(np.float32)
    with FotaWriter(tmp_path / "pad", "val", PAD) as writer:
        for i, reading in enumerate(values):
            writer.add(f"{i}", reading, {"frame_idx": i, "slip": np.bool_(True), "slip_mm_s": np.float32(0.5)})
    dataset = FotaDataset(tmp_path / "pad", "val")
    (batch,) = stream(dataset, 20, shuffle=False, epochs=1)
    np.testing.assert_array_equal(batch.readings, values)
    assert batch.fields["slip"].dtype == bool and batch.fields["slip_mm_s"].dtype == np.float32
    assert dataset.sensor.mean is None, "statistics are those of train alone"


def test_statistics_are_those_of_the_written_readings(root):
    pixels = np.stack([picture(i) for i in range(100)]).reshape(-1, 3).astype(float)
    sensor = FotaDataset(root).sensor
    np.testing.assert_allclose(sensor.mean, pixels.mean(0), rtol=1e-12)
    np.testing.assert_allclose(sensor.std, pixels.std(0), rtol=1e-12)
    assert sensor.difference(GEL) is None
    assert FotaDataset(root).label_range("obj_idx") == (0, 4) and FotaDataset(root).label_range("smoothness") is None


def test_scale_of_moves_is_that_of_all_pairs_of_trials(root):
    moves = {"pose_3d": [], "pose_6d": []}
    for first, second in itertools.permutations(range(100), 2):
        if first // 5 == second // 5:
            poses = [np.array([[labels_of(n)[name] for name in POSE]]) for n in (first, second)]
            for name, value in pose_change(*poses).items():
                moves[name].append(value[0])
    for name, values in moves.items():
        scale = FotaDataset(root).pose_scale(name)
        np.testing.assert_allclose(scale.mean, np.mean(values, 0), atol=1e-12)
        np.testing.assert_allclose(scale.std, np.std(values, 0), atol=1e-12)
        normal = scale.normalise(np.array(values))
        np.testing.assert_allclose(normal.std(0), 1, atol=1e-5)
        np.testing.assert_allclose(scale.restore(normal), values, atol=1e-5)


def test_appending_goes_on(tmp_path):
    whole = write(tmp_path / "whole", 60, shard_samples=20)
    parts = write(tmp_path / "parts", 20, shard_samples=20)
    write(parts, 40, start=20, shard_samples=20)
    for path in sorted(whole.rglob("*")):
        if path.is_file():
            assert path.read_bytes() == (parts / path.relative_to(whole)).read_bytes(), path.name
    with FotaWriter(parts, "train") as writer:
        assert len(writer) == 60 and writer.sensor == GEL


def test_splits_are_written_side_by_side(tmp_path):
    with FotaWriter(tmp_path, "train", GEL) as train, FotaWriter(tmp_path, "test", GEL) as test:
        for i in range(10):
            (train, test)[i % 2].add(f"{i}", picture(i), labels_of(i))
    assert len(FotaDataset(tmp_path)) == len(FotaDataset(tmp_path, "test")) == 5
    assert FotaDataset(tmp_path, "test").sensor == FotaDataset(tmp_path).sensor, "both have the statistics of train"
    with pytest.raises(InputError, match="unknown split 'tset'; did you mean 'test'"):
        FotaDataset(tmp_path, "tset")


KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[2])
from test_fota import *
writer = FotaWriter(sys.argv[1], "train", GEL, FotaConfig(shard_samples=10))
for i in range(37):
    writer.add(f"touch.{i:05d}", picture(i), labels_of(i), mask_of(i))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_writer_leaves_whole_shards_and_the_next_goes_on(tmp_path, stream):
    here = Path(__file__).parent
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "killed"), str(here)], check=False)
    assert done.returncode == -signal.SIGKILL
    dataset = FotaDataset(tmp_path / "killed")
    assert len(dataset) == 30 and sorted(numbers(stream(dataset, epochs=1))) == list(range(30))
    assert list((tmp_path / "killed/train").glob(".*.tmp"))
    write(tmp_path / "killed", 10, start=30, shard_samples=10)
    assert not list((tmp_path / "killed/train").glob(".*.tmp"))
    whole = write(tmp_path / "whole", 40, shard_samples=10)
    for name in ("sensor.json", "train/count.txt", "train/data-000003.tar"):
        assert (tmp_path / "killed" / name).read_bytes() == (whole / name).read_bytes()


def test_a_writer_stopped_before_its_record_is_caught_up_with(tmp_path):
    write(tmp_path, 20, shard_samples=10)
    record, count = (tmp_path / "sensor.json").read_bytes(), (tmp_path / "train/count.txt").read_bytes()
    complete = write(tmp_path, 10, start=20, shard_samples=10) and load_form(tmp_path).splits["train"]
    (tmp_path / "sensor.json").write_bytes(record)
    (tmp_path / "train/count.txt").write_bytes(count)
    assert len(FotaDataset(tmp_path)) == 30, "the shards count, not the stale record"
    FotaWriter(tmp_path, "train").close()
    caught_up = load_form(tmp_path).splits["train"]
    assert (caught_up.samples, caught_up.shards, caught_up.ranges) == (30, 3, complete.ranges)
    np.testing.assert_allclose(caught_up.readings.mean, complete.readings.mean, rtol=0.02)
    np.testing.assert_allclose(caught_up.poses["pose_6d"].mean, complete.poses["pose_6d"].mean)


def test_a_full_disk_keeps_the_shards_before(tmp_path, monkeypatch):
    writer = FotaWriter(tmp_path, "train", GEL, FotaConfig(shard_samples=10))
    for i in range(15):
        writer.add(f"{i}", picture(i), labels_of(i))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="No space left on device; it keeps 10 samples in whole shards, the last 5"):
        writer.close()
    assert not list((tmp_path / "train").glob(".*.tmp")) and len(FotaDataset(tmp_path)) == 10


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"key": "../x"}, "no slash"),
        ({"key": ""}, "1 to 90 printable"),
        ({"key": "ü"}, "printable ASCII"),
        ({"key": "0"}, "holds a sample '0' already"),
        ({"reading": picture(0)[:8]}, r"uint8 \(8, 16, 3\).*uint8 \(16, 16, 3\)"),
        ({"reading": picture(0).astype(np.float32)}, "float32"),
        ({"mask": np.ones((8, 8), bool)}, r"mask of \(8, 8\)"),
        ({"fields": {"frame_idx": 1}}, "lack 'has_contact'.*the same labels"),
        ({"fields": {**labels_of(0), "obj_idx": "cube"}}, "obj_idx='cube' must be an integer"),
        ({"fields": {**labels_of(0), "x_mm": float("nan")}}, "cannot be written as JSON"),
        ({"fields": {**labels_of(0), **dict.fromkeys(POSE[3:], 0.0)}}, "quaternion is zero"),
    ],
)
def test_bad_samples_are_not_written(tmp_path, arguments, message):
    with FotaWriter(tmp_path, "train", GEL) as writer:
        writer.add("0", picture(0), labels_of(0))
        with pytest.raises(InputError, match=message):
            writer.add(**{"key": "1", "reading": picture(1), "fields": labels_of(1), **arguments})
        writer.add("1", picture(1), labels_of(1))
    assert len(list(FotaDataset(tmp_path).samples())) == 2


def test_folders_that_are_not_for_this_writer_are_refused(tmp_path, root):
    with pytest.raises(
        InputError, match=r"another sensor: shape \(16, 16, 3\) is not \(4, 4, 3\)|another sensor: name"
    ):
        FotaWriter(root, "train", PAD)
    make_shard(tmp_path / "theirs/train", {})
    with pytest.raises(InputError, match="trunkline did not write"):
        FotaWriter(tmp_path / "theirs", "train", GEL)
    with pytest.raises(InputError, match="name the sensor"):
        FotaWriter(tmp_path / "new", "train")
    with (
        FotaWriter(tmp_path / "ours", "train", GEL),
        pytest.raises(InputError, match="being written by another process"),
    ):
        FotaWriter(tmp_path / "ours", "train", GEL)
    with pytest.raises(InputError, match="shard_samples=20000"):
        FotaConfig(shard_samples=20_000)


# The order


@pytest.mark.parametrize("options", [{}, {"shuffle_buffer": 1}, {"shuffle_buffer": 1000}, {"buffer_mb": 0.01}])
def test_every_sample_once_an_epoch_in_another_order(root, stream, options):
    touches = stream(root, 1, **options)
    epochs = [[numbers([next(touches)])[0] for _ in range(100)] for _ in range(3)]
    assert all(sorted(epoch) == list(range(100)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    distances = np.abs(np.diff(epochs[0]))
    assert options.get("shuffle_buffer") == 1 or np.mean(distances) > 10, "neighbours are served far apart"


def test_one_epoch_ends(root, stream):
    batches = list(stream(root, 32, epochs=1))
    assert [len(batch) for batch in batches] == [32, 32, 32, 4]
    assert numbers(stream(root, 32, epochs=2, shuffle=False)) == [*range(100), *range(100)]


def test_readings_belong_to_their_labels(root, stream):
    fields = ["frame_idx", "obj_name", "force_n", "mask", "has_contact"]
    for batch in itertools.islice(stream(root, fields=fields), 20):
        assert batch.sensor == "gel" and batch.readings.shape == (8, 16, 16, 3) and batch.readings.dtype == np.uint8
        assert list(batch.fields) == ["frame_idx", "obj_name", "force_n", "has_contact", "mask"]
        for row, number in enumerate(numbers([batch])):
            np.testing.assert_allclose(batch.readings[row], picture(number), atol=2)
            np.testing.assert_array_equal(batch.fields["mask"][row], mask_of(number))
            assert batch.fields["obj_name"][row] == f"object {number // 20}"
            np.testing.assert_allclose(batch.fields["force_n"][row], [0, 0.1, number], rtol=1e-6)


def test_seeds_differ_and_workers_do_not(root, stream):
    def some(**options):
        return numbers(itertools.islice(stream(root, **options), 30))

    assert some(seed=4) == some(seed=4, workers=0) == some(seed=4, workers=3) != some(seed=5)


@pytest.mark.parametrize("world_size", [2, 3, 7])
def test_ranks_share_an_epoch(root, stream, world_size):
    shares = [numbers(stream(root, 1, epochs=1, rank=rank, world_size=world_size)) for rank in range(world_size)]
    assert sorted(itertools.chain(*shares)) == list(range(100))
    assert max(map(len, shares)) < 2 * min(map(len, shares))


def test_several_data_sets_of_a_sensor_are_mixed(root, tmp_path, stream):
    more = write(tmp_path / "more", 50, start=100, texture=3)
    both = stream([FotaDataset(root), FotaDataset(more)], epochs=1)
    assert "texture" not in both.fields and both.num_samples == 150
    assert sorted(numbers(both)) == list(range(150))
    with pytest.raises(InputError, match=r"unknown field of .*'texture'"):
        stream([FotaDataset(root), FotaDataset(more)], fields=["texture"])


def test_data_sets_written_alike_are_served_alike(root, tmp_path, stream):
    with FotaWriter(tmp_path, "train", PAD, FotaConfig(shard_samples=30)) as writer:
        for i in range(100):
            writer.add(f"touch.{i:05d}", np.full(PAD.shape, i, np.float32), labels_of(i))
    one, two = (itertools.islice(stream(folder), 40) for folder in (root, tmp_path))
    assert numbers(one) == numbers(two), "the same contacts through two sensors"


# Pairs


def test_pairs_are_of_one_trial(root, stream):
    touches = stream(root, 10, pairs=True, epochs=3, fields=["frame_idx"])
    firsts, partners = [], {}
    for batch in touches:
        second = batch.second[1]["frame_idx"]
        for a, b in zip(batch.fields["frame_idx"].tolist(), second.tolist(), strict=True):
            assert a != b and a // 5 == b // 5
            firsts.append(a)
            partners.setdefault(a, set()).add(b)
        for row, number in enumerate(second.tolist()):
            np.testing.assert_allclose(batch.second[0][row], picture(number), atol=2)
        poses = [np.stack([f[name] for name in POSE], 1).astype(float) for f in (batch.fields, batch.second[1])]
        for name, value in pose_change(*poses).items():
            np.testing.assert_allclose(batch.fields[name], value, atol=1e-5)
    assert len(firsts) > 250 and max(map(len, partners.values())) > 1, "partners are drawn anew"


def test_moves_are_the_formula():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 50, 7))
    moves = pose_change(first, second)
    np.testing.assert_allclose(moves["pose_3d"], second[:, :3] - first[:, :3])
    for row in range(50):
        one, two = np.eye(4), np.eye(4)
        for matrix, pose in ((one, first[row]), (two, second[row])):
            matrix[:3, :3], matrix[:3, 3] = Rotation.from_quat(pose[3:]).as_matrix(), pose[:3]
        change = np.linalg.inv(one) @ two
        expected = np.concatenate([change[:3, 3], change[:3, 0], change[:3, 1]])
        np.testing.assert_allclose(moves["pose_6d"][row], expected, atol=1e-12)
    assert list(pose_change(first[:, :3], second[:, :3])) == ["pose_3d"]


def test_no_pairs_to_be_had(tmp_path, stream, root):
    with FotaWriter(tmp_path, "train", GEL) as writer:
        for i in range(12):
            writer.add(f"{i}", picture(i), {**labels_of(i), "trial_idx": i})
    with pytest.raises(InputError, match="no two frames of one trial"):
        next(stream(tmp_path, pairs=True))
    make_shard(tmp_path / "theirs/train", {})
    with pytest.raises(InputError, match="no poses"):
        stream(tmp_path / "theirs", pairs=True)


# Resuming


@pytest.mark.parametrize("options", [{}, {"pairs": True}, {"shuffle_buffer": 1000}, {"rank": 1, "world_size": 2}])
@pytest.mark.parametrize("workers", [0, 2])
def test_resume_is_exact(tmp_path, stream, options, workers):
    root = write(tmp_path / "gel", 90)
    damage_some(root)
    options = {**options, "batch_size": 12, "tolerance": Tolerance(0.5), "workers": workers}
    straight = stream(root, **options)
    expected = list(itertools.islice(straight, 24))
    assert len(straight.faults) == 6 and {len(batch) for batch in expected} == {12}
    for stop in (0, 1, 5, 13):
        first = stream(root, **options)
        for _ in range(stop):
            next(first)
        state = json.loads(json.dumps(first.state_dict()))
        second = stream(root, **options)
        second.load_state_dict(state)
        assert second.state_dict() == state
        for batch, wanted in zip(second, expected[stop:], strict=False):
            assert_equal(batch, wanted)
        assert sorted(map(str, second.faults)) == sorted(map(str, straight.faults))


def damage_some(root):
    """Break the labels of six samples in place, two of them side by side."""
    for shard, rows in zip(sorted((root / "train").glob("*.tar")), ((3, 4), (0, 29), (7, 15)), strict=True):
        index, data = scan(shard), bytearray(shard.read_bytes())
        for row in rows:
            data[index.extents[row, 0] + index.parts[row, 1, 0]] = ord("!")
        shard.write_bytes(data)


def test_resume_on_other_data_is_refused(root, tmp_path, stream):
    state = stream(root).state_dict()
    with pytest.raises(InputError, match=r"cannot resume.*seed is 6, it was 3"):
        stream(root, seed=6).load_state_dict(state)
    with pytest.raises(InputError, match=r"cannot resume.*shards is"):
        stream(write(tmp_path / "other", 40)).load_state_dict(state)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size=0"),
        ({"workers": -1}, "workers=-1"),
        ({"rank": 2, "world_size": 2}, "rank=2"),
        ({"fields": ["obj_ix"]}, "unknown field.*'obj_ix'; did you mean 'obj_idx'"),
    ],
)
def test_bad_arguments(root, stream, options, message):
    with pytest.raises(InputError, match=message):
        stream(root, **options)


def test_more_workers_than_samples(tmp_path, stream):
    with pytest.raises(InputError, match=r"no sample in .* for worker 7 of 8.*fewer workers"):
        next(stream(write(tmp_path / "few", 3), rank=7, world_size=8))


# Data sets of others


def jpeg(value=128, size=(16, 16), **options):
    stream = io.BytesIO()
    Image.new(options.pop("mode", "RGB"), size, value if isinstance(value, tuple) else (value,) * 3).save(
        stream, "JPEG", **options
    )
    return stream.getvalue()


def as_json(number=0, **fields):
    return json.dumps({"frame_idx": number, "obj_idx": number % 3, **fields}).encode()


def make_shard(folder, changes, count=40, name="data-000000.tar", tar_format=tarfile.USTAR_FORMAT, prefix=""):
    """A shard of `count` good samples, as tarfile writes it; `changes` replaces members: bytes, TarInfo, None."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(folder / name, "w", format=tar_format) as archive:
        for i in range(count):
            for member, data in ((f"k{i:03d}.jpg", jpeg(2 * i)), (f"k{i:03d}.json", as_json(i))):
                change = changes.get(member, data)
                if isinstance(change, tarfile.TarInfo):
                    archive.addfile(change)
                elif change is not None:
                    info = tarfile.TarInfo(prefix + member)
                    info.size, info.mtime = len(change), 1234.5
                    archive.addfile(info, io.BytesIO(change))
    return folder.parent


@pytest.mark.parametrize("tar_format", [tarfile.USTAR_FORMAT, tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
@pytest.mark.parametrize("name", ["data-000000.tar", "data_000000.tar"])
@pytest.mark.parametrize("prefix", ["", "./", "deep/" * 30])
def test_tars_of_others(tmp_path, stream, tar_format, name, prefix):
    root = make_shard(tmp_path / "calandra17/train", {}, 20, name, tar_format, prefix)
    dataset = FotaDataset(root, resolution=(16, 16))
    assert dataset.foreign and len(dataset) == 20
    touches = stream(dataset, epochs=1)
    assert sorted(numbers(touches)) == list(range(20)) and not touches.faults
    assert next(dataset.samples()).key == prefix.removeprefix("./") + "k000"
    assert sorted(path.name for path in root.rglob("*")) == sorted(["train", name]), "nothing is added to their files"


@pytest.mark.parametrize(
    ("folder", "sensor"),
    [("yuan18", "gs_green"), ("tvl", "digit"), ("objectfolder_real", "gs_black"), ("mine", "mine")],
)
def test_sensors_of_others_are_named_after_their_encoder(tmp_path, folder, sensor):
    root = make_shard(tmp_path / folder / "val", {"k000.jpg": jpeg((10, 200, 30), (640, 480))}, 2)
    dataset = FotaDataset(root, "val")
    assert (dataset.sensor.name, dataset.sensor.shape) == (sensor, (224, 224, 3))
    np.testing.assert_allclose(next(dataset.samples()).reading, np.broadcast_to((10, 200, 30), (224, 224, 3)), atol=3)
    assert FotaDataset(root, "val", sensor="gel_9").sensor.name == "gel_9"


def test_count_of_others_is_believed_and_checked(tmp_path):
    root = make_shard(tmp_path / "theirs/train", {}, 7)
    assert len(FotaDataset(root)) == 7
    (root / "train/count.txt").write_text(" 9\n")
    assert len(FotaDataset(root)) == 9
    (root / "train/count.txt").write_text("many")
    with pytest.raises(InputError, match=r"count\.txt holds no number"):
        len(FotaDataset(root))


def test_both_spellings_of_one_shard_are_refused(tmp_path):
    make_shard(tmp_path / "theirs/train", {}, 2)
    root = make_shard(tmp_path / "theirs/train", {}, 2, "data_000000.tar")
    with pytest.raises(InputError, match=r"both data-000000.tar and data_000000.tar"):
        FotaDataset(root)


def test_grey_pictures_become_rgb(tmp_path):
    grey = Image.fromarray(np.full((16, 16), 77, np.uint8))
    data = io.BytesIO()
    grey.save(data, "JPEG")
    root = make_shard(tmp_path / "theirs/train", {"k000.jpg": data.getvalue()}, 1)
    assert (next(FotaDataset(root, resolution=(8, 8)).samples()).reading == 77).all()


FIELDS = {
    "has_contact": (True, [0, 1, 1.0], ["yes", 2, None]),
    "contact_class": (-2, [21, 3.0], ["cotton", -3, 1.5, True]),
    "obj_idx": (5, [0], ["5", -1, None, 2**64]),
    "material_idx": (6, [0], ["wood", [1]]),
    "textile_type": (19, [0], ["silk", -1]),
    "smoothness": (4, [0], ["smooth", 0.5]),
    "fuzziness": (3, [0], [False, "3"]),
    "is_gripping": (False, [1], ["no"]),
    "object_name": ("can", [""], [3]),
    "desc": ("rough, woven", ["é"], [["rough"]]),
    "vars": ([1.0, 2.5], [[3, 4]], [[1.0], [1.0, "x"], 2.0]),
    "quat_w": (0.5, [1, -1], ["1", None, 1e999]),
    "x_mm": (0, [0.25, 1e-9], [[0.0], 10**400]),
}


@pytest.mark.parametrize("name", FIELDS)
def test_every_label_is_read_and_checked(tmp_path, stream, name):
    value, good, bad = FIELDS[name]
    count = 1 + len(good) + len(bad)
    changes = {f"k{i:03d}.json": as_json(i, **{name: one}) for i, one in enumerate([value, *good, *bad])}
    root = make_shard(tmp_path / "theirs/train", changes, count)
    touches = stream(FotaDataset(root, resolution=(16, 16)), fields=[name, "frame_idx"], shuffle=False, epochs=1)
    (batch,) = touches
    assert sorted(numbers([batch])) == list(range(1 + len(good)))
    assert sorted(fault.key for fault in touches.faults) == [f"k{i:03d}" for i in range(1 + len(good), count)]
    assert all(f"label {name}=" in fault.reason for fault in touches.faults)
    order = np.argsort(batch.fields["frame_idx"])
    np.testing.assert_array_equal(batch.fields[name][order], np.array([value, *good], batch.fields[name].dtype))
    assert name in LABELS


# Damage


def member(name, kind=tarfile.REGTYPE, target="k001.jpg", size=0):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, target, size
    return info


def npy(array, **options):
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


SAMPLE = "k007"
ENORMOUS = jpeg().replace(b"\x00\x10\x00\x10\x03", b"\xff\xff\xff\xff\x03")
FLAWS = {
    "no json": ({"k007.json": None}, "no .json", SAMPLE),
    "no jpg": ({"k007.jpg": None}, "no .jpg", SAMPLE),
    "broken json": ({"k007.json": b'{"frame_idx": 7'}, ".json is broken", SAMPLE),
    "json of another encoding": ({"k007.json": b"\xff\xfe\x00"}, ".json is broken", SAMPLE),
    "json in json in json": ({"k007.json": b"[" * 100_000}, ".json is broken", SAMPLE),
    "a list for labels": ({"k007.json": b"[1, 2]"}, "not an object", SAMPLE),
    "a missing label": ({"k007.json": b'{"obj_idx": 1}'}, "lack 'frame_idx'", SAMPLE),
    "a string for an integer": ({"k007.json": as_json(7, obj_idx="cube")}, "obj_idx='cube' must be an integer", SAMPLE),
    "no picture": ({"k007.jpg": b"nothing of the kind"}, ".jpg cannot be decoded", SAMPLE),
    "an empty picture": ({"k007.jpg": b""}, ".jpg cannot be decoded", SAMPLE),
    "half a picture": ({"k007.jpg": jpeg(9, (99, 99))[:400]}, ".jpg cannot be decoded", SAMPLE),
    "an enormous picture": ({"k007.jpg": ENORMOUS}, "pixels, more than", SAMPLE),
    "a path outside": ({"k007.jpg": member("../k007.jpg"), "k007.json": None}, "outside", "../k007"),
    "an absolute path": ({"k007.jpg": member("/tmp/k007.jpg"), "k007.json": None}, "absolute", "/tmp/k007"),
    "a path outside, deep": ({"k007.json": member("a/../../x.json"), "k007.jpg": None}, "outside", "a/../../x"),
    "a symbolic link": ({"k007.jpg": member("k007.jpg", tarfile.SYMTYPE, "/etc/passwd")}, "symbolic link", SAMPLE),
    "a hard link": ({"k007.jpg": member("k007.jpg", tarfile.LNKTYPE)}, "hard link", SAMPLE),
    "a device": ({"k007.jpg": member("k007.jpg", tarfile.CHRTYPE)}, "a device", SAMPLE),
    "a pipe": ({"k007.json": member("k007.json", tarfile.FIFOTYPE)}, "a pipe", SAMPLE),
    "10 GB declared": ({"k007.jpg": member("k007.jpg", size=10 << 30)}, "declares 10737418240 bytes", SAMPLE),
    "two pictures": ({"k007.json": member("k007.jpg")}, "two members .jpg", SAMPLE),
}  # fmt: skip


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_bad_sample_is_named_counted_and_skipped(tmp_path, stream, caplog, flaw):
    changes, reason, key = FLAWS[flaw]
    root = make_shard(tmp_path / "theirs/train", changes, tar_format=tarfile.GNU_FORMAT)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    touches = stream(FotaDataset(root, resolution=(16, 16)), epochs=2)
    assert Counter(numbers(touches)) == {i: 2 for i in range(40) if i != 7}
    (fault,) = touches.faults
    assert fault.key == key and reason in fault.reason and fault.shard == str(root / "train/data-000000.tar")
    assert f"sample {key}" in caplog.text
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before, "nothing is written"


def test_a_cut_shard_gives_what_is_left(tmp_path, stream):
    root = make_shard(tmp_path / "theirs/train", {})
    path = root / "train/data-000000.tar"
    index, data = scan(path), path.read_bytes()
    middle = int(index.extents[20, 0] + index.parts[20, 0, 0]) + 100
    for end, key in ((middle, "k020"), (middle - 300, "k020"), (int(index.extents[20, 0]), f"@{index.extents[20, 0]}")):
        path.write_bytes(data[:end])
        touches = stream(FotaDataset(root, resolution=(16, 16)), epochs=1)
        assert sorted(numbers(touches)) == list(range(20))
        assert [fault.key for fault in touches.faults] in ([key], [f"@{index.extents[20, 0]}"]), end


def test_after_a_damaged_header_reading_goes_on(tmp_path, stream):
    root = make_shard(tmp_path / "theirs/train", {})
    path = root / "train/data-000000.tar"
    index, data = scan(path), bytearray(path.read_bytes())
    for row in (5, 11):
        begin = index.extents[row, 0]
        data[begin : begin + 20] = b"\xee" * 20
    path.write_bytes(data)
    touches = stream(FotaDataset(root, resolution=(16, 16)), epochs=1)
    assert set(range(40)) - set(numbers(touches)) == {5, 11}
    assert {fault.key for fault in touches.faults} == {f"@{index.extents[r, 0]}" for r in (5, 11)} | {"k005", "k011"}


def test_a_member_of_ten_gigabytes_is_not_read(tmp_path):
    """A sparse file, whose size is what the header says."""
    root = make_shard(tmp_path / "theirs/train", {}, 2)
    path = root / "train/data-000000.tar"
    data, size = path.read_bytes(), 10 << 30
    info = tarfile.TarInfo("k000.png")
    info.size = size
    with path.open("wb") as file:
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        file.seek(512 + size)
        file.write(data)
    (fault,) = scan(path).faults
    assert f"k000.png has {size} bytes" in fault.reason
    assert [sample.key for sample in FotaDataset(root, resolution=(16, 16)).samples()] == ["k001"]


@pytest.mark.parametrize(
    "data",
    [
        npy(np.zeros((4, 4), np.float32)),
        npy(np.zeros((4, 4, 3), np.int64)),
        npy(np.full((4, 4, 3), np.nan, np.float32)),
        npy(np.zeros((4, 4, 3), np.float32))[:-1],
        npy(np.array({"a": 1}, object), allow_pickle=True),
        npy(np.zeros((4, 4, 3), np.float32)).replace(b"(4, 4, 3)", b"(9**9999,)"),
        b"\x93NUMPY\x01\x00\xff\xff{",
        b"",
    ],
)
def test_bad_taxels_are_skipped(tmp_path, stream, data):
    with FotaWriter(tmp_path, "train", PAD) as writer:
        for i in range(3):
            writer.add(f"k{i}", np.zeros(PAD.shape, np.float32), {"frame_idx": i})
    with tarfile.open(tmp_path / "train/data-000001.tar", "w") as archive:
        for name, content in (("bad.npy", data), ("bad.json", as_json(9))):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    touches = stream(tmp_path, epochs=1)
    assert sorted(numbers(touches)) == [0, 1, 2]
    assert [fault.key for fault in touches.faults] == ["bad"] and ".npy" in touches.faults[0].reason


@pytest.mark.parametrize("workers", [0, 2])
def test_too_many_bad_samples_stop_the_run(tmp_path, stream, workers):
    changes = {f"k{i:03d}.json": b"{" for i in range(5, 17)}
    root = make_shard(tmp_path / "theirs/train", changes)
    dataset = FotaDataset(root, resolution=(16, 16))
    with pytest.raises(InputError, match=r"of 40 samples are bad, more than 0.01 of them; the first is .*k0\d\d"):
        list(stream(dataset, epochs=1, workers=workers))
    assert len(numbers(stream(dataset, epochs=1, tolerance=Tolerance(0.3)))) == 28
    assert len(numbers(stream(dataset, epochs=1, tolerance=Tolerance(least=13)))) == 28
    with pytest.raises(InputError, match="1 of 40 samples are bad"):
        list(stream(dataset, epochs=1, tolerance=Tolerance(0.0, 1), batch_size=1))


def test_a_data_set_without_a_sound_sample(tmp_path):
    root = make_shard(tmp_path / "theirs/train", {f"k{i:03d}.json": None for i in range(40)})
    with pytest.raises(InputError, match="they hold no sample"):
        FotaDataset(root)
    with pytest.raises(InputError, match="holds no shard"):
        (tmp_path / "empty/train").mkdir(parents=True)
        FotaDataset(tmp_path / "empty")
    with pytest.raises(InputError, match="there is no data set"):
        FotaDataset(tmp_path / "nowhere")


@pytest.mark.parametrize("seed", range(4))
def test_random_damage_is_never_more_than_bad_samples(tmp_path, seed):
    root = write(tmp_path / "gel", 20)
    path = root / "train/data-000000.tar"
    whole, rng = path.read_bytes(), np.random.default_rng(seed)
    for _ in range(15):
        data = bytearray(whole)
        for at in rng.integers(0, len(data), rng.integers(1, 60)).tolist():
            data[at] = rng.integers(256)
        start = int(rng.integers(len(data)))
        del data[start : start + int(rng.integers(0, 3000))]
        path.write_bytes(data)
        try:
            dataset = FotaDataset(root)
            touches = FotaStream(
                dataset, 4, fields=["frame_idx", "mask"], epochs=1, workers=0, tolerance=Tolerance(1.0)
            )
            assert all(batch.readings.shape[1:] == GEL.shape for batch in touches)
            touches.close()
        except InputError:
            pass
