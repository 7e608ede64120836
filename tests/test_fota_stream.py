"""Streams of touches: a seeded order, pairs of a trial, exact resume."""

import itertools
import json

import numpy as np
import pytest
from fota_data import GEL, PAD, assert_equal, labels_of, make_shard, mask_of, numbers, picture, streams, write
from scipy.spatial.transform import Rotation

from trunkline.data.fota import FotaConfig, FotaDataset, FotaWriter, Tolerance, pose_change
from trunkline.data.fota.labels import POSE
from trunkline.data.fota.shards import scan
from trunkline.errors import InputError


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write(tmp_path_factory.mktemp("fota") / "gel")


@pytest.fixture
def stream():
    with streams() as make:
        yield make


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


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    """The labels of six samples are broken, two of them side by side."""
    root = write(tmp_path_factory.mktemp("damaged") / "gel", 90)
    for shard, rows in zip(sorted((root / "train").glob("*.tar")), ((3, 4), (0, 29), (7, 15)), strict=True):
        index, data = scan(shard), bytearray(shard.read_bytes())
        for row in rows:
            data[index.extents[row, 0] + index.parts[row, 1, 0]] = ord("!")
        shard.write_bytes(data)
    return root


@pytest.mark.parametrize("options", [{}, {"pairs": True}, {"shuffle_buffer": 1000}, {"rank": 1, "world_size": 2}])
@pytest.mark.parametrize("workers", [0, 2])
def test_resume_is_exact(damaged, stream, options, workers):
    options = {**options, "batch_size": 12, "tolerance": Tolerance(0.5), "workers": workers}
    straight = stream(damaged, **options)
    expected = list(itertools.islice(straight, 24))
    assert len(straight.faults) == 6 and {len(batch) for batch in expected} == {12}
    for stop in (0, 1, 5, 13):
        first = stream(damaged, **options)
        for _ in range(stop):
            next(first)
        state = json.loads(json.dumps(first.state_dict()))
        second = stream(damaged, **options)
        second.load_state_dict(state)
        assert second.state_dict() == state
        for batch, wanted in zip(second, expected[stop:], strict=False):
            assert_equal(batch, wanted)
        assert sorted(map(str, second.faults)) == sorted(map(str, straight.faults))


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
