"""The whole job at debug size: every stage, resumed by stage, reported."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from trunkline.commands.run import main
from trunkline.configuration import compose
from trunkline.envs.spec import canonical_json
from trunkline.errors import InputError
from trunkline.pretrain.config import PretrainConfig
from trunkline.rollout.experiment import run
from trunkline.rollout.experiment.config import ExperimentConfig
from trunkline.rollout.experiment.plan import plan_manifests, write_manifests
from trunkline.rollout.experiment.training import finetuning_job, training_job
from trunkline.rollout.finetune import FinetuneConfig
from trunkline.rollout.jobs import Job
from trunkline.schema import build


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_job_survives_a_kill_and_ends_in_a_report(tmp_path, capsys, monkeypatch):
    folder = tmp_path / "run"
    # A job that a shell started in the background ignores Ctrl-C; this one must hear it wherever the tests run.
    script = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
    script += "from trunkline.cli import main; sys.exit(main(sys.argv[1:]))"
    job = ["experiment=debug", f"folder={folder}", "evaluation.options.video_size=48"]
    fewer = "arms=[random,expert,imitation_scratch,imitation]"  # a run may gain arms later
    command = [sys.executable, "-c", script, "run", *job, fewer]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True) as process:
        deadline = time.monotonic() + 120
        while not (folder / "checkpoints/pretrain/seed0/metrics.jsonl").exists():
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == 130
    done = json.loads((folder / "stages.json").read_text())
    unfinished = done | {"collect/pretrain": done["collect/pretrain"] | {"done": False, "frames": 0}}
    (folder / "stages.json").write_text(json.dumps(unfinished))  # as if stopped before that stage was noted
    elsewhere = ["finetune.num_env_runners=1", "collect.pool.actors=0"]  # where a run is computed may change
    main([*job, *elsewhere])
    said = capsys.readouterr().out
    assert "collect/demonstrations: done before" in said
    rows = pq.read_table(folder / "results.parquet").to_pylist()
    config = build(ExperimentConfig, compose("run", ["experiment=debug"]))
    planned = {spec.id for spec in plan_manifests(config)["test"]}
    for arm in config.arms:
        assert {row["task_id"] for row in rows if row["arm"] == arm} == planned
    assert {row["axis"] for row in rows} == {"seen", "goal", "task"}
    page = (folder / "report.html").read_text()
    assert "<video" in page and "http://" not in page.replace("http://www.w3.org", "")
    stages = json.loads((folder / "stages.json").read_text())
    assert all(stage["done"] for stage in stages.values()) and stages["rl_scratch/seed0"]["frames"] == 1024
    assert stages["collect/pretrain"]["frames"] == done["collect/pretrain"]["frames"] > 0  # of all attempts
    table = pq.read_table(folder / "results.parquet")
    pq.write_table(table.filter(pc.field("arm") != "random"), folder / "results.parquet")
    main(job)  # what is no longer there is evaluated again
    again = pq.read_table(folder / "results.parquet").to_pylist()
    assert len(again) == len(rows) and {row["task_id"] for row in again if row["arm"] == "random"} == planned
    before = (folder / "results.parquet").read_bytes()
    monkeypatch.setattr(run, "ray_session", lambda **_: pytest.fail("Ray was started"))
    main(job)  # nothing is left to do
    assert (folder / "results.parquet").read_bytes() == before
    with pytest.raises(InputError, match=r"another run: agent\.width is 32, the run there has"):
        main([*job, "agent.width=32"])


@pytest.mark.parametrize("experiment", ["debug", "quickstart", "standard"])
def test_test_contexts_are_never_trained_on(experiment):
    config = build(ExperimentConfig, compose("run", [f"experiment={experiment}"]))
    manifests = plan_manifests(config)
    trained = {canonical_json([t.task, t.params]) for name in ("pretrain", "demonstrations") for t in manifests[name]}
    unseen = [t for t in manifests["test"] if t.axis != "seen"]
    assert unseen and not [t for t in unseen if canonical_json([t.task, t.params]) in trained]
    assert not {t.task for t in manifests["pretrain"]} & set(config.held_out)
    assert {t.task for t in unseen if t.axis == "task"} == set(config.held_out)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["held_out=[pointmass/reach]"], "is in tasks and in held_out"),
        (["arms=[pretraned_rl]"], "did you mean 'pretrained_rl'"),
        (["evaluation.axes=[gaol]"], "did you mean 'goal'"),
        (["seeds=[0,1,1]"], "seeds names 1 more than once"),
        (["num_cpus=0"], "num_cpus=0; at least 1"),
        (["pretrain.objective=inverse_dynamic"], "did you mean 'inverse_dynamics'"),
        (["agent.trunk=transfomer"], "did you mean 'transformer'"),
        (["agent.encoders={goal: {name: mlpp}}"], "did you mean 'mlp'"),
        (["pretrain.seed=3"], "pretrain.seed is set by the run"),
        (["arms=[random,pretrained_rl_wrong_goal]"], "'wrong_goal'"),
        (["hidden=[gaol]"], "did you mean 'goal'"),
        (["pretrain.stpes=3"], "did you mean 'pretrain.steps'"),
        (["finetune.ppo.lrr=3"], "did you mean 'finetune.ppo.lr'"),
        (["collect.pool.actrs=3"], "did you mean 'collect.pool.actors'"),
        (["finetune.critic_sensors=[gaol]"], "critic_sensors 'gaol'; did you mean 'goal'"),
        (["options={tabletp: {}}"], "did you mean 'tabletop'"),
        (["sensors={tabletp: [goal]}"], "did you mean 'tabletop'"),
        (["evaluation.options.options={tabletp: {}}"], "did you mean 'tabletop'"),
    ],
)
def test_a_bad_experiment_is_refused_before_anything_is_written(overrides, message, tmp_path):
    folder = tmp_path / "run"
    with pytest.raises(InputError, match=message):
        main(["experiment=debug", f"folder={folder}", *overrides])
    assert not Path(folder).exists()


def test_manifests_of_a_run_are_kept_or_the_remedy_is_named(tmp_path):
    config = build(ExperimentConfig, compose("run", ["experiment=debug"]))
    manifests = plan_manifests(config)
    write_manifests(manifests, tmp_path)
    write_manifests(manifests, tmp_path)
    with pytest.raises(InputError, match=r"pretrain\.json is of another plan"):
        write_manifests({**manifests, "pretrain": manifests["test"]}, tmp_path)
    (tmp_path / "test.json").write_text("{")
    with pytest.raises(InputError, match=r"test\.json is damaged; delete it and give the command again"):
        write_manifests(manifests, tmp_path)


def test_a_folder_that_is_no_run_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(InputError, match="is not empty and not a run"):
        main(["experiment=debug", f"folder={tmp_path}"])
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_what_trainings_ask_for():
    def asked(job: Job) -> tuple[float | None, float | None, float, float]:
        return job.cpus, job.gpus, job.actor_cpus, job.actor_gpus

    def finetuning(**options: object) -> tuple[float | None, float | None, float, float]:
        return asked(finetuning_job(FinetuneConfig(("fake/reach",), **options), Path()))

    assert finetuning() == (0, 0, 2, 0)  # it learns while its two runners wait
    assert finetuning(num_env_runners=0) == (1, 0, 0, 0)
    assert finetuning(num_env_runners=0, num_threads=3) == (3, 0, 0, 0)
    assert finetuning(learner_threads=4) == (2, 0, 2, 0)
    assert finetuning(learner_threads=0) == (None, 0, 2, 0)
    assert finetuning(num_gpus_per_learner=1) == (0, 1, 2, 0)
    assert finetuning(num_learners=2, num_gpus_per_learner=1) == (0, 0, 4, 2)
    assert asked(training_job(PretrainConfig("data"), Path())) == (None, None, 0, 0)
    assert asked(training_job(PretrainConfig("data", threads=4, device="cpu"), Path())) == (4, 0, 0, 0)
    assert training_job(PretrainConfig("data", workers=2), Path()).alone
