"""Streams of frames: every frame once an epoch, pairs within episodes, exact resume, shares of workers."""

import itertools
import json
from collections import Counter

import numpy as np
import pyarrow.parquet as pq
import pytest
from recordings import ACTION, VECTORS, make_episode

from trunkline.data.episode import Episode
from trunkline.data.reader import EpisodeDataset
from trunkline.data.stream import FrameStream
from trunkline.data.writer import EpisodeWriter, WriterConfig
from trunkline.envs.spec import SensorSpec
from trunkline.errors import InputError

SENSORS = VECTORS | {"camera": SensorSpec("camera", "depth", (4, 4, 4), "uint8")}
TASKS = ("fake/a", "fake/b", "fake/c")


def marked(number, task):
    """An episode whose readings say which frame of which episode they are."""
    episode = make_episode(number, SENSORS, task)
    frame = np.arange(len(episode), dtype=np.float32)
    episode.observations["proprio"][:, 0], episode.observations["proprio"][:, 1] = number, frame
    episode.actions[:, 0] = frame / 100
    return episode


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    root = tmp_path_factory.mktemp("stream") / "set"
    with EpisodeWriter(root, SENSORS, ACTION, 20, WriterConfig(shard_episodes=7)) as writer:
        for i in range(60):
            writer.add(marked(i, TASKS[i % 3]))
        writer.add(marked_short(60))
    return EpisodeDataset(root)


def marked_short(number):
    long = marked(number, TASKS[0])
    cut = {name: values[:1] for name, values in long.observations.items()}
    return Episode(long.task, cut, long.actions[:1], long.rewards[:1], long.success, long.progress)


def frames_of(batch):
    return [tuple(row) for row in batch.observations["proprio"][:, :2].astype(int).tolist()]


@pytest.fixture
def stream(dataset):
    """Makes streams and closes them."""
    made = []

    def make(**arguments):
        made.append(FrameStream(dataset, **{"batch_size": 16, "buffer_frames": 120, "seed": 5, **arguments}))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize("buffer_frames", [1, 120, 10_000])
@pytest.mark.parametrize("offset", [None, 1, 4])
def test_every_frame_once_an_epoch(stream, dataset, buffer_frames, offset):
    whole = {
        (int(dataset.task_spec(i).seed), t)
        for i in range(len(dataset))
        for t in range(dataset.index.lengths[i] - (offset or 0))
    }
    frames = stream(batch_size=1, buffer_frames=buffer_frames, next_offset=offset)
    assert frames.num_samples == len(whole)
    orders = []
    for _ in range(2):
        seen = [frames_of(next(frames))[0] for _ in range(len(whole))]
        assert len(set(seen)) == len(seen) and set(seen) == whole
        orders.append(seen)
    assert orders[0] != orders[1]


@pytest.mark.parametrize("offset", [1, 3])
def test_pairs_stay_within_an_episode(stream, offset):
    for batch in itertools.islice(stream(next_offset=offset), 60):
        here, there = batch.observations["proprio"], batch.next_observations["proprio"]
        np.testing.assert_array_equal(here[:, 0], there[:, 0])
        np.testing.assert_array_equal(here[:, 1] + offset, there[:, 1])
        np.testing.assert_allclose(batch.actions[:, 0], here[:, 1] / 100)
        assert len(batch) == 16 and batch.action == "gripper" and batch.task is None


def test_readings_are_those_that_were_written(stream):
    batch = next(stream(buffer_frames=50))
    for row, (number, frame) in enumerate(frames_of(batch)):
        episode = marked(number, TASKS[number % 3])
        for name in SENSORS:
            np.testing.assert_array_equal(batch.observations[name][row], episode.observations[name][frame])
            np.testing.assert_array_equal(batch.next_observations[name][row], episode.observations[name][frame + 1])


