"""Data sets on disk: round trips, the LeRobot layout, kills and full disks."""

import json
import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from recordings import ACTION, EVERYTHING, VECTORS, make_episode, write

from trunkline.data.collection import open_datasets
from trunkline.data.reader import EpisodeDataset
from trunkline.data.writer import EpisodeWriter, WriterConfig
from trunkline.envs.spec import ActionSpec
from trunkline.errors import InputError


def assert_same(there, episode, but=()):
    assert there.task == episode.task or there.task.to_json() == episode.task.to_json()
    assert (there.success, there.progress) == (episode.success, episode.progress)
    np.testing.assert_array_equal(there.actions, episode.actions)
    np.testing.assert_array_equal(there.rewards, episode.rewards)
    assert set(there.observations) == set(episode.observations)
    for name, values in episode.observations.items():
        assert there.observations[name].dtype == values.dtype
        if name not in but:
            np.testing.assert_array_equal(there.observations[name], values, err_msg=name)


# Round trips


@pytest.mark.parametrize("images", ["parquet", "mp4"])
def test_every_kind_of_sensor_comes_back(tmp_path, images):
    episodes = [make_episode(i, EVERYTHING) for i in range(6)]
    dataset = write(tmp_path / "set", episodes, EVERYTHING, WriterConfig(images, shard_episodes=4))
    assert len(dataset) == 6 and dataset.num_frames == sum(map(len, episodes))
    for i, episode in enumerate(episodes):
        assert_same(dataset.episode(i), episode, but=("rgb",) if images == "mp4" else ())
        difference = dataset.episode(i, ["rgb"]).observations["rgb"].astype(int) - episode.observations["rgb"]
        assert np.abs(difference).mean() < 4  # the next frame differs by 10
    for name, spec in EVERYTHING.items():
        assert spec.difference(dataset.sensors[name]) is None
    assert dataset.action_spec == ACTION


def test_discrete_actions_and_odd_types(tmp_path):
    body = ActionSpec("buttons", (2,), choices=(3, 5))
    episode = make_episode(0)
    chosen = np.arange(2 * len(episode)).reshape(-1, 2) % 3
    with EpisodeWriter(tmp_path, VECTORS, body, 10) as writer:
        writer.add(type(episode)(episode.task, episode.observations, chosen, episode.rewards, True, 1.0))
    dataset = EpisodeDataset(tmp_path)
    assert dataset.action_spec.choices == (3, 5)
    np.testing.assert_array_equal(dataset.episode(0).actions, chosen)


def test_appending_in_sessions_equals_one_session(tmp_path):
    episodes = [make_episode(i) for i in range(11)]
    whole = write(tmp_path / "whole", episodes, config=WriterConfig(shard_episodes=100))
    for part in (episodes[:3], episodes[3:4], episodes[4:]):
        parts = write(tmp_path / "parts", part)
    assert parts.task_ids == whole.task_ids == {e.task.id for e in episodes}
    for i, episode in enumerate(episodes):
        assert_same(parts.episode(i), episode)
    for name in VECTORS:
        np.testing.assert_allclose(parts.sensors[name].std, whole.sensors[name].std, rtol=1e-12)
    info = json.loads((tmp_path / "parts" / "meta" / "info.json").read_text())
    assert (info["total_episodes"], info["splits"]) == (11, {"train": "0:11"})


def test_statistics_are_those_of_all_frames(tmp_path):
    episodes = [make_episode(i, EVERYTHING) for i in range(9)]
    dataset = write(tmp_path, episodes, EVERYTHING)
    for name, spec in dataset.sensors.items():
        values = np.concatenate([e.observations[name] for e in episodes]).astype(np.float64)
        rows = values.reshape(-1, spec.shape[-1]) if len(spec.shape) >= 3 else values.reshape(len(values), -1)
        np.testing.assert_allclose(spec.mean, rows.mean(0), rtol=1e-9, err_msg=name)
        np.testing.assert_allclose(spec.std, rows.std(0), rtol=1e-9, err_msg=name)
    found = dataset.statistics["observation.camera"]
    frames = np.concatenate([e.observations["camera"] for e in episodes]).reshape(-1, 4)
    np.testing.assert_array_equal(found.minimum, frames.min(0))
    per_episode = [np.quantile(e.observations["camera"].reshape(-1, 4), 0.1, axis=0) for e in episodes]
    expected = np.average(per_episode, axis=0, weights=[len(e) for e in episodes])
    np.testing.assert_allclose(found.quantiles[1], expected)
    stored = json.loads((tmp_path / "meta" / "stats.json").read_text())
    assert np.shape(stored["observation.camera"]["mean"]) == (1, 1, 4)
    assert set(stored["action"]) == {"min", "max", "mean", "std", "count", "q01", "q10", "q50", "q90", "q99"}


