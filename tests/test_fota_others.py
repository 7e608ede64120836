"""FoTa data sets that others wrote."""

import io
import tarfile

import numpy as np
import pytest
from fota_data import (
    as_json,
    jpeg,
    make_shard,
    numbers,
    streams,
)
from PIL import Image

from trunkline.data.fota import FotaDataset
from trunkline.data.fota.labels import LABELS
from trunkline.errors import InputError


@pytest.fixture
def stream():
    with streams() as make:
        yield make


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
