"""How well a policy does on a frozen list of TaskSpecs: one row an episode.

agent = trunkline.load_agent("runs/quickstart/checkpoints/pretrained_rl/seed0")
rows = trunkline.evaluate(agent, trunkline.Manifest.load("test.json"))
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from trunkline.envs.manifest import Manifest
from trunkline.envs.registry import require_families
from trunkline.envs.spec import TaskSpec
from trunkline.errors import InputError, unknown
from trunkline.rollout.chunks import TaskPlan, make_chunks, plan_task
from trunkline.rollout.episodes import Lost, Outcome
from trunkline.rollout.film import Film
from trunkline.rollout.identity import acting_identity, require_identity
from trunkline.rollout.interrupts import uninterrupted
from trunkline.rollout.policies import AgentPolicy, Policy, PolicyConfig, make_policy
from trunkline.rollout.pool import Pool, PoolConfig, run_chunks
from trunkline.rollout.progress import Progress
from trunkline.rollout.results import ArmResults, Row
from trunkline.schema import to_plain

RESULTS = "results.parquet"
SAVE_SECONDS = 20.0


@dataclass(frozen=True)
class EvaluateConfig:
    """How a manifest is evaluated.

    Attributes:
        num_envs: simulations in each batch.
        actors: Ray actors that share the manifest; 0 runs it in this process, without Ray.
        videos: short videos kept of either outcome, for each task and axis.
        video_size: their edge in pixels.
        options: of worlds, by family.
        pool: limits of the actors; its `actors` and `num_envs` are those above.
        quiet: no progress.
    """

    num_envs: int = 32
    actors: int = 0
    videos: int = 0
    video_size: int = 128
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    pool: PoolConfig = field(default_factory=PoolConfig)
    quiet: bool = False

    def __post_init__(self) -> None:
        if self.videos < 0 or self.video_size < 16:
            raise InputError(f"videos={self.videos}, video_size={self.video_size}; at least 0, and 16 pixels")
        self.sized_pool  # noqa: B018 (checks num_envs and actors)

    @property
    def sized_pool(self) -> PoolConfig:
        """The pool with this configuration's sizes."""
        return replace(self.pool, actors=self.actors, num_envs=self.num_envs)


