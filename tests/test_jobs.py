"""Jobs side by side: order, resources, failures."""

import errno
import gc
import json
import os
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from trunkline.errors import InputError
from trunkline.rollout.experiment.stages import Stages
from trunkline.rollout.jobs import Job, job_events, run_jobs
from trunkline.rollout.ray_session import ray_session

pytestmark = pytest.mark.ray

WAIT = 60.0


@pytest.fixture(scope="module", autouse=True)
def two_cpus():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))  # where the jobs' processes find this file
        with ray_session(num_cpus=2):
            yield


def meet(folder: Path, mine: str, other: str) -> str:
    """Return once the other is there as well: alone it would wait in vain."""
    (folder / mine).touch()
    deadline = time.monotonic() + WAIT
    while not (folder / other).exists():
        if time.monotonic() > deadline:
            raise TimeoutError(other)
        time.sleep(0.01)
    return mine


def threads() -> int:
    import torch

    return torch.get_num_threads()


def die_once(marker: Path) -> str:
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "alive"


def refuse(after: Path | None = None) -> None:
    if after is not None:
        meet(after.parent, "refusing", after.name)
    raise InputError("no such thing")


def break_down() -> None:
    raise ZeroDivisionError("by nought")


def stay(marker: Path) -> None:
    marker.with_name("draft").write_text(str(os.getpid()))
    marker.with_name("draft").rename(marker)
    time.sleep(10 * WAIT)


def fill_the_disk() -> None:
    raise OSError(errno.ENOSPC, "No space left on device", "/data")


def ended(jobs, **options):
    return {event.name: event.value for event in job_events(jobs, **options) if event.ended}


def test_two_run_at_once(tmp_path):
    said = []
    run_jobs({"a": Job(partial(meet, tmp_path, "a", "b")), "b": Job(partial(meet, tmp_path, "b", "a"))}, said.append)
    assert sorted(line.split()[0] for line in said) == ["a", "b"]
    assert [line.split(", ")[1] for line in said] == ["1 to go", "0 to go"]


def test_a_job_waits_for_those_before_it_and_for_free_cpus(tmp_path):
    jobs = {
        "last": Job(threads, after=("first", "done before"), cpus=2),
        "first": Job(partial(meet, tmp_path, "c", "c"), cpus=1),
        "done before": Job(refuse),
        "actors": Job(threads, cpus=0, actor_cpus=2),
    }
    events = [(event.name, event.ended) for event in job_events(jobs, done=["done before"])]
    assert events.index(("first", True)) < events.index(("last", False))
    running, most = set(), 0
    for name, is_end in events:
        running = running - {name} if is_end else running | {name}
        most = max(most, sum(2 if name != "first" else 1 for name in running))
    assert most <= 2 and "done before" not in {name for name, _ in events}


def test_threads_are_a_share_that_finished_jobs_do_not_change():
    chain = ended({"a": Job(threads), "b": Job(threads, after=("a",))})
    assert chain == {"a": 2, "b": 2}
    alone = ended({"a": Job(threads)})
    both = ended({"a": Job(threads), "b": Job(threads)})
    left = ended({"a": Job(threads), "b": Job(threads)}, done=["b"])
    assert alone == {"a": 2} and both == {"a": 1, "b": 1} and left == {"a": 1}


def test_a_share_leaves_room_for_the_actors_of_its_job():
    assert ended({"a": Job(threads, actor_cpus=1)}) == {"a": 1}


def test_jobs_end_with_a_caller_that_fails(tmp_path):
    pid = tmp_path / "pid"
    with pytest.raises(OSError, match="no room"):
        for _ in job_events({"a": Job(partial(stay, pid))}):
            deadline = time.monotonic() + WAIT
            while not pid.exists() or not pid.read_text():
                assert time.monotonic() < deadline
                time.sleep(0.05)
            raise OSError("no room")
    gc.collect()
    deadline = time.monotonic() + WAIT
    while Path(f"/proc/{pid.read_text()}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_job_whose_process_dies_is_called_again(tmp_path):
    assert ended({"a": Job(partial(die_once, tmp_path / "died"))}) == {"a": "alive"}


def test_what_goes_wrong_is_named_and_ends_the_others(tmp_path):
    pid = tmp_path / "pid"
    with pytest.raises(InputError, match=r"^second: no such thing$"):
        ended({"first": Job(partial(stay, pid), cpus=1), "second": Job(partial(refuse, pid), cpus=1)})
    deadline = time.monotonic() + WAIT
    while Path(f"/proc/{pid.read_text()}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with pytest.raises(RuntimeError, match="second failed: ZeroDivisionError: by nought"):
        ended({"second": Job(break_down)})
    with pytest.raises(OSError, match="No space left on device: '/data'") as caught:
        ended({"second": Job(fill_the_disk)})
    assert caught.value.errno == errno.ENOSPC


def test_a_job_that_needs_more_than_there_is_does_not_wait_for_it():
    with pytest.raises(InputError, match=r"greedy needs 3 CPUs, not all of Ray has that \(2 CPUs, 0 GPUs\); ask for"):
        ended({"modest": Job(threads), "greedy": Job(threads, cpus=3)})
    with pytest.raises(InputError, match="greedy needs 2 CPUs, 1 GPUs, not all of Ray has that"):
        ended({"greedy": Job(threads, gpus=1)})


def test_one_that_wants_to_be_alone_is():
    jobs = {"a": Job(threads, cpus=1), "alone": Job(threads, cpus=0, alone=True), "b": Job(threads, cpus=1)}
    events = [(event.name, event.ended) for event in job_events(jobs)]
    assert events.index(("alone", True)) == events.index(("alone", False)) + 1


def test_stages_side_by_side_are_noted_and_not_done_again(tmp_path):
    said = []
    jobs = {"a": Job(threads), "b": Job(refuse, after=("a",)), "c": Job(threads, after=("b",))}
    with pytest.raises(InputError, match="b: no such thing"):
        Stages(tmp_path, "command").run_all(jobs, said.append)
    notes = json.loads((tmp_path / "stages.json").read_text())
    assert notes["a"]["done"] and notes["a"]["frames"] == 2 and "c" not in notes
    assert not notes["b"]["done"] and notes["b"]["spans"][0][0] >= notes["a"]["spans"][0][1] - 0.01
    Stages(tmp_path, "command").run_all({**jobs, "b": Job(threads, after=("a",))}, said.append)
    notes = json.loads((tmp_path / "stages.json").read_text())
    assert all(note["done"] for note in notes.values()) and len(notes["b"]["spans"]) == 2
    assert said[1].startswith("a: done before")
