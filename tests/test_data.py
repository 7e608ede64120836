"""Data sets on disk: round trips, the LeRobot layout, kills, full disks, strangers' data sets and bad input."""

import json
import os
import signal
import subprocess
import sys
import textwrap

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from recordings import ACTION, EVERYTHING, VECTORS, make_episode

from trunkline.data.collection import CollectionWriter, open_datasets
from trunkline.data.foreign import import_lerobot
from trunkline.data.metrics import MetricsLog, read_metrics
from trunkline.data.reader import EpisodeDataset
from trunkline.data.video import write_video
from trunkline.data.writer import EpisodeWriter, WriterConfig
from trunkline.envs.spec import ActionSpec, SensorSpec
from trunkline.errors import InputError

SMALL = WriterConfig(shard_episodes=4)


def write(root, episodes, sensors=VECTORS, config=SMALL):
    with EpisodeWriter(root, sensors, ACTION, 20, config) as writer:
        for episode in episodes:
            writer.add(episode)
    return EpisodeDataset(root)


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


# Refusals of the writer


def test_duplicates(tmp_path):
    write(tmp_path, [make_episode(0)])
    with EpisodeWriter(tmp_path, VECTORS, ACTION, 20) as writer:
        assert writer.task_ids() == {make_episode(0).task.id}
        with pytest.raises(InputError, match="already holds TaskSpec"):
            writer.add(make_episode(0))
        assert not writer.add(make_episode(0), duplicate="skip")
        assert writer.add(make_episode(1), duplicate="skip")
        assert len(writer) == 2


def test_one_writer_at_a_time(tmp_path):
    with EpisodeWriter(tmp_path, VECTORS, ACTION, 20), pytest.raises(InputError, match="another process"):
        EpisodeWriter(tmp_path, VECTORS, ACTION, 20)
    EpisodeWriter(tmp_path, VECTORS, ACTION, 20).close()


@pytest.mark.parametrize(
    ("sensors", "action", "fps", "config", "message"),
    [
        ({"proprio": VECTORS["proprio"]}, ACTION, 20, None, "stores observation.goal"),
        (VECTORS | {"goal": SensorSpec("goal", "goal", (2,))}, ACTION, 20, None, "another 'goal': shape"),
        (VECTORS, ActionSpec("gripper", (3,)), 20, None, "another body"),
        (VECTORS, ACTION, 30, None, "20 frames a second, not 30"),
        (VECTORS, ACTION, 0, None, "fps=0"),
        (VECTORS | {"state": SensorSpec("state", "proprio", (6,))}, ACTION, 20, None, "stores"),
    ],
)
def test_other_data_set_is_refused(tmp_path, sensors, action, fps, config, message):
    write(tmp_path, [make_episode(0)])
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match=message):
        EpisodeWriter(tmp_path, sensors, action, fps, config)
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_other_folder_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match=r"holds something else \(thesis.txt\); choose an empty folder"):
        EpisodeWriter(tmp_path, VECTORS, ACTION, 20)
    with pytest.raises(InputError, match="is a file"):
        EpisodeWriter(tmp_path / "thesis.txt", VECTORS, ACTION, 20)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e: e.observations.pop("goal"), "lacks sensor 'goal'"),
        (lambda e: e.observations.update(extra=e.actions), "has a sensor 'extra'"),
        (lambda e: e.observations.update(goal=e.observations["goal"][:, :2]), r"fake/reach: sensor 'goal' has shape"),
        (lambda e: e.observations["proprio"].__setitem__((2, 1), np.nan), "sensor 'proprio' is not finite at step 2"),
        (lambda e: e.observations.update(goal=e.observations["goal"].astype(complex)), "is complex128"),
        (lambda e: e.actions.__setitem__((1, 0), np.inf), "action is not finite at step 1"),
    ],
)
def test_bad_episode_is_refused_by_name(tmp_path, change, message):
    episode = make_episode(0)
    change(episode)
    with EpisodeWriter(tmp_path, VECTORS, ACTION, 20) as writer, pytest.raises(InputError, match=message):
        writer.add(episode)
    assert len(EpisodeDataset(tmp_path)) == 0


