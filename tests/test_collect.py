"""Collections: exactly once, the same whoever collects, through kills, interrupts, failing sensors; Ray's manners."""

import contextlib
import fcntl
import hashlib
import json
import os
import random
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from trunkline.data.collection import open_datasets
from trunkline.envs.manifest import Manifest
from trunkline.envs.registry import sample_tasks
from trunkline.errors import InputError
from trunkline.rollout import ray_session as session
from trunkline.rollout.chunks import make_chunks, plan_task
from trunkline.rollout.collect import CollectConfig, collect
from trunkline.rollout.interrupts import uninterrupted
from trunkline.rollout.policies import PolicyConfig, make_policy
from trunkline.rollout.pool import Pool, PoolConfig
from trunkline.rollout.runner import Runner

TASKS = ("fake/reach", "pointmass/reach")


def manifest_of(count, seed=0, tasks=TASKS):
    return Manifest(tuple(spec for task in tasks for spec in sample_tasks(task, count, seed)))


def config_of(actors=0, num_envs=4, policy=None, **options):
    pool = {name: options.pop(name) for name in ("chunk", "timeout_s", "max_restarts") if name in options}
    policy = policy or PolicyConfig("expert", noise=0.2)
    return CollectConfig(policy, PoolConfig(actors=actors, num_envs=num_envs, **pool), quiet=True, **options)


