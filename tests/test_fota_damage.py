"""Damaged touch data is named, counted and skipped, until it is too much."""

import io
import tarfile
from collections import Counter

import numpy as np
import pytest
from fota_data import (
    GEL,
    PAD,
    as_json,
    jpeg,
    make_shard,
    numbers,
    streams,
    write,
)

from trunkline.data.fota import FotaDataset, FotaStream, FotaWriter, Tolerance
from trunkline.data.fota.shards import scan
from trunkline.errors import InputError


@pytest.fixture
def stream():
    with streams() as make:
        yield make


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