# Damaged and foreign data sets


def _info(change):
    def damage(root):
        path = root / "meta/info.json"
        info = json.loads(path.read_text())
        change(info)
        path.write_text(json.dumps(info))

    return damage


def _cut(name):
    def damage(root):
        path = root / name
        path.write_bytes(path.read_bytes()[:-20])

    return damage


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda root: (root / "meta/info.json").unlink(), "not a LeRobot data set: it has no meta/info.json"),
        (lambda root: (root / "meta/info.json").write_text("{"), "is not JSON"),
        (lambda root: (root / "meta/info.json").write_text("[]"), "holds no JSON object"),
        (_info(lambda info: info.pop("fps")), "lacks the required key 'fps'"),
        (_info(lambda info: info.pop("features")), "lacks the required key 'features'"),
        (_info(lambda info: info.update(codebase_version="v2.1")), "version 'v2.1', only v3.0.*convert"),
        (_info(lambda info: info.update(fps="fast")), "fps is 'fast'"),
        (_info(lambda info: info["features"].pop("action")), "no feature 'action'"),
        (_info(lambda info: info["features"]["action"].pop("shape")), "feature 'action' has no `dtype` and `shape`"),
        (_info(lambda info: info["features"]["action"].update(dtype="floaty")), "unknown dtype 'floaty'"),
        (_info(lambda info: info["features"]["action"].update(shape=[5])), "not of shape"),
        (_info(lambda info: info.update(data_path="{nothing}")), "cannot fill in the path"),
        (_cut("meta/episodes/chunk-000/file-000.parquet"), "file-000.parquet is not a whole parquet file"),
        (_cut("meta/tasks.parquet"), "tasks.parquet is not a whole parquet file"),
        (_cut("meta/stats.json"), "stats.json is not JSON"),
        (_cut("data/chunk-000/file-000.parquet"), "data/chunk-000/file-000.parquet is not a whole parquet file"),
        (lambda root: (root / "data/chunk-000/file-001.parquet").unlink(), "file-001.parquet is missing"),
        (
            lambda root: pq.write_table(pa.table({"x": [1, 2]}), root / "data/chunk-000/file-000.parquet"),
            "has no column|ends before",
        ),
        (
            lambda root: os.replace(root / "data/chunk-000/file-001.parquet", root / "data/chunk-000/file-000.parquet"),
            "missing",
        ),
        (
            lambda root: (root / "data/chunk-000/file-000.parquet").write_bytes(
                (root / "data/chunk-000/file-001.parquet").read_bytes()
            ),
            "does not hold episode",
        ),
    ],
)
def test_damage_is_named_in_one_line(tmp_path, damage, message):
    write(tmp_path, [make_episode(i) for i in range(8)])
    damage(tmp_path)
    with pytest.raises(InputError, match=message) as caught:
        EpisodeDataset(tmp_path).episode(0)
    assert "\n" not in str(caught.value)


def test_damaged_video_is_named(tmp_path):
    dataset = write(tmp_path, [make_episode(i, EVERYTHING) for i in range(4)], EVERYTHING, WriterConfig("mp4"))
    (video,) = dataset.index.videos
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    with pytest.raises(InputError, match=r"video .*file-000.mp4"):
        dataset.episode(3)