def content(root):
    """Hashes of every file of a collection."""
    files = sorted(path for path in Path(root).rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def held(root):
    """Ids of the TaskSpecs of every episode on disk, sorted."""
    return sorted(name for dataset in open_datasets(root) for name in dataset.episodes["trunkline/task_id"].to_pylist())


def runners():
    """Process ids of this process's rollout actors."""
    import psutil  # Ray brings it along

    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.name().startswith("ray::Runner"):
                found.append(process.pid)
    return found


def test_a_plan_becomes_one_data_set_a_body(tmp_path):
    manifest = manifest_of(10)
    result = collect(manifest, tmp_path / "c", config_of(hidden=("goal",)))
    assert (result.episodes, result.planned, result.lost) == (20, 20, 0)
    assert held(tmp_path / "c") == sorted(spec.id for spec in manifest)
    whole = [dataset.episode(i) for dataset in open_datasets(tmp_path / "c") for i in range(len(dataset))]
    assert {episode.task.id for episode in whole} == {spec.id for spec in manifest}
    assert all(len(episode) <= episode.task.max_steps and episode.progress > 0.5 for episode in whole)
    bodies = {dataset.root.name: set(dataset.sensors) for dataset in open_datasets(tmp_path / "c")}
    assert bodies == {"line": {"position"}, "point": {"point_state"}}
    again = collect(manifest, tmp_path / "c", config_of(hidden=("goal",)))
    assert (again.episodes, again.steps) == (20, 0)


def test_sensors_are_chosen_by_task_or_family(tmp_path):
    sensors = {"fake": ("position",), "pointmass/reach": ("goal",)}
    collect(manifest_of(3), tmp_path / "c", config_of(), sensors=sensors)
    assert {d.root.name: set(d.sensors) for d in open_datasets(tmp_path / "c")} == {
        "line": {"position"},
        "point": {"goal"},
    }


def test_a_data_set_is_timed_by_its_world(tmp_path):
    manifest = Manifest(tuple(sample_tasks("gym:CartPole-v1", 1, 0)))
    collect(manifest, tmp_path / "c", config_of(policy=PolicyConfig("random")))
    assert [dataset.fps for dataset in open_datasets(tmp_path / "c")] == [50]


def test_failing_sensors_are_counted_and_not_tried_again_unless_asked(tmp_path):
    manifest = manifest_of(8, tasks=("fake/reach",))
    bad = [manifest.tasks[2], manifest.tasks[5]]
    policy = PolicyConfig("random")
    broken = config_of(options={"fake": {"nan_seeds": [spec.seed for spec in bad]}}, policy=policy)
    result = collect(manifest, tmp_path / "c", broken)
    assert (result.episodes, result.lost) == (6, 2)
    lost = json.loads((tmp_path / "c" / "lost.json").read_text())
    assert set(lost) == {spec.id for spec in bad} and "'position'" in lost[bad[0].id]["reason"]
    assert held(tmp_path / "c") == sorted(spec.id for spec in manifest if spec not in bad)
    again = collect(manifest, tmp_path / "c", broken)
    assert (again.lost, again.tasks["fake/reach"].lost) == (2, 0)
    retried = collect(manifest, tmp_path / "c", config_of(options=broken.options, policy=policy, retry_lost=True))
    assert (retried.lost, retried.tasks["fake/reach"].lost) == (2, 2)


def test_other_folders_and_plans_are_refused_and_left_alone(tmp_path):
    collect(manifest_of(3), tmp_path / "c", config_of())
    before = content(tmp_path / "c")
    with pytest.raises(InputError, match="another manifest"):
        collect(manifest_of(3, seed=1), tmp_path / "c", config_of())
    with pytest.raises(InputError, match="another policy"):
        collect(manifest_of(3), tmp_path / "c", config_of(policy=PolicyConfig("random")))
    with pytest.raises(InputError, match="did you mean 'goal'"):
        collect(manifest_of(3), tmp_path / "new", config_of(), sensors=("gaol",))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("dear")
    with pytest.raises(InputError, match="not empty"):
        collect(manifest_of(3), tmp_path / "mine", config_of())
    assert content(tmp_path / "c") == before and not (tmp_path / "new").exists()


def test_ctrl_c_waits_for_the_write_to_end():
    done = []
    with pytest.raises(KeyboardInterrupt), uninterrupted():
        os.kill(os.getpid(), signal.SIGINT)
        done.append(1)
    assert done == [1]


def test_so_does_a_request_to_end():
    def end(*_):
        raise SystemExit("told to end")

    done = []
    before = signal.signal(signal.SIGTERM, end)
    try:
        with pytest.raises(SystemExit, match="told to end"), uninterrupted():
            os.kill(os.getpid(), signal.SIGTERM)
            done.append(1)
        assert done == [1] and signal.getsignal(signal.SIGTERM) is end
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="module")
def ray_session():
    """As elsewhere, for somebody whose other clusters ask for no token."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "disabled")
        with session.ray_session(num_cpus=2, object_store_mb=128):
            yield
        assert os.environ["RAY_AUTH_MODE"] == "disabled"


def test_folders_of_killed_sessions_are_removed(tmp_path):
    for name in ("trunkline-dead", "trunkline-alive", "trunkline-starting", "mine"):
        (tmp_path / name).mkdir()
        (tmp_path / name / ("new" if name == "trunkline-starting" else "alive")).touch()
    with (tmp_path / "trunkline-alive" / "alive").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        session._remove_abandoned(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"trunkline-alive", "trunkline-starting", "mine"}


def test_worlds_that_keep_processes_are_open_one_at_a_time(monkeypatch):
    from trunkline.envs.families.fake import FakeWorld

    def opened(kept: int = 8) -> list[list[str]]:
        monkeypatch.setattr("trunkline.rollout.runner.WORLDS_KEPT", kept)
        runner = Runner(2, 1)
        runner.use(PolicyConfig("random"))
        seen = []
        for task in ("fake/reach", "pointmass/reach", "fake/image", "pointmass/reach"):
            manifest = manifest_of(2, tasks=(task,))
            (chunk,) = make_chunks(manifest, {task: plan_task(task, make_policy(PolicyConfig()))}, 2)
            assert len(list(runner.run(chunk))) == 2
            seen.append([world.qualified_task for world in runner._worlds.values()])
        runner.close()
        assert not runner._worlds
        return seen

    assert opened()[-1] == ["fake/reach", "fake/image", "pointmass/reach"]
    assert opened(2)[2:] == [["pointmass/reach", "fake/image"], ["fake/image", "pointmass/reach"]]
    monkeypatch.setattr(FakeWorld, "keeps_processes", True)
    assert opened()[:3] == [["fake/reach"], ["pointmass/reach"], ["pointmass/reach", "fake/image"]]


@pytest.mark.ray
def test_ray_listens_on_loopback_only_and_keeps_its_files_private(ray_session):
    import ray

    policy = make_policy(PolicyConfig())
    chunks = make_chunks(manifest_of(400), {task: plan_task(task, policy) for task in TASKS}, 20)
    with Pool(PoolConfig(actors=2, num_envs=1)) as pool:
        run = pool.run(PolicyConfig(), chunks)
        for _ in run:
            if len(runners()) == 2:
                break
        sockets = session.listening_sockets()
        assert sum("ray::Runner" in socket.process for socket in sockets) == 2
        assert [socket for socket in sockets if not session.is_loopback(socket.address)] == []
    folder = Path(ray._private.worker._global_node.get_temp_dir_path()).parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert os.environ["RAY_AUTH_MODE"] == "token"
    assert os.environ["RAY_AUTH_TOKEN_PATH"] == str(folder / "token")
    assert stat.S_IMODE((folder / "token").stat().st_mode) == 0o600


@pytest.mark.ray
def test_the_data_set_is_the_same_bits_whoever_collects(ray_session, tmp_path):
    manifest = manifest_of(24)
    for actors in (0, 1, 2):
        collect(manifest, tmp_path / str(actors), config_of(actors, chunk=8))
    assert content(tmp_path / "0") == content(tmp_path / "1") == content(tmp_path / "2")


@pytest.mark.ray
def test_killed_actors_are_replaced_and_every_taskspec_is_there_once(ray_session, tmp_path):
    manifest = manifest_of(600, tasks=("fake/reach",))
    policy = PolicyConfig("random")
    killed, stop = [], threading.Event()

    def murder():
        draw = random.Random(0)
        while not stop.wait(draw.uniform(0.2, 0.5)) and len(killed) < 2:
            for pid in draw.sample(found := runners(), min(1, len(found))):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)

    thread = threading.Thread(target=murder)
    thread.start()
    try:
        result = collect(manifest, tmp_path / "c", config_of(2, 1, policy, chunk=50, max_restarts=20))
    finally:
        stop.set()
        thread.join()
    assert len(killed) == 2
    assert (result.episodes, result.tasks["fake/reach"].finished, result.lost) == (600, 600, 0)
    assert held(tmp_path / "c") == sorted(spec.id for spec in manifest)
    collect(manifest, tmp_path / "calm", config_of(0, 8, policy, chunk=50))
    assert content(tmp_path / "c") == content(tmp_path / "calm")


@pytest.mark.ray
def test_a_hung_actor_is_replaced(ray_session, tmp_path):
    manifest = manifest_of(300, tasks=("fake/reach",))
    stopped = []

    def stop_one():
        deadline = time.monotonic() + 60
        while not stopped and time.monotonic() < deadline:
            if (tmp_path / "c" / "line" / "data").exists() and (found := runners()):
                os.kill(found[0], signal.SIGSTOP)
                stopped.append(found[0])
            time.sleep(0.01)

    thread = threading.Thread(target=stop_one)
    thread.start()
    result = collect(manifest, tmp_path / "c", config_of(2, 1, PolicyConfig("random"), chunk=20, timeout_s=3.0))
    thread.join()
    assert stopped and result.episodes == 300
    assert held(tmp_path / "c") == sorted(spec.id for spec in manifest)


@pytest.mark.ray
def test_an_actor_that_dies_late_is_replaced(ray_session, monkeypatch):
    late = 0.0
    monkeypatch.setattr("trunkline.rollout.pool.time", SimpleNamespace(monotonic=lambda: time.monotonic() + late))
    policy = PolicyConfig("random")
    chunks = make_chunks(
        manifest_of(400, tasks=("fake/reach",)), {"fake/reach": plan_task("fake/reach", make_policy(policy))}, 20
    )
    seen = 0
    with Pool(PoolConfig(actors=1, num_envs=1, timeout_s=1e6)) as pool:
        for _ in pool.run(policy, chunks):
            seen += 1
            if not late:
                late = 1000.0  # seconds, more than `start_timeout_s`
                os.kill(runners()[0], signal.SIGKILL)
    assert seen == 400


@pytest.mark.ray
def test_actors_that_keep_dying_end_the_run_with_a_reason(ray_session, tmp_path):
    stop = threading.Event()

    def murder():
        while not stop.wait(0.02):
            for pid in runners():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    thread = threading.Thread(target=murder)
    thread.start()
    try:
        with pytest.raises(RuntimeError, match="in a row died"):
            collect(manifest_of(400), tmp_path / "c", config_of(1, 1, max_restarts=1))
    finally:
        stop.set()
        thread.join()


@pytest.mark.ray
def test_a_mistake_that_shows_in_an_actor_is_the_callers_error(ray_session, tmp_path):
    manifest = Manifest(tuple(sample_tasks("gym:CartPole-v1", 2, 0)))
    with pytest.raises(InputError, match="no scripted expert"):
        collect(manifest, tmp_path / "c", config_of(1, policy=PolicyConfig("expert")))


def test_ctrl_c_leaves_a_collection_that_goes_on(tmp_path):
    manifest = manifest_of(500, tasks=("fake/reach",))
    manifest.save(tmp_path / "manifest.json")
    root = tmp_path / "c"
    arguments = [
        f"manifest={tmp_path / 'manifest.json'}",
        f"out={root}",
        "ray.num_cpus=1",
        "collect.policy.kind=random",
    ]
    # A job that a shell started in the background ignores Ctrl-C; this one must hear it wherever the tests run.
    script = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
    script += "from trunkline.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", script, "collect", *arguments, "collect.pool.actors=1"]
    with subprocess.Popen(
        [*command, "collect.pool.num_envs=2"], start_new_session=True, stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 90
        while process.poll() is None and time.monotonic() < deadline:
            if list(root.glob("line/meta/episodes/*/*.parquet")):
                os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to every process of the group
                break
            time.sleep(0.02)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    there = held(root)
    assert 0 < len(there) < 500 and len(set(there)) == len(there)
    result = collect(
        manifest, root, CollectConfig(PolicyConfig("random"), PoolConfig(actors=0, num_envs=32), quiet=True)
    )
    assert result.tasks["fake/reach"].finished == 500 - len(there)
    assert held(root) == sorted(spec.id for spec in manifest)


def test_policies_of_descriptions_are_checked_before_ray_starts(tmp_path):
    with pytest.raises(InputError):
        make_policy(PolicyConfig("checkpoint", path=str(tmp_path / "none")))
