"""Evaluation: rows, resuming, refusals, videos, agents; the same on actors."""

from dataclasses import replace
from types import SimpleNamespace

import av
import numpy as np
import pyarrow.parquet as pq
import pytest

from trunkline.envs.manifest import Manifest
from trunkline.envs.registry import make_worlds, sample_tasks
from trunkline.envs.spec import SensorSpec
from trunkline.errors import InputError
from trunkline.rollout.chunks import make_chunks, plan_task
from trunkline.rollout.evaluate import EvaluateConfig, evaluate
from trunkline.rollout.film import Film
from trunkline.rollout.policies import AgentPolicy, ExpertPolicy, PolicyConfig, make_policy
from trunkline.rollout.pool import Pool, run_chunks
from trunkline.rollout.report.results import load_results
from trunkline.rollout.report.videos import find_videos
from trunkline.rollout.results import SCHEMA, read_results, success_rates

QUIET = EvaluateConfig(num_envs=4, quiet=True)


def manifest_of(count=6, seed=0, tasks=("fake/reach", "pointmass/reach")):
    return Manifest(tuple(spec for task in tasks for spec in sample_tasks(task, count, seed, "test/goal")))


def agent(tasks=("fake/reach",)):
    import torch

    from trunkline.agents.agent import Agent

    torch.set_num_threads(1)  # batches this small are slower on more
    worlds = [make_worlds(task, 1) for task in tasks]
    sensors = {name: spec for world in worlds for name, spec in world.sensors.items()}
    return Agent(sensors, {world.action_spec.name: world.action_spec for world in worlds})


def timeless(rows):
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def test_one_row_an_episode_in_the_manifests_order(tmp_path):
    manifest = manifest_of()
    rows = evaluate(PolicyConfig("expert"), manifest, QUIET, arm="expert", train_seed=3, out=tmp_path)
    assert [row["task_id"] for row in rows] == [spec.id for spec in manifest]
    first = rows[0]
    assert set(first) == set(SCHEMA.names)
    assert (first["arm"], first["train_seed"], first["axis"], first["split"]) == ("expert", 3, "goal", "test/goal")
    assert (
        first["manifest"] == manifest.sha256 and first["steps"] > 0 and first["seconds"] > 0 and first["lost"] is None
    )
    assert success_rates(rows) == {("fake/reach", "goal"): 1.0, ("pointmass/reach", "goal"): 1.0}
    assert read_results(tmp_path / "results.parquet") == rows
    assert load_results(tmp_path / "results.parquet").arms == ["expert"]  # the report reads what is written here


def test_arms_share_a_table_and_cells_that_are_there_are_not_run_again(tmp_path, monkeypatch):
    manifest = manifest_of()
    once = evaluate(PolicyConfig("expert"), manifest, QUIET, arm="expert", out=tmp_path)
    evaluate(PolicyConfig("random"), manifest, QUIET, arm="random", out=tmp_path)
    evaluate(PolicyConfig("random", seed=1), manifest, QUIET, arm="random", train_seed=1, out=tmp_path)
    assert len(read_results(tmp_path / "results.parquet")) == 3 * len(manifest)
    assert evaluate(PolicyConfig("expert"), manifest, QUIET, arm="expert", out=tmp_path) == once  # seconds included
    with pytest.raises(InputError, match="another arm name"):
        evaluate(PolicyConfig("expert"), manifest_of(seed=1), QUIET, arm="expert", out=tmp_path)
    assert len(read_results(tmp_path / "results.parquet")) == 3 * len(manifest)


def test_an_arm_and_seed_are_one_policy(tmp_path):
    from trunkline.agents.checkpoint import save_agent

    manifest = manifest_of(tasks=("fake/reach",))
    trained, out = agent(), tmp_path / "out"
    save_agent(trained, tmp_path / "agent")
    loaded = PolicyConfig("checkpoint", path=str(tmp_path / "agent"))
    rows = evaluate(loaded, manifest, QUIET, out=out)
    assert evaluate(trained, manifest, QUIET, out=out) == rows  # the same weights, wherever they are
    with pytest.raises(InputError, match=r"training seed 0, of policy .* choose another arm name"):
        evaluate(PolicyConfig("checkpoint", path=loaded.path, mask=("goal",)), manifest, QUIET, out=out)
    next(trained.parameters()).data += 1
    save_agent(trained, tmp_path / "agent")
    with pytest.raises(InputError, match="of policy"):
        evaluate(loaded, manifest, QUIET, out=out)
    evaluate(loaded, manifest, QUIET, train_seed=1, out=out)
    for one, other in ((PolicyConfig("random"), PolicyConfig("random", seed=1)), (PolicyConfig(noise=0.1),) * 2):
        evaluate(one, manifest, QUIET, arm=one.kind, out=out)
        if one != other:
            with pytest.raises(InputError, match="of policy"):
                evaluate(other, manifest, QUIET, arm=one.kind, out=out)


