"""FoTa data sets: what is written is read back, appended to, and survives kills and full disks."""

import itertools
import json
import os
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from fota_data import GEL, PAD, labels_of, make_shard, mask_of, numbers, picture, streams, write
from PIL import Image

from trunkline.data.fota import FotaConfig, FotaDataset, FotaWriter, pose_change
from trunkline.data.fota.form import load_form
from trunkline.data.fota.labels import POSE
from trunkline.errors import InputError


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write(tmp_path_factory.mktemp("fota") / "gel")


@pytest.fixture
def stream():
    with streams() as make:
        yield make


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