def test_layout_is_lerobots(tmp_path):
    pandas = pytest.importorskip("pandas")
    episodes = [make_episode(i, EVERYTHING, task=f"fake/{'ab'[i % 2]}") for i in range(6)]
    dataset = write(tmp_path, episodes, EVERYTHING, WriterConfig("mp4"))
    info = json.loads((tmp_path / "meta" / "info.json").read_text())
    assert info["codebase_version"] == "v3.0" and info["fps"] == 20 and info["robot_type"] == "gripper"
    assert info["features"]["observation.state"] == {"dtype": "float32", "shape": [3], "names": None}
    assert info["features"]["observation.images.rgb"]["dtype"] == "video"
    table = pq.read_table(tmp_path / "data/chunk-000/file-000.parquet")
    assert set(table.column_names) == {k for k, f in info["features"].items() if f["dtype"] != "video"}
    frame = table["frame_index"].to_numpy()
    np.testing.assert_array_equal(table["timestamp"].to_numpy(), (frame / 20).astype(np.float32))
    np.testing.assert_array_equal(table["index"].to_numpy(), np.arange(dataset.num_frames))
    camera = table.schema.field("observation.camera")
    assert camera.metadata[b"ARROW:extension:name"] == b"datasets.features.features.Array3DExtensionType"
    assert json.loads(camera.metadata[b"ARROW:extension:metadata"]) == [[6, 8, 4], "uint8"]
    assert table["observation.state"].type == pa.list_(pa.float32(), 3)
    tasks = pandas.read_parquet(tmp_path / "meta" / "tasks.parquet")
    assert tasks.index.name == "task" and tasks.loc["fake/b"].task_index == 1
    rows = dataset.episodes.to_pylist()
    assert [row["tasks"] for row in rows] == [["fake/a"]] * 3 + [["fake/b"]] * 3  # one task lies together
    assert [row["dataset_to_index"] for row in rows] == np.cumsum([row["length"] for row in rows]).tolist()
    last = rows[-1]
    assert last["videos/observation.images.rgb/to_timestamp"] == pytest.approx(dataset.num_frames / 20)
    done = table["next.success"].to_numpy(zero_copy_only=False)
    assert done.sum() == sum(e.success for e in episodes)


# What stops a writer


def test_killed_writer_leaves_whole_episodes_and_another_goes_on(tmp_path):
    root = tmp_path / "set"
    script = textwrap.dedent(
        f"""
        import sys
        sys.path.insert(0, {os.path.dirname(__file__)!r})
        from recordings import *
        from trunkline.data.writer import EpisodeWriter, WriterConfig
        writer = EpisodeWriter({str(root)!r}, EVERYTHING, ACTION, 20, WriterConfig("mp4", shard_episodes=2))
        present = writer.task_ids()
        for i in range(100_000):
            episode = make_episode(i, EVERYTHING)
            if episode.task.id not in present:
                writer.add(episode)
                print(i, flush=True)
        """
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    counts = []
    for wanted in (7, 8):
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, env=environment, text=True)
        for _ in range(wanted):
            assert process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        dataset = EpisodeDataset(root)
        counts.append(len(dataset))
        for i in range(len(dataset)):
            assert_same(dataset.episode(i), make_episode(dataset.task_spec(i).seed, EVERYTHING), but=("rgb",))
    assert counts == sorted(counts) and counts[0] >= 4
    dataset = write(root, [make_episode(100_000, EVERYTHING)], EVERYTHING, WriterConfig("mp4"))
    seeds = [dataset.task_spec(i).seed for i in range(len(dataset))]
    assert len(seeds) == counts[-1] + 1 == len(set(seeds))
    on_disk = {path for folder in ("data", "videos") for path in (root / folder).rglob("*") if path.is_file()}
    assert on_disk == {file.path for file in dataset.index.files} | set(dataset.index.videos)