def test_tables_from_before_policies_were_noted_are_read_and_added_to(tmp_path):
    manifest, path = manifest_of(tasks=("fake/reach",)), tmp_path / "results.parquet"
    rows = evaluate(PolicyConfig("random"), manifest, QUIET, out=tmp_path)
    old = pq.read_table(path).drop_columns(["policy"])
    pq.write_table(old.slice(0, 4), path)
    assert [row["policy"] for row in read_results(path)] == [None] * 4
    again = evaluate(PolicyConfig("random"), manifest, QUIET, out=tmp_path)
    assert again[:4] == [row | {"policy": None} for row in rows[:4]]
    assert timeless(again[4:]) == timeless(rows[4:])


def test_evaluations_into_one_folder_at_the_same_time_keep_each_others_rows(tmp_path, monkeypatch):
    from trunkline.rollout import evaluate as module

    manifest, run = manifest_of(tasks=("fake/reach",)), module.run_chunks

    def slow(*arguments):
        for count, outcome in enumerate(run(*arguments)):
            if count == 3:  # another process does all of its work
                with monkeypatch.context() as context:
                    context.setattr(module, "run_chunks", run)
                    evaluate(PolicyConfig("expert"), manifest, QUIET, arm="expert", out=tmp_path)
            yield outcome

    monkeypatch.setattr(module, "run_chunks", slow)
    evaluate(PolicyConfig("random"), manifest, QUIET, arm="random", out=tmp_path)
    arms = [row["arm"] for row in read_results(tmp_path / "results.parquet")]
    assert sorted(arms) == ["expert"] * len(manifest) + ["random"] * len(manifest)


def test_a_place_that_cannot_be_written_is_found_before_anything_runs(tmp_path, monkeypatch):
    from trunkline.rollout import evaluate as module

    monkeypatch.setattr(module, "run_chunks", lambda *_: pytest.fail("an episode was run"))
    (tmp_path / "file").write_text("dear")
    for place in (tmp_path / "file", tmp_path / "file" / "inside"):
        with pytest.raises(InputError, match=r"cannot write to .*; choose another folder"):
            evaluate(PolicyConfig(), manifest_of(), QUIET, out=place)


def test_what_is_missing_after_an_interrupt_is_run(tmp_path, monkeypatch):
    from trunkline.rollout import evaluate as module

    manifest = manifest_of()
    whole = evaluate(PolicyConfig("random"), manifest, QUIET, arm="random")
    run = module.run_chunks

    def interrupted(*arguments):
        for count, outcome in enumerate(run(*arguments)):
            if count == 5:
                raise KeyboardInterrupt
            yield outcome

    monkeypatch.setattr(module, "run_chunks", interrupted)
    with pytest.raises(KeyboardInterrupt):
        evaluate(PolicyConfig("random"), manifest, QUIET, arm="random", out=tmp_path)
    assert len(read_results(tmp_path / "results.parquet")) == 5
    monkeypatch.setattr(module, "run_chunks", run)
    rows = evaluate(PolicyConfig("random"), manifest, QUIET, arm="random", out=tmp_path)
    assert timeless(rows) == timeless(whole)


