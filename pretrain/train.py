"""Pretraining runs: in this process, or on many workers through Ray Train."""

import shutil
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from trunkline.data.metrics import read_metrics
from trunkline.errors import InputError
from trunkline.pretrain.config import ELSEWHERE, PretrainConfig, TrainingConfig
from trunkline.pretrain.loop import Diverged, Progress, Run
from trunkline.pretrain.touch.config import TouchPretrainConfig
from trunkline.pretrain.workers import Workers
from trunkline.run_folder import RunFolder

__all__ = ["PretrainConfig", "TouchPretrainConfig", "pretrain", "read_config"]


def pretrain(config: TrainingConfig, folder: str | Path, progress: Progress | None = None) -> Path:
    """Train an agent on recorded episodes or on labelled touch.

    The same call again resumes, and returns at once when it is done.

    A run that was interrupted, in whatever way, and resumed makes the same updates as one that was not, on a CPU bit
    for bit. With `config.workers` = 1 it runs here and Ray is not imported; with more it runs through Ray Train, data
    parallel, and lost workers are replaced and go on from the last checkpoint. Then `folder` and the data must be on
    storage that all workers see.

    Args:
        config: the run, a PretrainConfig or a TouchPretrainConfig.
        folder: its folder: config.yaml, metrics.jsonl, TensorBoard events, checkpoints/.
        progress: called with the step and the values of each line of metrics.jsonl.

    Returns:
        The last checkpoint.

    Raises:
        InputError: a folder of another run (names the key that differs); data, sensors, tasks, parts or options that do
            not exist; a loss that is not finite (names the step and the task; the last good checkpoint stays); many
            workers without a running Ray.
    """
    place = RunFolder(folder)
    place.check(config, ELSEWHERE)
    latest = place.latest()
    if latest is not None and latest[0] >= config.steps:
        return latest[1]
    # Also before workers are started: bad input is found here, and nothing has been written yet.
    run = Run(config, folder, Workers.alone(config.device if config.workers == 1 else "cpu"))
    try:
        if config.workers == 1:
            place.claim(config)
            return run.train(progress)
    finally:
        run.close()
    return _through_ray(config, place, progress)


def read_config(value: Mapping[str, Any]) -> TrainingConfig:
    """The configuration that `to_json` of either kind wrote; objective "touch" is the TouchPretrainConfig's.

    Raises:
        InputError: an unknown key (with the nearest match), a missing one, or a value it does not take.
    """
    kind = TouchPretrainConfig if value.get("objective") == "touch" else PretrainConfig
    return kind.from_json(value)


def _through_ray(config: TrainingConfig, place: RunFolder, progress: Progress | None) -> Path:
    import ray

    if not ray.is_initialized():
        raise InputError(
            f"workers={config.workers} needs a running Ray; start it with trunkline.rollout.ray_session.ray_session()"
        )
    from ray.train import FailureConfig, RunConfig, ScalingConfig, TrainingFailedError
    from ray.train.torch import TorchConfig, TorchTrainer

    on_gpu = _require_resources(config, ray.cluster_resources())
    place.claim(config)
    folder = place.path.absolute()
    local = ray.util.get_node_ip_address() == "127.0.0.1"
    scratch = folder / "ray"  # Ray Train's own notes; the checkpoints are ours
    trainer = TorchTrainer(
        _work,
        train_loop_config={"config": _with_absolute_paths(config).to_json(), "folder": str(folder)},
        torch_config=TorchConfig(backend="nccl" if on_gpu else "gloo"),
        scaling_config=ScalingConfig(num_workers=config.workers, use_gpu=on_gpu),
        run_config=RunConfig(
            name=uuid.uuid4().hex,
            storage_path=str(scratch),
            failure_config=FailureConfig(max_failures=config.max_failures),
            # On one machine the workers talk over loopback, as Ray does.
            worker_runtime_env={"env_vars": {"GLOO_SOCKET_IFNAME": "lo"} if local else {}},
        ),
    )
    try:
        with _following(place.path, progress):
            result = trainer.fit()
    except TrainingFailedError as error:
        mistake = _input_error(error)
        if mistake is None:
            raise
        raise InputError(mistake) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if result.return_value["error"]:
        raise InputError(result.return_value["error"])
    return place.checkpoint(config.steps)


def _require_resources(config: TrainingConfig, has: Mapping[str, float]) -> bool:
    """Whether the workers run on GPUs; Ray would wait for ever for what the cluster lacks."""
    on_gpu = config.device == "cuda" or (config.device == "auto" and has.get("GPU", 0) >= config.workers)
    for kind in ("CPU", "GPU") if on_gpu else ("CPU",):
        if has.get(kind, 0) < config.workers:
            raise InputError(
                f"workers={config.workers} on {'cuda' if on_gpu else 'cpu'} need as many {kind}s, "
                f"Ray has {has.get(kind, 0):g}; use fewer workers or a larger cluster"
            )
    return on_gpu


def _work(arguments: dict[str, Any]) -> dict[str, str]:
    """One worker's part. Errors that all workers come to alike are returned, since trying again would not help."""
    import ray.train
    import ray.train.torch

    context = ray.train.get_context()
    workers = Workers(context.get_world_rank(), context.get_world_size(), ray.train.torch.get_device())
    run, error = None, ""
    try:
        run = Run(read_config(arguments["config"]), arguments["folder"], workers)
    except InputError as mistake:
        error = str(mistake)
    error = next(filter(None, workers.gather_text(error)), "")
    if run is None or error:
        return {"error": error}
    try:
        run.train()
    except Diverged as mistake:
        return {"error": str(mistake)}
    return {"error": ""}


def _with_absolute_paths(config: TrainingConfig) -> TrainingConfig:
    """Workers run in a folder of their own."""
    absolute: dict[str, Any] = {}
    for name in ("data", "init_from", "validation_data"):
        path = getattr(config, name)
        absolute[name] = path and str(Path(path).absolute())
    return replace(config, **absolute)


def _input_error(error: BaseException) -> str | None:
    """What the user did wrong, if that is what the workers failed of."""
    failures: Mapping[int, BaseException] = getattr(error, "worker_failures", {})
    for failure in failures.values():
        cause: BaseException | None = failure
        while cause is not None:
            if isinstance(cause, InputError):
                return str(cause)
            cause = getattr(cause, "_original_exception", None) or getattr(cause, "cause", None) or cause.__cause__
    return None


@contextmanager
def _following(folder: Path, progress: Progress | None) -> Iterator[None]:
    """Report rows that another process appends to metrics.jsonl, for the body's duration."""
    if progress is None:
        yield
        return
    done = threading.Event()
    seen = len(read_metrics(folder))

    def follow() -> None:
        nonlocal seen
        last = False
        while not last:
            last = done.wait(0.5)
            rows = read_metrics(folder)
            seen = min(seen, len(rows))  # a run that resumes takes back what it will do again
            for row in rows[seen:]:
                progress(row["step"], {name: value for name, value in row.items() if name != "step"})
            seen = len(rows)

    thread = threading.Thread(target=follow, name="follow-metrics", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
