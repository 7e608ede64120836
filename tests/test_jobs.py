"""Jobs side by side: order, resources, failures."""

import os
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from trunkline.errors import InputError
from trunkline.rollout.jobs import Job, job_events, run_jobs
from trunkline.rollout.ray_session import ray_session

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


def refuse() -> None:
    raise InputError("no such thing")


def break_down() -> None:
    raise ZeroDivisionError("by nought")


def stay(marker: Path) -> None:
    marker.write_text(str(os.getpid()))
    time.sleep(WAIT)


def ended(jobs, **options):
    return {event.name: event.value for event in job_events(jobs, **options) if event.ended}


def test_two_run_at_once(tmp_path):
    said = []
    run_jobs({"a": partial(meet, tmp_path, "a", "b"), "b": partial(meet, tmp_path, "b", "a")}, said.append)
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
    alone = ended({"a": Job(threads)})
    both = ended({"a": Job(threads), "b": Job(threads)})
    left = ended({"a": Job(threads), "b": Job(threads)}, done=["b"])
    assert alone == {"a": 2} and both == {"a": 1, "b": 1} and left == {"a": 1}


def test_a_job_whose_process_dies_is_called_again(tmp_path):
    assert ended({"a": Job(partial(die_once, tmp_path / "died"))}) == {"a": "alive"}


def test_what_goes_wrong_is_named_and_ends_the_others(tmp_path):
    with pytest.raises(InputError, match=r"^second: no such thing$"):
        ended({"first": Job(partial(stay, tmp_path / "pid"), cpus=1), "second": Job(refuse, cpus=1)})
    with pytest.raises(RuntimeError, match="second failed: ZeroDivisionError: by nought"):
        ended({"second": Job(break_down)})
    if (tmp_path / "pid").exists():  # it may not have begun
        deadline = time.monotonic() + WAIT / 2
        while Path(f"/proc/{(tmp_path / 'pid').read_text()}").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_a_job_that_needs_more_than_there_is_does_not_wait_for_it():
    with pytest.raises(InputError, match="greedy needs 3 CPUs, Ray has 2; ask for fewer"):
        ended({"modest": Job(threads), "greedy": Job(threads, cpus=3)})
    with pytest.raises(InputError, match="greedy needs 1 GPUs, Ray has 0"):
        ended({"greedy": Job(threads, gpus=1)})