@pytest.mark.ray
def test_actors_of_an_open_pool_serve_one_policy_after_the_other(ray_session, tmp_path):
    manifest = manifest_of()
    config = replace(QUIET, actors=2, num_envs=3)
    policies = [PolicyConfig("random", seed=seed) for seed in (1, 2)] + [PolicyConfig("expert")]
    alone = [evaluate(policy, manifest, QUIET) for policy in policies]
    with Pool(config.sized_pool) as workers:
        processes = []
        for policy, rows in zip(policies, alone, strict=True):
            assert timeless(evaluate(policy, manifest, config, workers=workers)) == timeless(rows)
            processes.append({actor.place for actor in workers._actors if actor.ready})
        assert processes[0] and processes[0] <= processes[1] <= processes[2]  # a second one may come up later
        plans = {task: plan_task(task, make_policy(policies[0]), record=False) for task in manifest.by_task()}
        run = run_chunks(policies[0], config.sized_pool, make_chunks(manifest, plans, 6), workers)
        next(run)
        run.close()  # what it left undone is not mixed into the next run
        assert timeless(evaluate(policies[1], manifest, config, workers=workers)) == timeless(alone[1])
        assert processes[2].isdisjoint({actor.place for actor in workers._actors if actor.ready})


def test_rows_of_worlds_with_other_options_are_not_taken_for_these(tmp_path):
    manifest = manifest_of(tasks=("fake/reach",))
    evaluate(PolicyConfig(), manifest, QUIET, out=tmp_path)
    other = {"fake": {"nan_seeds": [1]}}
    with pytest.raises(InputError, match="of policy or world options"):
        evaluate(PolicyConfig(), manifest, QUIET, out=tmp_path, options=other)
    with pytest.raises(InputError, match="did you mean 'pointmass'"):
        evaluate(PolicyConfig(), manifest, QUIET, options={"pointmas": {}})


@pytest.mark.ray
def test_a_pool_of_another_size_or_closed_is_refused(ray_session):
    config = replace(QUIET, actors=1, num_envs=2)
    with Pool(replace(config.sized_pool, num_envs=3)) as workers:
        for changes in ({}, {"actors": 0}):
            with pytest.raises(InputError, match="workers are a pool of"):
                evaluate(PolicyConfig(), manifest_of(), replace(config, **changes), workers=workers)
    with Pool(config.sized_pool) as workers:
        pass
    with pytest.raises(InputError, match="closed"):
        evaluate(PolicyConfig(), manifest_of(), config, workers=workers)
    with pytest.raises(InputError, match="did you mean 'workers'"):
        evaluate(PolicyConfig(), manifest_of(), config, workrs=workers)


def test_lost_episodes_are_rows_with_a_reason():
    manifest = manifest_of(tasks=("fake/reach",))
    options = {"fake": {"nan_seeds": [manifest.tasks[1].seed]}}
    rows = evaluate(agent(), manifest, QUIET, options=options)
    assert [row["lost"] is not None for row in rows] == [False, True, *[False] * 4]
    assert "'position'" in rows[1]["lost"] and rows[1]["steps"] == 4


def test_an_agent_is_evaluated_as_it_is(tmp_path):
    from trunkline.agents.checkpoint import save_agent

    trained = agent(("fake/reach", "pointmass/reach"))
    manifest = manifest_of()
    rows = evaluate(trained, manifest, QUIET)
    assert len(rows) == len(manifest)
    save_agent(trained, tmp_path / "agent")
    loaded = PolicyConfig("checkpoint", path=str(tmp_path / "agent"))
    assert timeless(evaluate(loaded, manifest, QUIET)) == timeless(rows)
    masked = PolicyConfig("checkpoint", path=str(tmp_path / "agent"), mask=("goal",))
    assert [row["return"] for row in evaluate(masked, manifest, QUIET)] != [row["return"] for row in rows]
    with pytest.raises(InputError, match="save it"):
        evaluate(trained, manifest, QUIET, actors=2)


def test_videos_play_and_the_report_finds_them(tmp_path):
    manifest = manifest_of()
    evaluate(PolicyConfig("expert"), manifest, QUIET, arm="expert", out=tmp_path, videos=1, video_size=32)
    rows = evaluate(
        PolicyConfig("random"),
        manifest_of(tasks=("fake/reach",)),
        QUIET,
        arm="random",
        out=tmp_path,
        videos=2,
        video_size=33,
    )
    videos = find_videos(tmp_path / "videos")
    assert {(video.arm, video.task, video.axis, video.success) for video in videos} >= {
        ("expert", "fake/reach", "goal", True),
        ("random", "fake/reach", "goal", False),
    }
    named = [row["video"] for row in rows if row["video"]]
    assert 2 <= len(named) <= 4
    row = next(row for row in rows if row["video"])
    with av.open(str(tmp_path / row["video"])) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.width, stream.height) == ("h264", 32, 32)
        assert sum(1 for _ in container.decode(stream)) == row["steps"]


