"""The process bridge, with real processes: what is sent, what goes wrong, and what is left behind (nothing)."""

import functools
import gc
import io
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import gymnasium
import msgpack
import numpy as np
import pytest
import torch
from remote_envs import DTYPES, Walk

from trunkline.envs.manifest import Manifest
from trunkline.envs.registry import make_worlds, sample_tasks
from trunkline.envs.remote.batch import SERVER, RemoteBatch, RemoteOptions
from trunkline.envs.remote.process import RemoteCallError, RemoteError, RemoteProcess, close_all
from trunkline.errors import InputError
from trunkline.rollout.episodes import Finished, Lost, run_episodes
from trunkline.rollout.evaluate import evaluate
from trunkline.rollout.policies import PolicyConfig, RandomPolicy
from trunkline.rollout.progress import Progress
from trunkline.rollout.rl.env_runner import RunnerConfig, _Lane
from trunkline.rollout.rl.fragment import Group

HERE = Path(__file__).parent
FAKE = [sys.executable, str(HERE / "remote_servers.py")]
SERVE = [sys.executable, str(SERVER)]
WALK = "remote:remote_envs:Walk"


@pytest.fixture(autouse=True)
def nothing_left_behind(monkeypatch, tmp_path_factory):
    """Every test ends with the children, file descriptors and folders that it began with."""
    tmp_path_factory.getbasetemp()  # made where it belongs, before the folder for temporary files is another
    with tempfile.TemporaryDirectory(prefix="tl", dir="/tmp") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        before = children(), descriptors()
        yield
        assert (children(), descriptors()) == before
        assert not os.listdir(folder)


def children():
    """Ids of this process's children, zombies included, in any thread."""
    found = set()
    for task in Path("/proc/self/task").iterdir():
        found.update(map(int, (task / "children").read_text().split()))
    return found


def descriptors():
    """How many sockets, pipes and anonymous memories are open."""
    links = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
    return sum(os.readlink(link).startswith(("socket:", "pipe:", "/memfd:")) for link in links if os.path.islink(link))


