"""LeRobot data sets that others wrote: read, checked, completed."""

import json

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from recordings import ACTION, VECTORS

from trunkline.data.foreign import import_lerobot
from trunkline.data.reader import EpisodeDataset
from trunkline.data.video import write_video
from trunkline.data.writer import EpisodeWriter
from trunkline.errors import InputError


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


@pytest.mark.parametrize("change", [{"mean": ["x"]}, {"std": {}}, {"count": []}, {"mean": [np.nan] * 4}])
def test_statistics_that_are_no_numbers_are_computed_again(tmp_path, change):
    write_foreign(tmp_path, True)
    import_lerobot(tmp_path)
    path = tmp_path / "meta/stats.json"
    stored = json.loads(path.read_text())
    stored["observation.state"] |= change
    path.write_text(json.dumps(stored))
    assert EpisodeDataset(tmp_path).sensors["state"].mean is None
    assert "usable statistics of observation.state: computed" in str(import_lerobot(tmp_path))


def test_import_names_the_episode_whose_readings_are_not_finite(tmp_path):
    write_foreign(tmp_path, True)
    path = tmp_path / "data/chunk-000/file-000.parquet"
    table = pq.read_table(path)
    states = table["observation.state"].to_pylist()
    states[8][2] = float("nan")
    column = table.column_names.index("observation.state")
    pq.write_table(table.set_column(column, "observation.state", pa.array(states, pa.list_(pa.float32()))), path)
    with pytest.raises(InputError, match=r"observation\.state is not finite in frame 3 of episode 1"):
        import_lerobot(tmp_path)


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