def test_an_agent_at_another_pace_is_said(capsys):
    fast, slow = (SensorSpec("rgb", "rgb", (8, 8, 3), "uint8", frame_rate=rate) for rate in (20.0, 5.0))
    policy = AgentPolicy(SimpleNamespace(sensors={"rgb": slow}, actions={}))
    assert policy.remarks({"rgb": slow}) == () == policy.remarks({})
    assert policy.remarks({"rgb": replace(fast, frame_rate=None)}) == ()
    (remark,) = policy.remarks({"rgb": fast})
    assert remark.startswith("rgb comes 20 times a second, the agent learned from 5; give the options")

    class Slow(ExpertPolicy):
        def remarks(self, available):
            return ("take your time",)

    evaluate(Slow(), manifest_of(), replace(QUIET, quiet=False))
    assert capsys.readouterr().err.count("take your time") == 1


def test_videos_of_an_earlier_attempt_count(tmp_path):
    film = Film(tmp_path, "a", 0, manifest_of(), each=1, size=16)
    spec = manifest_of().tasks[0]
    film.count([{"task": spec.task, "axis": spec.axis, "success": True, "video": None}])
    assert film.full(spec.task, spec.axis, True) is False
    film.count([{"task": spec.task, "axis": spec.axis, "success": True, "video": "videos/x.mp4"}])
    assert film.full(spec.task, spec.axis, True) and not film.full(spec.task, spec.axis, False)


def test_mistakes_are_named(tmp_path):
    with pytest.raises(InputError, match="cannot evaluate a function; give a checkpoint's folder"):
        evaluate(lambda observations: 0, manifest_of(), QUIET)

    class Held(ExpertPolicy):
        def __init__(self, gain, shape=None):
            self.gain, self.shape = gain, shape

        def act(self, world, observations, steps):
            return super().act(world, observations, steps) if self.shape is None else np.zeros(self.shape)

    with pytest.raises(InputError, match=r"Held holds gain, shape and has no about\(\)"):
        evaluate(Held(1), manifest_of(), QUIET, out=tmp_path)
    assert len(evaluate(Held(1), list(manifest_of()), QUIET)) == 12  # a sequence of TaskSpecs is a manifest
    with pytest.raises(InputError, match=r"Held gave actions of shape \(3,\), fake/reach takes \(4, "):
        evaluate(Held(1, shape=3), manifest_of(), QUIET)
    for wrong in ({"arm": ".."}, {"arm": 3}, {"arm": "a/b"}, {"train_seed": "a"}):
        with pytest.raises(InputError, match=next(iter(wrong))):
            evaluate(PolicyConfig(), manifest_of(), QUIET, **wrong)
    manifest = manifest_of()
    with pytest.raises(InputError, match="did you mean 'num_envs'"):
        evaluate(PolicyConfig(), manifest, num_env=3)
    with pytest.raises(InputError, match="without a folder"):
        evaluate(PolicyConfig(), manifest, QUIET, videos=1)
    with pytest.raises(InputError, match="unknown body"):
        evaluate(agent(), Manifest(tuple(sample_tasks("pointmass/reach", 2, 0))), QUIET)
    (tmp_path / "results.parquet").write_text("arm,task")
    with pytest.raises(InputError, match="truncated or no parquet"):
        evaluate(PolicyConfig(), manifest, QUIET, out=tmp_path)
    assert (tmp_path / "results.parquet").read_text() == "arm,task"


@pytest.mark.ray
def test_actors_give_the_same_rows(ray_session, tmp_path):
    manifest = manifest_of(20)
    here = evaluate(PolicyConfig("random"), manifest, QUIET)
    actors = evaluate(PolicyConfig("random"), manifest, QUIET, actors=2, out=tmp_path, videos=1, video_size=32)
    assert timeless({**row, "video": None} for row in actors) == timeless(here)
    assert find_videos(tmp_path / "videos")