def write_foreign(root, required_only):
    """A data set as others write it: one file for all episodes, a video, a PNG column, and no word of trunkline."""
    rng = np.random.default_rng(3)
    lengths = [5, 7, 6]
    total, ends = sum(lengths), np.cumsum(lengths)
    frame = np.concatenate([np.arange(n) for n in lengths])
    video = np.repeat((np.arange(total, dtype=np.uint8) * 10)[:, None, None, None], 16, 1).repeat(16, 2).repeat(3, 3)
    encoder = av.CodecContext.create("png", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 4, 2, "rgb24", 1
    png = bytes(encoder.encode(av.VideoFrame.from_ndarray(np.full((2, 4, 3), 77, np.uint8), format="rgb24"))[0])
    columns = {
        "observation.state": pa.array(rng.normal(size=(total, 4)).astype(np.float32).tolist(), pa.list_(pa.float32())),
        "observation.images.wrist": pa.array([{"bytes": png, "path": None}] * total),
        "action": pa.array(rng.uniform(-2, 5, (total, 2)).astype(np.float32).tolist(), pa.list_(pa.float32())),
        "timestamp": pa.array((frame / 10).astype(np.float32)),
        "frame_index": pa.array(frame),
        "episode_index": pa.array(np.repeat(np.arange(3), lengths)),
        "index": pa.array(np.arange(total)),
        "task_index": pa.array(np.zeros(total, np.int64)),
    }
    features = {
        "observation.state": {"dtype": "float32", "shape": [4], "names": ["a", "b", "c", "d"]},
        "observation.images.top": {"dtype": "video", "shape": [3, 16, 16], "names": ["channels", "height", "width"]},
        "observation.images.wrist": {"dtype": "image", "shape": [2, 4, 3], "names": ["height", "width", "channels"]},
        "action": {"dtype": "float32", "shape": [2], "names": None},
        **{key: {"dtype": "int64", "shape": [1], "names": None} for key in ("frame_index", "episode_index", "index")},
        "task_index": {"dtype": "int64", "shape": [1], "names": None},
        "timestamp": {"dtype": "float32", "shape": [1], "names": None},
    }
    info = {"codebase_version": "v3.0", "fps": 10, "features": features}
    if not required_only:
        columns["next.success"] = pa.array((frame == 4).tolist())
        features["next.success"] = {"dtype": "bool", "shape": [1], "names": None}
        info |= {"robot_type": "so100", "total_episodes": 3, "data_path": None}
    for folder in ("meta/episodes/chunk-000", "data/chunk-000", "videos/observation.images.top/chunk-000"):
        (root / folder).mkdir(parents=True)
    (root / "meta/info.json").write_text(json.dumps(info))
    pq.write_table(pa.table(columns), root / "data/chunk-000/file-000.parquet", row_group_size=total)
    write_video(root / "videos/observation.images.top/chunk-000/file-000.mp4", [video], 10)
    where = {name: [0] * 3 for name in ("data/chunk_index", "data/file_index")}
    for name, values in (("chunk_index", [0] * 3), ("file_index", [0] * 3), ("from_timestamp", (ends - lengths) / 10)):
        where[f"videos/observation.images.top/{name}"] = values
    table = {"episode_index": [0, 1, 2], "tasks": [["fold"], ["fold"], ["pour tea"]], "length": lengths, **where}
    pq.write_table(pa.table(table), root / "meta/episodes/chunk-000/file-000.parquet")
    return columns, video, lengths


@pytest.mark.parametrize("required_only", [True, False])
def test_import_of_what_others_wrote(tmp_path, required_only):
    root = tmp_path / "theirs"
    columns, video, _ = write_foreign(root, required_only)
    report = import_lerobot(root)
    assert (report.episodes, report.frames, report.tasks) == (3, 18, ("lerobot/fold", "lerobot/pour tea"))
    text = str(report)
    for word in ("TaskSpecs", "next.reward", "tasks.parquet", "statistics of observation.state", "top rgb [16, 16, 3]"):
        assert word in text
    assert ("next.success" in text) == ("robot_type" in text) == required_only
    assert "statistics" not in str(import_lerobot(root))  # they are stored now
    dataset = EpisodeDataset(root)
    assert dataset.foreign and set(dataset.sensors) == {"state", "top", "wrist"}
    assert dataset.action_spec.name == ("theirs" if required_only else "so100")
    actions, states = (np.array(columns[key].to_pylist()) for key in ("action", "observation.state"))
    np.testing.assert_allclose(dataset.action_spec.high, actions.max(0))
    np.testing.assert_allclose(dataset.sensors["state"].mean, states.mean(0), rtol=1e-6)
    np.testing.assert_allclose(dataset.sensors["wrist"].mean, 77)
    episode = dataset.episode(1)
    assert episode.task.split == "foreign" and episode.success == (not required_only)
    np.testing.assert_array_equal(episode.actions, actions[5:12].astype(np.float32))
    assert np.abs(episode.observations["top"].astype(int) - video[5:12]).max() <= 3
    assert (episode.observations["wrist"] == 77).all()


def test_foreign_data_set_without_import(tmp_path):
    columns, _, _ = write_foreign(tmp_path, True)
    before = sorted(path.name for path in tmp_path.rglob("*"))
    dataset = EpisodeDataset(tmp_path)
    assert dataset.sensors["state"].mean is None
    np.testing.assert_allclose(dataset.action_spec.low, np.array(columns["action"].to_pylist()).min(0))
    assert sorted(path.name for path in tmp_path.rglob("*")) == before
    with pytest.raises(InputError, match="trunkline did not write"):
        EpisodeWriter(tmp_path, VECTORS, ACTION, 20)


def test_impossible_statistics_of_others_are_computed_again(tmp_path):
    write_foreign(tmp_path, True)
    import_lerobot(tmp_path)
    path = tmp_path / "meta/stats.json"
    stored = json.loads(path.read_text())
    right = stored["observation.images.top"]["std"]
    stored["observation.images.top"]["std"] = [[[1e-3]]] * 3
    path.write_text(json.dumps(stored))
    assert EpisodeDataset(tmp_path).sensors["top"].std is None
    assert "usable statistics of observation.images.top: computed" in str(import_lerobot(tmp_path))
    assert json.loads(path.read_text())["observation.images.top"]["std"] == right


# Collections and metrics


def test_collection_is_a_data_set_a_body(tmp_path):
    arm, point = ActionSpec("arm", (2,)), ActionSpec("point", (2,))
    with CollectionWriter(tmp_path / "all") as writer:
        for i in range(6):
            assert writer.add(make_episode(i), VECTORS, (arm, point)[i % 2], 20)
    with CollectionWriter(tmp_path / "all") as writer:
        assert writer.task_ids() == {make_episode(i).task.id for i in range(6)}
        assert not writer.add(make_episode(0), VECTORS, arm, 20, duplicate="skip")
    datasets = open_datasets(tmp_path / "all")
    assert [(d.action_spec.name, len(d)) for d in datasets] == [("arm", 3), ("point", 3)]
    assert [len(d) for d in open_datasets(tmp_path / "all" / "arm")] == [3]
    with pytest.raises(InputError, match="holds no data set"):
        open_datasets(tmp_path)
    with pytest.raises(InputError, match="is a data set itself"):
        CollectionWriter(tmp_path / "all" / "arm")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="holds something else"):
        CollectionWriter(tmp_path / "other")