def evaluate(
    policy: Any,
    manifest: Manifest | Sequence[TaskSpec],
    config: EvaluateConfig | None = None,
    *,
    arm: str = "policy",
    train_seed: int = 0,
    out: str | Path | None = None,
    workers: Pool | None = None,
    **changes: Any,
) -> list[Row]:
    """Run a policy once on every TaskSpec of a manifest.

    Args:
        policy: an Agent (acts with its distribution's mode), a Policy, a PolicyConfig, or a checkpoint's folder;
            actors need one of the last two. Worlds' options are no part of a checkpoint: give those of its training.
        manifest: the episodes; a sequence of TaskSpecs is taken for one.
        config: how.
        arm: name of what is evaluated, in the rows and in the report.
        train_seed: seed of the training run it came from.
        out: folder of a run. Its `results.parquet` gets the rows, beside those of other arms, also of ones that are
            evaluated at the same time; episodes that it has already are not run again.
        workers: an open pool of `config.sized_pool`, whose actors are used and stay; None starts actors of its own.
        **changes: fields of `config`, e.g. num_envs=8.

    Returns:
        The rows of this arm and seed in the manifest's order, as dictionaries; columns as in `results.SCHEMA`. Of a
        lost episode `lost` says why; its success, progress and return say nothing.

    Raises:
        InputError: unknown fields, tasks or sensors, a policy that cannot act there, an arm whose rows in
            `results.parquet` are of another manifest, policy or world options, or a folder that cannot be written.
        RuntimeError: a world or policy failed, or kept killing its actors.
    """
    config = _changed(config or EvaluateConfig(), changes)
    if workers is not None and workers.config != config.sized_pool:
        raise InputError(f"workers are a pool of {workers.config}, the evaluation needs one of {config.sized_pool}")
    if isinstance(policy, str | Path):
        policy = PolicyConfig("checkpoint", path=str(policy))
    if not isinstance(manifest, Manifest):
        manifest = Manifest(tuple(manifest))
    if not len(manifest):
        raise InputError("the manifest holds no TaskSpecs, so there is nothing to evaluate; sample or synthesise some")
    if not isinstance(arm, str) or not arm.isprintable() or "/" in arm or arm in ("", ".", ".."):
        raise InputError(f"arm {arm!r} must be a name without '/': videos go to a folder called so")
    if not isinstance(train_seed, int):
        raise InputError(f"train_seed={train_seed!r} must be a whole number")
    here, plans = _prepare(policy, manifest, config)
    if out is not None:
        require_identity(here)
    acting = policy if isinstance(policy, PolicyConfig) and config.actors else here
    options = {task: plan.options for task, plan in plans.items()}
    identity = acting_identity(here, to_plain(options))
    about = {"arm": arm, "train_seed": train_seed, "manifest": manifest.sha256, "policy": identity}
    film = Film(None if out is None else Path(out), arm, train_seed, manifest, config.videos, config.video_size)
    results = ArmResults(None if out is None else Path(out) / RESULTS, about)
    mine = results.read()
    film.count(mine.values())
    if len(mine) < len(manifest):
        results.prepare()
    pool = config.sized_pool
    planned = {task: len(places) for task, places in manifest.by_task().items()}
    there = {task: sum(manifest.tasks[i].id in mine for i in places) for task, places in manifest.by_task().items()}
    with Progress(f"evaluate {arm}", planned, there, config.quiet) as progress:
        if len(mine) < len(manifest):
            for line in film.leave_out_blind(manifest, plans):
                progress.note(line)
            for line in dict.fromkeys(line for plan in plans.values() for line in plan.remarks):
                progress.note(line)
        chunks = make_chunks(manifest, plans, pool.chunk_size, mine, film.ids, config.video_size)
        saved = time.monotonic()
        try:
            for outcome in run_chunks(acting, pool, chunks, workers):
                row = _row(outcome, about)
                if isinstance(outcome, Lost):
                    progress.lost(row["task"], outcome.reason)
                else:
                    with uninterrupted():
                        row["video"] = film.keep(outcome, plans[row["task"]].fps)
                    progress.finished(row["task"], row["success"], row["steps"], outcome.reruns)
                mine[row["task_id"]] = row
                if time.monotonic() - saved > SAVE_SECONDS:
                    with uninterrupted():
                        results.save(mine)
                    saved = time.monotonic()
        finally:
            rows = [mine[task.id] for task in manifest if task.id in mine]
            if chunks:
                with uninterrupted():
                    results.save({row["task_id"]: row for row in rows})
    return rows


def _prepare(policy: Any, manifest: Manifest, config: EvaluateConfig) -> tuple[Policy, dict[str, TaskPlan]]:
    """The policy, loaded, and how each task is run."""
    require_families(config.options, "options")
    here: Policy
    if isinstance(policy, PolicyConfig):
        here = make_policy(policy)
    elif isinstance(policy, Policy):
        here = policy
    elif hasattr(policy, "sensors") and hasattr(policy, "actions"):
        here = AgentPolicy(policy)
    else:
        raise InputError(
            f"cannot evaluate a {type(policy).__name__}; give a checkpoint's folder, an Agent, a PolicyConfig, or an "
            "object of a subclass of trunkline.rollout.policies.Policy"
        )
    return here, {task: plan_task(task, here, options=config.options, record=False) for task in manifest.by_task()}


def _row(outcome: Outcome, about: Mapping[str, Any]) -> Row:
    task = outcome.task if isinstance(outcome, Lost) else outcome.episode.task
    row: Row = {
        **about,
        "task": task.task,
        "axis": task.axis,
        "split": task.split,
        "task_id": task.id,
        "success": False,
        "progress": 0.0,
        "steps": 0,
        "return": 0.0,
        "seconds": 0.0,
        "lost": None,
        "video": None,
    }
    if isinstance(outcome, Lost):
        return row | {"steps": outcome.step, "lost": outcome.reason}
    episode = outcome.episode
    return row | {
        "success": episode.success,
        "progress": episode.progress,
        "steps": len(episode),
        "return": float(episode.rewards.sum(dtype="float64")),
        "seconds": outcome.seconds,
    }


def _changed(config: EvaluateConfig, changes: Mapping[str, Any]) -> EvaluateConfig:
    names = [f.name for f in fields(config)]
    for name in changes:
        if name not in names:
            raise unknown("argument of evaluate", name, [*names, "arm", "train_seed", "out", "workers"])
    return replace(config, **changes)
