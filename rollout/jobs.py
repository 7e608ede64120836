"""Independent pieces of work side by side on Ray, each in a process of its own."""

from collections.abc import Callable, Mapping

from trunkline.errors import InputError


def run_jobs(jobs: Mapping[str, Callable[[], object]], say: Callable[[str], None]) -> None:
    """Run all of them, as many at a time as there are CPUs (GPUs, where there are any); a Ray session is there.

    Args:
        jobs: by name. A job whose process dies is run again, so it must go on where it was.
        say: called with a line when one ends.

    Raises:
        InputError: what a job's input got wrong, with the job's name.
    """
    import ray

    gpus = ray.cluster_resources().get("GPU", 0)
    remote = ray.remote(num_cpus=1, num_gpus=1 if gpus else 0, max_retries=2)(_call)
    waiting = {remote.remote(job): name for name, job in jobs.items()}
    while waiting:
        (ready,), _ = ray.wait(list(waiting), num_returns=1)
        name = waiting.pop(ready)
        try:
            ray.get(ready)
        except InputError as error:  # without the worker's traceback
            raise InputError(f"{name}: {getattr(error, 'cause', error)}") from None
        say(f"{name} done, {len(waiting)} to go")


def _call(job: Callable[[], object]) -> None:
    job()