def test_metrics_rewind_and_survive_a_cut_line(tmp_path):
    with MetricsLog(tmp_path) as log:
        for step in range(5):
            log.log(step, {"loss": step / 2, "odd": float("nan") if step == 1 else 1.0})
        log.rewind(2)
        log.log(3, {"loss": 9.0})
    assert [(row["step"], row["loss"]) for row in read_metrics(tmp_path)] == [(0, 0.0), (1, 0.5), (2, 1.0), (3, 9.0)]
    assert read_metrics(tmp_path)[1]["odd"] is None
    assert list((tmp_path / "tensorboard").iterdir())
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 4, "lo')
    assert len(read_metrics(tmp_path)) == 4
    with MetricsLog(tmp_path, tensorboard=False) as log:
        log.log(4, {"loss": 1.0})
    assert [row["step"] for row in read_metrics(tmp_path)] == [0, 1, 2, 3, 4]


def test_tensorboard_reads_the_curve_of_a_resumed_run(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with MetricsLog(tmp_path) as log:
        for step in range(4):
            log.log(step, {"loss": step})
    with MetricsLog(tmp_path) as log:
        log.rewind(1)
        log.log(2, {"loss": 7.0})
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(e.step, e.value) for e in events.Scalars("loss")] == [(0, 0.0), (1, 1.0), (2, 7.0)]


def test_importing_data_is_light():
    code = "import sys; from trunkline.data import stream, writer, metrics; print('torch' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment, text=True, check=True)
    assert done.stdout.strip() == "False"