@pytest.mark.parametrize("buffer_frames", [120, 10_000])
def test_resume_is_exact(stream, buffer_frames):
    arguments = {"buffer_frames": buffer_frames, "batch_size": 24}
    straight = stream(**arguments)
    expected = list(itertools.islice(straight, 36))
    for stop in (0, 7, 29):
        first = stream(**arguments)
        for _ in range(stop):
            next(first)
        state = json.loads(json.dumps(first.state_dict()))
        second = stream(**arguments)
        second.load_state_dict(state)
        for batch, wanted in zip(second, expected[stop:], strict=False):
            np.testing.assert_array_equal(batch.actions, wanted.actions)
            for name in SENSORS:
                np.testing.assert_array_equal(batch.observations[name], wanted.observations[name])
                np.testing.assert_array_equal(batch.next_observations[name], wanted.next_observations[name])
        assert second.state_dict() != state


def test_resume_on_other_data_is_refused(stream):
    state = stream().state_dict()
    with pytest.raises(InputError, match=r"cannot resume the frames.*seed is 6, it was 5"):
        stream(seed=6).load_state_dict(state)
    with pytest.raises(InputError, match="samples is"):
        stream(tasks=["fake/a"]).load_state_dict(state)


def test_seeds_differ_and_repeat(stream):
    first, same, other = (frames_of(next(stream(seed=seed))) for seed in (1, 1, 2))
    assert first == same != other


@pytest.mark.parametrize("world_size", [2, 3, 7])
def test_workers_share_the_frames(stream, world_size):
    shares = [stream(batch_size=1, rank=rank, world_size=world_size) for rank in range(world_size)]
    seen = Counter(frames_of(next(share))[0] for share in shares for _ in range(share.num_samples))
    alone = stream(batch_size=1)
    assert set(seen.values()) == {1} and len(seen) == alone.num_samples
    sizes = [share.num_samples for share in shares]
    assert max(sizes) < 2 * min(sizes)


def test_tasks_and_sensors_are_chosen(stream):
    chosen = stream(tasks=["fake/b"], sensors=["proprio"])
    batch = next(chosen)
    assert batch.task == "fake/b" and list(batch.observations) == ["proprio"]
    assert {number % 3 for number, _ in frames_of(batch)} == {1}
    assert next(stream(tasks=["fake/a", "fake/b"])).task is None


def test_small_data_set_fills_large_batches(stream):
    frames = stream(batch_size=1000, tasks=["fake/c"])
    counts = Counter(frames_of(next(frames)))
    assert frames.num_samples < 500 and max(counts.values()) - min(counts.values()) <= 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tasks": ["fake/d"]}, "unknown task.*'fake/d'; did you mean 'fake/"),
        ({"sensors": ["camra"]}, "unknown sensor.*did you mean 'camera'"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"next_offset": 0}, "next_offset=0"),
        ({"next_offset": 100}, "nothing to serve"),
        ({"rank": 2, "world_size": 2}, "rank=2"),
        ({"rank": 70, "world_size": 80}, "nothing to serve.*fewer workers"),
    ],
)
def test_bad_arguments(stream, arguments, message):
    with pytest.raises(InputError, match=message):
        stream(**arguments)


def test_large_row_groups_of_others_are_read_in_parts(tmp_path):
    """Others put all episodes into one row group: runs are then cut to fit the buffer."""
    with EpisodeWriter(tmp_path, SENSORS, ACTION, 20) as writer:
        for i in range(7):
            writer.add(marked(i, TASKS[0]))
    (path,) = (tmp_path / "data").rglob("*.parquet")
    table = pq.read_table(path)
    pq.write_table(table, path, row_group_size=10_000)
    frames = FrameStream(EpisodeDataset(tmp_path), 1, buffer_frames=16)
    seen = {frames_of(next(frames))[0] for _ in range(frames.num_samples)}
    frames.close()
    assert len(seen) == frames.num_samples == table.num_rows - 7


def test_damage_met_by_the_decoding_thread_is_reported(tmp_path):
    with EpisodeWriter(tmp_path, SENSORS, ACTION, 20, WriterConfig(shard_episodes=4)) as writer:
        for i in range(16):
            writer.add(marked(i, TASKS[0]))
    dataset = EpisodeDataset(tmp_path)
    frames = FrameStream(dataset, 4, buffer_frames=30)
    path = dataset.index.files[2].path
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match=r"file-002.parquet is not a whole parquet file"):
        for _ in range(40):
            next(frames)
    frames.close()