def gone(pid, seconds=5.0):
    """Whether a process that is not our child has ended (or is a zombie of whoever adopted it)."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


def walk(num_envs=4, processes=2, **options):
    return make_worlds(WALK, num_envs, processes=processes, paths=[str(HERE)], **options)


def specs(count, seed=0, steps=20):
    return [replace(spec, max_steps=steps) for spec in sample_tasks(WALK, count, seed)]


def run(world, tasks):
    try:
        return {outcome.index: outcome for outcome in run_episodes(world, RandomPolicy(), tasks)}
    finally:
        world.close()


@functools.cache
def undisturbed():
    """What becomes of the first twelve TaskSpecs where nothing goes wrong."""
    return run(walk(), specs(12))


def equal(a, b):
    assert np.array_equal(a.episode.actions, b.episode.actions)
    assert np.array_equal(a.episode.rewards, b.episode.rewards)
    assert np.array_equal(a.episode.observations["observation"], b.episode.observations["observation"])
    assert (a.episode.success, a.episode.progress) == (b.episode.success, b.episode.progress)


# What is sent


def awkward_arrays():
    for dtype in DTYPES:
        ramp = np.arange(6).reshape(2, 3).astype(dtype)
        yield from (ramp, ramp.T, ramp[:, ::2], np.array(1, dtype), np.zeros((0, 3), dtype), ramp[:0])
    yield np.arange(3, dtype=">f4")


def check_round_trips(call):
    for value in (None, True, -5, 2**40, 1.5, "ä", b"\x00", [1, [2, "x"]], {"a": {"b": [None]}}):
        assert call(value) == value and type(call(value)) is type(value)
    for array in awkward_arrays():
        back = call(array)
        assert (back.shape, back.dtype) == (array.shape, array.dtype.newbyteorder("<"))
        assert np.array_equal(back, array)
    nested = call({"list": [np.float32([1, 2]), 3]})["list"]
    assert nested[0].tolist() == [1, 2] and nested[1] == 3
    big = np.random.default_rng(0).integers(0, 256, 20 << 20, np.uint8)  # many times what a socket holds
    assert np.array_equal(call(big), big)


def test_values_and_arrays_return_as_they_were():
    with RemoteProcess(SERVE) as server:
        assert server.server[0] == "gymnasium" and server.alive
        check_round_trips(lambda value: server.call("ping", value=value))
        assert server.call("ping", value=np.float64(1.5)) == 1.5 and server.call("ping", value=np.bool_(True)) is True
    assert not server.alive
    with pytest.raises(RemoteError, match="ping: the process has been ended"):
        server.call("ping")


def test_calls_are_answered_in_their_order():
    with RemoteProcess(SERVE) as server:
        for i in range(50):
            server.send("ping", value=i)
        assert server.pending == 50
        assert [server.receive() for _ in range(50)] == list(range(50))


def test_what_cannot_be_sent_is_refused_and_the_server_lives_on():
    with RemoteProcess(SERVE, max_frame=1000) as server:
        for value, why in (
            (np.zeros(1000), "over the limit of 1000"),
            (np.array(["a"]), "dtype <U1"),
            (object(), "a object has no form"),
            (2**70, "cannot be sent"),
        ):
            with pytest.raises(InputError, match=f"gymnasium: arguments of ping: .*{why}"):
                server.call("ping", value=value)
        with pytest.raises(InputError, match="no method 'pong'; known: make, ping"):
            server.call("pong")
        with pytest.raises(RemoteCallError, match="unexpected keyword") as caught:
            server.call("ping", valeu=1)
        assert caught.value.kind == "TypeError"
        assert server.call("ping", value=1) == 1


def test_every_kind_of_space_is_described_and_read():
    for shared in (True, False):
        options = RemoteOptions(processes=2, paths=(str(HERE),), shared=shared)
        batch = RemoteBatch("remote_envs:Everything", 3, options=options)
        try:
            assert list(batch.left_out) == ["name"] and batch.action_space == gymnasium.spaces.Discrete(3)
            assert batch.observation_spaces["boxes/float16"].dtype == np.float16
            assert batch.observation_spaces["choices"].nvec.tolist() == [3, 4]
            batch.reset([0, 1, 2], [1, 2, 3])
            batch.step(np.array([0, 1, 2]))
            batch.step(np.array([2, 0, 0]), np.array([0, 2]))
            assert batch.arrays["observation/colour"].tolist() == [2, 1, 0]
            assert batch.arrays["observation/switches"].tolist() == [[0, 1, 0, 1]] * 3
            for dtype in DTYPES:
                array = batch.arrays[f"observation/boxes/{dtype}"]
                assert array.shape == (3, 2, 3) and array.dtype == dtype
                for row, steps in enumerate((2, 1, 2)):
                    ramp = np.arange(6).reshape(2, 3) + steps
                    assert np.array_equal(array[row], ramp % 2 if dtype == "bool" else ramp)
        finally:
            batch.close()
    with pytest.raises(InputError, match=r"observes .*'name'.*hold no numbers"):
        make_worlds("remote:remote_envs:Everything", 1, paths=[str(HERE)])


@pytest.mark.parametrize(("processes", "num_envs"), [(1, 3), (2, 5)])
def test_a_remote_world_is_the_same_world(processes, num_envs):
    ours = make_worlds("remote:Pendulum-v1", num_envs, processes=processes)
    theirs = make_worlds("gym:Pendulum-v1", num_envs)
    tasks = sample_tasks("remote:Pendulum-v1", 2 * num_envs, 0)
    assert tasks[0].max_steps == 200
    try:
        assert ours.sensors == theirs.sensors
        assert ours.action_spec == theirs.action_spec and ours.fps == theirs.fps
        a, _ = ours.reset(options={"tasks": tasks})
        b, _ = theirs.reset(options={"tasks": [replace(task, task="gym:Pendulum-v1") for task in tasks]})
        rng = np.random.default_rng(0)
        while theirs.active.any():
            assert np.array_equal(a["observation"][theirs.active], b["observation"][theirs.active])
            actions = rng.uniform(-2, 2, ours.action_space.shape).astype(np.float32)
            a, *ours_rest = ours.step(actions)
            b, *theirs_rest = theirs.step(actions)
            for x, y in zip(ours_rest[:3], theirs_rest[:3], strict=True):
                assert np.array_equal(x, y)
    finally:
        ours.close()


def test_environments_of_old_gym_and_their_time_limits():
    world = make_worlds("remote:remote_envs:Classic", 3, paths=[str(HERE)])
    try:
        tasks = [replace(spec, task="remote:remote_envs:Classic") for spec in specs(3)]
        first = world.reset(options={"tasks": tasks})[0]["observation"]
        for step in range(10):
            _, _, terminated, truncated, _ = world.step(np.zeros((3, 2), np.float32))
            assert not terminated.any() and truncated.all() == (step == 9)
    finally:
        world.close()
    assert np.array_equal(first, [undisturbed()[i].episode.observations["observation"][0] for i in range(3)])


# What goes wrong


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        ("quits", r"ended before it connected \(exit status 3\); it last printed: a line of output"),
        ("absent", r"did not connect within 0\.5 s"),
        ("silent", r"did not answer hello within 0\.5 s"),
        ("version", r"speaks protocol 2, this side 1"),
        ("no_name", r"sent a hello without its name and version"),
        ("no_hello", r"sent \{'type': 'result'.* instead of its hello"),
        ("http", r"sent a frame of 1213486160 bytes, over the limit of 67108864 in answer to hello"),
    ],
)
def test_a_bad_start_is_an_error(behaviour, message):
    timeout = 0.5 if behaviour in ("absent", "silent") else 20.0
    with pytest.raises(RemoteError, match=message):
        RemoteProcess([*FAKE, behaviour], start_timeout_s=timeout)


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        ("garbage", r"sent 3 bytes that are not msgpack"),
        ("half_msgpack", r"bytes that are not msgpack"),
        ("truncated", r"closed the connection before it answered look \(in a frame, after 50 of \d+ bytes"),
        ("half_header", r"closed .* \(in a frame, after 2 of 4 bytes; exit status 0\)"),
        ("nothing", r"closed the connection before it answered look \(exit status 0\)"),
        ("killed", r"closed the connection before it answered look \(killed by signal 9\)"),
        ("too_long", r"sent a frame of 2147483648 bytes, over the limit of 67108864 in answer to look"),
        ("wrong_id", r"sent .*'id': 7.* in answer to look, call 0"),
        ("wrong_type", r"sent .*'type': 'call'.* in answer to look"),
        ("no_value", r"sent .* in answer to look"),
        ("a_list", r"sent \[1, 2\] in answer to look"),
        ("array_bytes", r"array <f4 of shape \[2\] with 7 bytes instead of 8"),
        ("array_dtype", r"an array of dtype '\|O'"),
        ("array_shape", r"shape \[-2\]"),
    ],
)
def test_an_answer_that_is_none_ends_the_server(behaviour, message):
    with RemoteProcess([*FAKE, behaviour]) as server:
        with pytest.raises(RemoteError, match=rf"^fake \(process {server.pid}\) .*{message}") as caught:
            server.call("look")
        assert "a line of output" in str(caught.value) and "\n" not in str(caught.value)
        assert not server.alive and gone(server.pid)


def test_a_server_that_takes_nothing_meets_the_deadline_too():
    message = r"did not take the call of look within 0\.3 s"
    with RemoteProcess([*FAKE, "deaf"], timeout_s=0.3) as server, pytest.raises(RemoteError, match=message):
        server.call("look", value=bytes(8 << 20))


def test_a_program_that_is_not_there():
    with pytest.raises(InputError, match="cannot run '/no/such/program'"):
        RemoteProcess(["/no/such/program"])
    with pytest.raises(InputError, match=r"argv=\[\]"):
        RemoteProcess([])


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"\x00\x00\x00\x01\xc1", "not msgpack"),
        (struct.pack(">I", 1 << 31), "over the limit"),
        ({"type": "hello", "protocol": 9}, "instead of a hello of protocol 1"),
        ({"type": "call", "id": 0, "method": "ping"}, "instead of a hello"),
        (b"\x00\x00", ""),
    ],
)
def test_the_server_refuses_what_is_no_client(sent, said):
    path = os.path.join(tempfile.tempdir, "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        with subprocess.Popen([*SERVE, "--socket", path], stderr=subprocess.PIPE, text=True) as process:
            connection, _ = listener.accept()
            with connection:
                body = sent if isinstance(sent, bytes) else msgpack.packb(sent)
                connection.sendall(sent if isinstance(sent, bytes) else struct.pack(">I", len(body)) + body)
                connection.shutdown(socket.SHUT_WR)
                _, stderr = process.communicate(timeout=20)
    os.remove(path)
    assert said in stderr and "Traceback" not in stderr
    assert process.returncode == (1 if said else 0)


def test_wrong_options_are_refused():
    other = Path(tempfile.tempdir) / "python"
    other.write_text(f'#!/bin/sh\nexec {sys.executable} -S -E "$@"\n')  # an interpreter without any packages
    other.chmod(0o755)
    for options, error, message in (
        ({"python": "/no/such/python"}, InputError, "python=/no/such/python: no such interpreter"),
        ({"python": str(other)}, RemoteError, r"No module named 'msgpack'; run: .* -m pip install msgpack"),
        ({"processes": -1}, InputError, "processes=-1"),
        ({"timeout_s": 0}, InputError, "timeout_s=0"),
        ({"paths": ["/no/such/folder"]}, InputError, "/no/such/folder is no folder"),
        ({"paths": "/tmp"}, InputError, "give a list"),
        ({"speed": 3}, InputError, r"cannot make 'remote_envs:Walk': TypeError: .*'speed'"),
        ({"sensors": ["camera"]}, InputError, "unknown sensor of remote/remote_envs:Walk 'camera'"),
    ):
        with pytest.raises(error, match=message):
            make_worlds(WALK, 2, **{"paths": [str(HERE)], **options})
    other.unlink()
    for task, message in (
        ("remote:Pendulun-v1", "Pendulun"),
        ("remote:no_such_module:X", "cannot import 'no_such_mod"),
    ):
        with pytest.raises(InputError, match=message):
            make_worlds(task, 1)


# Episodes that are lost


@pytest.mark.parametrize("what", ["die", "hang", "raise"])
@pytest.mark.parametrize("step", [0, 4])
def test_an_episode_that_is_lost_runs_again(what, step, tmp_path):
    tasks, whole = specs(12), undisturbed()
    trouble = [[tasks[5].seed, step, what]]
    world = walk(trouble=trouble, once=str(tmp_path), timeout_s=1.0 if what == "hang" else 30.0)
    outcomes = run(world, tasks)
    assert sorted(outcomes) == list(range(12)) and len(os.listdir(tmp_path)) == 1
    for index, outcome in outcomes.items():
        assert isinstance(outcome, Finished)
        equal(outcome, whole[index])
    reruns = sum(outcome.reruns for outcome in outcomes.values())
    assert outcomes[5].reruns == 1 and (reruns == 1 if what == "raise" else 1 <= reruns <= 2)


def test_a_server_killed_from_outside_is_replaced():
    tasks, whole = specs(12), undisturbed()
    world = walk()
    outcomes = {}
    victim = world._batch._workers[0].process.pid
    for outcome in run_episodes(world, RandomPolicy(), tasks):
        if not outcomes:
            os.kill(victim, signal.SIGKILL)
        outcomes[outcome.index] = outcome
    assert victim not in children() and len(children()) >= 2
    world.close()
    for index, outcome in outcomes.items():
        equal(outcome, whole[index])
    assert sum(outcome.reruns for outcome in outcomes.values()) == 2  # both environments of that process


@pytest.mark.parametrize("what", ["die", "raise"])
@pytest.mark.parametrize("step", [0, 3])
def test_an_episode_that_kills_every_process_is_given_up_alone(what, step):
    tasks, whole = specs(12), undisturbed()
    outcomes = run(walk(trouble=[[tasks[4].seed, step, what]]), tasks)
    assert isinstance(outcomes[4], Lost) and outcomes[4].step == max(step - 1, 0)
    for part in (tasks[4].id, "after 2 reruns", "killed by signal 9" if what == "die" else "the world is flat"):
        assert part in outcomes[4].reason
    for index in set(range(12)) - {4}:
        equal(outcomes[index], whole[index])


def test_an_observation_that_is_not_of_its_space_loses_its_episode():
    options = RemoteOptions(paths=(str(HERE),))
    batch = RemoteBatch("remote_envs:Everything", 1, {"wrong_shape": True}, options)
    batch.reset([0], [0])
    losses = batch.take_losses()
    batch.close()
    assert "observation 'choices' has shape (1,), its space says (2,)" in losses[0].reason


def test_evaluation_counts_what_was_lost():
    tasks = specs(6)
    options = {"paths": [str(HERE)], "trouble": [[tasks[2].seed, 2, "raise"]]}
    rows = evaluate(PolicyConfig("random"), Manifest(tuple(tasks)), num_envs=3, quiet=True, options={"remote": options})
    assert [row["lost"] is None for row in rows] == [True, True, False, True, True, True]
    assert "the world is flat" in rows[2]["lost"]


def test_progress_says_how_many_episodes_were_run_again():
    stream = io.StringIO()
    with Progress("collect", {WALK: 2}, stream=stream) as progress:
        progress.finished(WALK, True, 10, reruns=1)
        progress.finished(WALK, True, 10)
    assert progress.tasks[WALK].reruns == 1 and stream.getvalue().rstrip().endswith(", 1 rerun")


def test_learning_leaves_out_simulations_that_were_lost():
    class Still:
        def explore(self, tensors, action):
            return torch.zeros(len(tensors["observation"]), 2), torch.zeros(len(tensors["observation"]))

    tasks = tuple(specs(4))
    options = {"paths": [str(HERE)], "trouble": [[tasks[1].seed, 3, "raise"]], "processes": 1}
    probe = walk(1, 1)
    group = Group("walk", probe.action_spec, ("observation",), (WALK,), {"remote": options})
    probe.close()
    lane = _Lane(group, 4, RunnerConfig((group,), 4, 10, 0, contexts={WALK: tasks}), 0)
    lane.restart(0)
    fragment = lane.collect(Still())
    statistics = lane.take_statistics()[WALK]
    lane.close()
    assert fragment.num_simulations == 3 and statistics.episodes == 3
    assert statistics.dropped == 1 and statistics.failed == {"world"}


# What is left behind


def test_whatever_a_server_started_ends_with_it(tmp_path):
    for how in ("close", "hang"):
        world = walk(1, 1, child=str(tmp_path / how), timeout_s=1.0, trouble=[[specs(1)[0].seed, 1, "hang"]])
        child = int((tmp_path / how).read_text())
        assert not gone(child, 0.05)
        if how == "hang":
            batch = world._batch
            world.reset(options={"tasks": specs(1)})
            batch.step(np.zeros((1, 2), np.float32))
            assert "did not answer step within 1 s" in batch.take_losses()[0].reason
        else:
            world.close()
        assert gone(child)
        world.close()


def test_closing_is_fast_and_may_be_repeated():
    batch = RemoteBatch("CartPole-v1", 4, options=RemoteOptions(processes=4))
    start = time.monotonic()
    batch.close()
    batch.close()
    assert time.monotonic() - start < 5.0 and not children()
    close_all([])


def test_a_forgotten_server_is_ended():
    server = RemoteProcess(SERVE)
    pid = server.pid
    del server
    gc.collect()
    assert gone(pid)


PARENT = textwrap.dedent(
    """
    import os, sys, time
    from trunkline.envs.remote.batch import RemoteBatch, RemoteOptions
    batch = RemoteBatch("remote_envs:Walk", 1, {"child": sys.argv[1] + "/child", "trouble": [[0, 1, "hang"]]},
                        RemoteOptions(paths=(sys.argv[2],)))
    batch.reset([0], [0])
    print(batch._workers[0].process.pid, flush=True)
    if sys.argv[3] == "hang":
        batch.step(__import__("numpy").zeros((1, 2)))
    if sys.argv[3] == "wait":
        time.sleep(1000)
    """
)


@pytest.mark.parametrize("state", ["wait", "hang", "exit"])
def test_a_server_ends_with_its_parent(state, tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path), str(HERE), state], stdout=subprocess.PIPE, text=True
    ) as parent:
        server = int(parent.stdout.readline())
        child = int((tmp_path / "child").read_text())
        if state != "exit":
            assert not gone(server, 0.3)
            parent.kill()
        parent.wait(timeout=20)
        assert gone(server) and gone(child)


# Node

NODE_SERVER = """
const { serve, nd, InputError } = require(process.argv[2])
serve({
  echo: ({ value }) => value,
  made: async () => ({ grid: nd(new Float32Array([1, 2, 3, 4, 5, 6]), [2, 3]), line: new Int16Array([1, -2]),
    flags: nd(new Uint8Array([1, 0]), [2], '|b1'), bytes: Buffer.from([7]), none: undefined, large: 2 ** 40 }),
  seen: ({ value }) => [value.constructor.name, value.shape, value.dtype],
  refuse: () => { throw new InputError('no such block') },
  fail: async () => { throw new RangeError('too far') },
  hang: () => new Promise(() => {}),
  quit: () => process.exit(5)
}, { name: 'node-test', version: '1.2.3' })
"""


@pytest.fixture
def node(tmp_path):
    """Starts a Node server; skips, with the reason, where it cannot run."""
    import shutil

    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    places = [HERE.parent / "envs/minecraft/server", *map(Path, os.environ.get("NODE_PATH", "").split(os.pathsep))]
    found = [path for path in places if any((path / part / "msgpackr").is_dir() for part in ("node_modules", "."))]
    if not found:
        pytest.skip("msgpackr is not installed: npm ci in envs/minecraft/server, or set NODE_PATH")
    script = tmp_path / "server.js"
    script.write_text(NODE_SERVER)
    argv = ["node", str(script), str(SERVER.parent / "node/trunkline-remote.js")]
    return lambda **options: RemoteProcess(argv, cwd=found[0], **options)


def test_node_sends_and_receives_the_same(node):
    with node() as server:
        assert server.server == ("node-test", "1.2.3")
        check_round_trips(lambda value: server.call("echo", value=value))
        made = server.call("made")
        assert made["grid"].tolist() == [[1, 2, 3], [4, 5, 6]] and made["grid"].dtype == np.float32
        assert made["line"].tolist() == [1, -2] and made["flags"].tolist() == [True, False]
        assert made["bytes"] == b"\x07" and "none" not in made and made["large"] == 2**40
        assert server.call("seen", value=np.zeros((2, 2), np.float16)) == ["Uint16Array", [2, 2], "<f2"]
        for i in range(20):
            server.send("echo", value=i)
        assert [server.receive() for _ in range(20)] == list(range(20))


def test_node_says_what_is_wrong(node):
    with node() as server:
        with pytest.raises(InputError, match="node-test: refuse: no such block"):
            server.call("refuse")
        with pytest.raises(RemoteCallError, match="node-test: fail: too far") as caught:
            server.call("fail")
        assert caught.value.kind == "RangeError"
        with pytest.raises(InputError, match="no method 'nope'; known: echo"):
            server.call("nope")
        with pytest.raises(RemoteError, match=r"did not answer hang within 0\.3 s"):
            server.call("hang", timeout_s=0.3)
    with node() as server, pytest.raises(RemoteError, match=r"before it answered quit \(exit status 5\)"):
        server.call("quit")


def test_node_without_msgpackr_says_so(node, tmp_path):
    argv = ["node", str(tmp_path / "server.js"), str(SERVER.parent / "node/trunkline-remote.js")]
    env = {name: value for name, value in os.environ.items() if name != "NODE_PATH"}
    with pytest.raises(RemoteError, match=r"msgpackr is not installed in .*; run: npm install msgpackr"):
        RemoteProcess(argv, env, cwd=tmp_path)


def test_walk_is_a_proper_environment():
    """The stand-in behaves, so that what tests find is the bridge's."""
    env = Walk()
    env.reset(seed=3)
    assert [env.step(np.zeros(2))[2] for _ in range(10)] == [False] * 9 + [True]
