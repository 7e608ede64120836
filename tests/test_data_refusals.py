"""Data sets that are not this writer's, or damaged: refused in one line that names the thing."""

import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from recordings import ACTION, EVERYTHING, VECTORS, edit_info, make_episode, write

from trunkline.data.reader import EpisodeDataset
from trunkline.data.writer import EpisodeWriter, WriterConfig
from trunkline.envs.spec import ActionSpec, SensorSpec
from trunkline.errors import InputError

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


# Damage


def _own(*where, **values):
    def change(info):
        value = info["trunkline"]
        for key in where:
            value = value[key]
        value.update(values)

    return edit_info(change)


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
        (edit_info(lambda info: info.pop("fps")), "lacks the required key 'fps'"),
        (edit_info(lambda info: info.pop("features")), "lacks the required key 'features'"),
        (edit_info(lambda info: info.update(codebase_version="v2.1")), "version 'v2.1', only v3.0.*convert"),
        (edit_info(lambda info: info.update(fps="fast")), "fps is 'fast'"),
        (edit_info(lambda info: info["features"].pop("action")), "no feature 'action'"),
        (
            edit_info(lambda info: info["features"]["action"].pop("shape")),
            "feature 'action' has no `dtype` and `shape`",
        ),
        (edit_info(lambda info: info["features"]["action"].update(dtype="floaty")), "unknown dtype 'floaty'"),
        (edit_info(lambda info: info["features"]["action"].update(shape=[5])), "not of shape"),
        (edit_info(lambda info: info.update(data_path="{nothing}")), "cannot fill in the path"),
        (edit_info(lambda info: info.update(trunkline={})), r"info\.json: the description .* lacks 'sensors'"),
        (edit_info(lambda info: info.update(trunkline=None)), r"info\.json: the description .* is damaged"),
        (_own("sensors", "observation.goal", shape="x"), r"info\.json: the description .* is damaged"),
        (_own("sensors", "observation.goal", shape=[4]), r"'goal' has shape \[4\], its feature \[3\]"),
        (_own("sensors", "observation.goal", dtype="floaty"), r"info\.json: the description .* is damaged.*floaty"),
        (_own("action", shape=["two"]), r"info\.json: the description .* is damaged"),
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


def test_damaged_description_is_refused_by_the_writer_too(tmp_path):
    write(tmp_path, [make_episode(0)])
    edit_info(lambda info: info.update(trunkline={}))(tmp_path)
    with pytest.raises(InputError, match=r"info\.json: the description .* lacks 'sensors'"):
        EpisodeWriter(tmp_path, VECTORS, ACTION, 20)


def test_damaged_video_is_named(tmp_path):
    dataset = write(tmp_path, [make_episode(i, EVERYTHING) for i in range(4)], EVERYTHING, WriterConfig("mp4"))
    (video,) = dataset.index.videos
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    with pytest.raises(InputError, match=r"video .*file-000.mp4"):
        dataset.episode(3)
