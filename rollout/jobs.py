"""Independent pieces of work side by side on Ray, each in a process of its own."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from trunkline.errors import InputError

WAIT_SECONDS = 1.0
RETRIES = 2


@dataclass(frozen=True)
class Job:
    """A piece of work.

    Attributes:
        call: does it. A job whose process dies is called again, so it must go on where it was.
        after: names of the jobs that it waits for.
        cpus: how many its process keeps busy, the threads of its tensors too; None for its share of the machine.
        gpus: how many its process needs; None for one where there are any.
        actor_cpus, actor_gpus: what Ray actors that it starts ask for, beside that.
    """

    call: Callable[[], object]
    after: tuple[str, ...] = ()
    cpus: float | None = None
    gpus: float | None = None
    actor_cpus: float = 0
    actor_gpus: float = 0


@dataclass(frozen=True)
class Event:
    """A job has begun, or ended with a value."""

    name: str
    ended: bool = False
    value: Any = None


def run_jobs(calls: Mapping[str, Callable[[], object]], say: Callable[[str], None]) -> None:
    """Run all of them, one a CPU (a GPU, where there are any); see `job_events`.

    Args:
        calls: by name, as `Job.call`.
        say: called with a line when one ends.
    """
    left = len(calls)
    for event in job_events({name: Job(call, cpus=1) for name, call in calls.items()}):
        if event.ended:
            left -= 1
            say(f"{event.name} done, {left} to go")


def job_events(
    jobs: Mapping[str, Job], done: Collection[str] = (), meanwhile: Callable[[], None] = lambda: None
) -> Iterator[Event]:
    """Run jobs, as many at a time as there are CPUs and GPUs for, and tell when each begins and ends.

    A Ray session is there; what still runs when it ends, ends with it. If a job fails, the others are ended.

    Args:
        jobs: by name; the first that can begin does.
        done: those that have ended before. They count in the shares of the others, so that a run that goes on computes
            with as many threads as one that was never stopped.
        meanwhile: called about once a second.

    Raises:
        InputError: what a job's input got wrong, with the job's name, or a job that needs more than there is.
        RuntimeError: the code of a job failed.
    """
    import ray

    free = _resources()
    share = _share(len(jobs))
    own = {name: _own(job, share, free["GPU"] > 0) for name, job in jobs.items()}
    needs = {
        name: {"CPU": own[name]["CPU"] + job.actor_cpus, "GPU": own[name]["GPU"] + job.actor_gpus}
        for name, job in jobs.items()
    }
    for name in jobs.keys() - set(done):
        for kind, amount in needs[name].items():
            if amount > free[kind]:
                raise InputError(f"{name} needs {amount:g} {kind}s, Ray has {free[kind]:g}; ask for fewer")
    waiting = {name: job for name, job in jobs.items() if name not in done}
    ended = set(done)
    running: dict[Any, str] = {}
    try:
        while waiting or running:
            for name, job in list(waiting.items()):
                fits = all(amount <= free[kind] for kind, amount in needs[name].items())
                if fits and ended.issuperset(job.after):
                    del waiting[name]
                    for kind, amount in needs[name].items():
                        free[kind] -= amount
                    running[_start(job, own[name])] = name
                    yield Event(name)
            assert running, f"{list(waiting)} wait for each other"
            ready, _ = ray.wait(list(running), num_returns=1, timeout=WAIT_SECONDS)
            meanwhile()
            for call in ready:
                name = running.pop(call)
                for kind, amount in needs[name].items():
                    free[kind] += amount
                value = _value(name, call)
                ended.add(name)
                yield Event(name, True, value)
    except Exception:  # not an interrupt: it reaches Ray's processes too, and they may be gone
        for call in running:
            ray.cancel(call, force=True)
        raise


def _resources() -> dict[str, float]:
    import ray

    there = ray.cluster_resources()
    return {kind: there.get(kind, 0.0) for kind in ("CPU", "GPU")}


def _share(count: int) -> float:
    """CPUs of each of so many jobs: at least one, and no more than a machine has."""
    import ray

    largest = max(float(node["Resources"].get("CPU", 0.0)) for node in ray.nodes() if node["Alive"])
    return max(1.0, min(largest, _resources()["CPU"] // count))


def _own(job: Job, share: float, has_gpus: bool) -> dict[str, float]:
    return {
        "CPU": share if job.cpus is None else job.cpus,
        "GPU": float(has_gpus) if job.gpus is None else job.gpus,
    }


def _start(job: Job, own: Mapping[str, float]) -> Any:
    import ray

    remote = ray.remote(num_cpus=own["CPU"], num_gpus=own["GPU"], max_retries=RETRIES)(_call)
    return remote.remote(job.call, max(1, int(own["CPU"])))


def _value(name: str, call: Any) -> Any:
    import ray
    from ray.exceptions import RayError, RayTaskError

    try:
        return ray.get(call)
    except RayTaskError as error:
        if isinstance(error.cause, InputError):  # without the worker's traceback
            raise InputError(f"{name}: {error.cause}") from None
        raise RuntimeError(f"{name} failed: {type(error.cause).__name__}: {error.cause}") from error
    except RayError as error:
        raise RuntimeError(f"{name}: its process died {RETRIES + 1} times: {str(error).splitlines()[0]}") from None


def _call(call: Callable[[], object], threads: int) -> object:
    import torch

    torch.set_num_threads(threads)
    return call()