def test_stop_between_the_files_of_a_shard(tmp_path, monkeypatch):
    write(tmp_path, [make_episode(i) for i in range(4)])
    before = (tmp_path / "meta/stats.json").read_text(), (tmp_path / "meta/info.json").read_text()
    full = write(tmp_path, [make_episode(i) for i in range(4, 8)])
    # The episodes table is there, totals and statistics are not yet.
    (tmp_path / "meta/stats.json").write_text(before[0])
    (tmp_path / "meta/info.json").write_text(before[1])
    behind = EpisodeDataset(tmp_path)
    assert len(behind) == 8
    assert behind.sensors == full.sensors
    # A data file is there that no row names.
    (tmp_path / "meta/episodes/chunk-000/file-001.parquet").unlink()
    assert len(EpisodeDataset(tmp_path)) == 4
    again = write(tmp_path, [make_episode(i) for i in range(4, 8)])
    assert len(again) == 8 and again.sensors == full.sensors
    assert_same(again.episode(7), make_episode(7))


def test_full_disk_keeps_what_was_whole(tmp_path):
    script = textwrap.dedent(
        f"""
        import resource, sys
        sys.path.insert(0, {os.path.dirname(__file__)!r})
        from recordings import *
        from trunkline.data.writer import EpisodeWriter, WriterConfig
        from trunkline.errors import InputError
        with EpisodeWriter({str(tmp_path / "set")!r}, EVERYTHING, ACTION, 20, WriterConfig(shard_episodes=4)) as writer:
            for i in range(4):
                writer.add(make_episode(i, EVERYTHING))
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
            try:
                for i in range(4, 12):
                    writer.add(make_episode(i, EVERYTHING))
            except InputError as error:
                print(error)
        """
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, env=environment, text=True, check=True)
    assert f"cannot write to {tmp_path / 'set'}" in done.stdout and "4 whole episodes" in done.stdout
    assert done.stdout.count("\n") == 1 and not done.stderr
    dataset = write(tmp_path / "set", [make_episode(4, EVERYTHING)], EVERYTHING)
    for i in range(5):
        assert_same(dataset.episode(i), make_episode(i, EVERYTHING))
    assert not list((tmp_path / "set").rglob("*.tmp"))


def test_writer_that_failed_refuses_more(tmp_path, monkeypatch):
    writer = EpisodeWriter(tmp_path, VECTORS, ACTION, 20)
    writer.add(make_episode(0))

    def full(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(InputError, match=r"No space left on device.*make room and run again"):
            writer.flush()
    with pytest.raises(InputError, match="open another one"):
        writer.add(make_episode(1))
    writer.close()
    assert len(EpisodeDataset(tmp_path)) == 0
    assert len(write(tmp_path, [make_episode(0)])) == 1


# Collections and metrics


def test_collection_is_a_data_set_a_body(tmp_path):
    for first, body in enumerate(("arm", "point")):
        with EpisodeWriter(tmp_path / "all" / body, VECTORS, ActionSpec(body, (2,)), 20) as writer:
            for number in range(first, 6, 2):
                writer.add(make_episode(number))
    datasets = open_datasets(tmp_path / "all")
    assert [(d.action_spec.name, len(d)) for d in datasets] == [("arm", 3), ("point", 3)]
    assert [len(d) for d in open_datasets(tmp_path / "all" / "arm")] == [3]
    with pytest.raises(InputError, match="holds no data set"):
        open_datasets(tmp_path)


def test_importing_data_is_light():
    code = "import sys; from trunkline.data import stream, writer, metrics; print('torch' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment, text=True, check=True)
    assert done.stdout.strip() == "False"
