"""Pieces of work side by side on Ray, in processes beside this one, as many as there are CPUs and GPUs for."""

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from trunkline.errors import InputError

WAIT_SECONDS = 1.0
RETRIES = 2

Amounts = dict[str, float]  # of "CPU" and "GPU"


@dataclass(frozen=True)
class Job:
    """A piece of work.

    Attributes:
        call: does it. A job whose process dies is called again, so it must go on where it was.
        after: names of the jobs that it waits for.
        cpus: what its process is given, as threads of its tensors too; None for its share of the machine, less what its
            actors ask for.
        gpus: how many its process needs; None for one where there are any.
        actor_cpus, actor_gpus: what Ray actors that it starts ask for, beside that.
        alone: whether it runs while no other does, and its actors may take all there is.
    """

    call: Callable[[], object]
    after: tuple[str, ...] = ()
    cpus: float | None = None
    gpus: float | None = None
    actor_cpus: float = 0
    actor_gpus: float = 0
    alone: bool = False


@dataclass(frozen=True)
class Event:
    """A job has begun, or ended with a value."""

    name: str
    ended: bool = False
    value: Any = None


def run_jobs(jobs: Mapping[str, Job], say: Callable[[str], None]) -> None:
    """Run all of them; see `job_events`.

    Args:
        jobs: by name.
        say: called with a line when one ends.
    """
    left = len(jobs)
    for event in job_events(jobs):
        if event.ended:
            left -= 1
            say(f"{event.name} done, {left} to go")


def job_events(
    jobs: Mapping[str, Job], done: Collection[str] = (), meanwhile: Callable[[], None] = lambda: None
) -> Iterator[Event]:
    """Run jobs, as many at a time as there are CPUs and GPUs for, and tell when each begins and ends.

    A Ray session is there. If a job fails or the caller is interrupted, those that still run are ended.

    Args:
        jobs: by name; the first that can begin does.
        done: those that have ended before. They count in the shares of the others, so that a run that goes on computes
            with as many threads as one that was never stopped.
        meanwhile: called about once a second.

    Raises:
        InputError: what a job's input got wrong, with the job's name, or a job that needs more than there is.
        OSError: a job could not read or write.
        RuntimeError: the code of a job failed, or its processes kept dying.
    """
    import ray

    machines = [_amounts(node["Resources"]) for node in ray.nodes() if node["Alive"]]
    total = _amounts(ray.cluster_resources())
    own = _own(jobs, machines, total)
    needs = {
        name: {"CPU": own[name]["CPU"] + job.actor_cpus, "GPU": own[name]["GPU"] + job.actor_gpus}
        for name, job in jobs.items()
    }
    waiting = {name: job for name, job in jobs.items() if name not in done}
    for name in waiting:
        _require(name, needs[name], [total], "not all of Ray")
        _require(name, own[name], machines, "no machine of Ray's")
    ended = set(done)
    running: dict[Any, str] = {}
    try:
        while waiting or running:
            for name, job in list(waiting.items()):
                beside = list(running.values())
                lonely = job.alone or any(jobs[other].alone for other in beside)
                taken = {kind: sum(needs[other][kind] for other in (name, *beside)) for kind in total}
                if ended.issuperset(job.after) and not (beside and lonely) and _within(taken, total):
                    del waiting[name]
                    running[_start(job, own[name])] = name
                    yield Event(name)
            assert running, f"{list(waiting)} wait for each other"
            ready, _ = ray.wait(list(running), num_returns=1, timeout=WAIT_SECONDS)
            meanwhile()
            for call in ready:
                name = running.pop(call)
                value = _value(name, call)
                ended.add(name)
                yield Event(name, True, value)
    except BaseException:  # also where the caller of this generator fails, and closes it
        for call in running:
            with suppress(Exception):  # Ray itself may be what failed
                ray.cancel(call, force=True)
        raise


def _amounts(resources: Mapping[str, float]) -> Amounts:
    return {kind: float(resources.get(kind, 0.0)) for kind in ("CPU", "GPU")}


def _within(amounts: Amounts, limits: Amounts) -> bool:
    return all(amount <= limits[kind] for kind, amount in amounts.items())


def _own(jobs: Mapping[str, Job], machines: list[Amounts], total: Amounts) -> dict[str, Amounts]:
    """What the process of each job asks for."""
    # Jobs that wait for each other are one chain, which needs one share.
    chains = len(jobs) - len({first for job in jobs.values() for first in job.after})
    # Shares are of the machine with the most CPUs, of those with GPUs where there are any.
    largest = max(machine["CPU"] for machine in machines if machine["GPU"] or not total["GPU"])
    share = max(1.0, min(largest, total["CPU"] // max(1, chains)))
    return {
        name: {
            "CPU": max(1.0, share - job.actor_cpus) if job.cpus is None else job.cpus,
            "GPU": float(total["GPU"] > 0) if job.gpus is None else job.gpus,
        }
        for name, job in jobs.items()
    }


def _require(name: str, amounts: Amounts, places: list[Amounts], which: str) -> None:
    if any(_within(amounts, place) for place in places):
        return
    asked = ", ".join(f"{amount:g} {kind}s" for kind, amount in amounts.items() if amount)
    there = "; ".join(", ".join(f"{amount:g} {kind}s" for kind, amount in place.items()) for place in places)
    raise InputError(f"{name} needs {asked}, {which} has that ({there}); ask for fewer, or give Ray more")


def _start(job: Job, own: Amounts) -> Any:
    import ray

    remote = ray.remote(num_cpus=own["CPU"], num_gpus=own["GPU"], max_retries=RETRIES)(_call)
    return remote.remote(job.call, max(1, int(own["CPU"])), os.getcwd())


def _value(name: str, call: Any) -> Any:
    import ray
    from ray.exceptions import RayError, RayTaskError

    try:
        return ray.get(call)
    except RayTaskError as error:
        if isinstance(error.cause, InputError):  # without the worker's traceback
            raise InputError(f"{name}: {error.cause}") from None
        # A full disk, a folder that may not be written: no fault of the code.
        if isinstance(error.cause, OSError) and error.cause.errno is not None:
            raise error.cause from None
        raise RuntimeError(f"{name} failed: {type(error.cause).__name__}: {error.cause}") from error
    except RayError as error:
        raise RuntimeError(f"{name} was lost: {type(error).__name__}: {str(error).splitlines()[0]}") from None


def _call(call: Callable[[], object], threads: int, folder: str) -> object:
    import torch

    with suppress(OSError):  # on another machine the caller's folder may not be there; absolute paths do not need it
        os.chdir(folder)
    torch.set_num_threads(threads)
    return call()
