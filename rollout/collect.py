"""Collecting a multitask plan: every TaskSpec of a manifest once, into one collection on disk.

The folder holds a LeRobot data set for each body, `collection.json` (which manifest, acted by what) and, if a sensor
failed, `lost.json` (which TaskSpecs were dropped, and why). The same call again runs what is missing.
"""

import json
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trunkline.data.collection import COLLECTION
from trunkline.data.writer import EpisodeWriter, WriterConfig
from trunkline.envs.manifest import Manifest
from trunkline.envs.registry import require_families
from trunkline.errors import InputError, unknown
from trunkline.files import write_text
from trunkline.rollout.chunks import SensorChoice, TaskPlan, make_chunks, plan_task
from trunkline.rollout.episodes import Lost
from trunkline.rollout.interrupts import uninterrupted
from trunkline.rollout.policies import PolicyConfig, make_policy
from trunkline.rollout.pool import PoolConfig, run_chunks
from trunkline.rollout.progress import Progress, TaskCount
from trunkline.schema import to_plain

FORMAT = "trunkline-collection-1"


@dataclass(frozen=True)
class CollectConfig:
    """How a manifest is collected.

    Attributes:
        policy: what acts.
        pool: how many actors, of what size.
        hidden: sensors that are not recorded, e.g. ("goal",); the policy may read them all the same.
        options: of worlds, by family.
        writer: layout of the data sets.
        retry_lost: whether TaskSpecs that were lost before are tried again.
        quiet: no progress.
    """

    policy: PolicyConfig = field(default_factory=PolicyConfig)
    pool: PoolConfig = field(default_factory=PoolConfig)
    hidden: tuple[str, ...] = ()
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    writer: WriterConfig = field(default_factory=WriterConfig)
    retry_lost: bool = False
    quiet: bool = False


@dataclass(frozen=True)
class CollectResult:
    """What a call to `collect` did.

    Attributes:
        root: the collection.
        episodes: in it now.
        planned: in the manifest.
        lost: dropped, now and before.
        tasks: what happened on each task in this call.
        seconds: wall-clock of this call.
    """

    root: Path
    episodes: int
    planned: int
    lost: int
    tasks: Mapping[str, TaskCount]
    seconds: float

    @property
    def steps(self) -> int:
        """Steps of the episodes finished in this call."""
        return sum(count.steps for count in self.tasks.values())

    def __str__(self) -> str:
        rates = [f"{task} {c.success_rate:.0%}" for task, c in self.tasks.items() if c.success_rate is not None]
        lost = f", {self.lost} lost" if self.lost else ""
        solved = f"; solved: {', '.join(rates)}" if rates else ""
        made = f"{self.episodes}/{self.planned} episodes{lost}, {self.steps} steps in {self.seconds:.1f} s"
        return f"{self.root}: {made}{solved}"


def collect(
    manifest: Manifest, root: str | Path, config: CollectConfig | None = None, *, sensors: SensorChoice = None
) -> CollectResult:
    """Run every TaskSpec of a manifest that the collection at `root` lacks, and add its episode.

    Interrupted (Ctrl-C, a kill, a full disk), it leaves whole episodes; calling it again goes on.

    Args:
        manifest: the plan.
        root: folder of the collection; made if it is not there.
        config: how.
        sensors: names to record: of every task, or by task or family; default sensors where nothing is named.

    Returns:
        What was done; when it returns, each TaskSpec is in the collection once, or counted as lost.

    Raises:
        InputError: the folder holds something else, a task, sensor or option is unknown, or the disk is full.
        RuntimeError: a world or policy failed, or kept killing its actors.
        KeyboardInterrupt: after what was finished is safe on disk.
    """
    config = config or CollectConfig()
    root = Path(root)
    _refuse_other(root, _identity(manifest, config, sensors))
    require_families(config.options, "options")
    policy = make_policy(config.policy)
    plans = {task: plan_task(task, policy, sensors, config.hidden, config.options) for task in manifest.by_task()}
    available = {name for plan in plans.values() for name in plan.available}
    for name in config.hidden:
        if name not in available:
            raise unknown("hidden sensor", name, available)
    _refuse_mixed_bodies(plans.values())
    write_text(root / COLLECTION, json.dumps(_identity(manifest, config, sensors), indent=1))
    lost = {} if config.retry_lost else _load_lost(root)
    with ExitStack() as stack:
        writers = _open_writers(root, plans.values(), config.writer, stack)
        present = set().union(*(writer.task_ids() for writer in writers.values()))
        chunks = make_chunks(manifest, plans, config.pool.chunk_size, skip=present | set(lost))
        done = {
            task: sum(manifest.tasks[i].id in present for i in places) for task, places in manifest.by_task().items()
        }
        planned = {task: len(places) for task, places in manifest.by_task().items()}
        progress = stack.enter_context(Progress("collect", planned, done, config.quiet))
        try:
            for outcome in run_chunks(config.policy, config.pool, chunks):
                if isinstance(outcome, Lost):
                    task = outcome.task
                    lost[task.id] = {
                        "task": task.task,
                        "seed": task.seed,
                        "step": outcome.step,
                        "reason": outcome.reason,
                    }
                    progress.lost(task.task, outcome.reason)
                    continue
                episode = outcome.episode
                with uninterrupted():
                    writers[plans[episode.task.task].action.name].add(episode)
                progress.finished(episode.task.task, episode.success, len(episode), outcome.reruns)
        finally:
            with uninterrupted():
                _save_lost(root, lost)
                for writer in writers.values():
                    writer.close()
        episodes = sum(len(writer) for writer in writers.values())
        return CollectResult(root, episodes, len(manifest), len(lost), progress.tasks, progress.seconds)


def _identity(manifest: Manifest, config: CollectConfig, sensors: SensorChoice) -> dict[str, Any]:
    """What makes two collections the same one; how many actors collect it does not."""
    plain: dict[str, Any] = to_plain(
        {
            "format": FORMAT,
            "manifest": manifest.sha256,
            "policy": config.policy,
            "sensors": sensors or None,
            "hidden": config.hidden,
            "options": config.options,
        }
    )
    return plain


def _refuse_other(root: Path, identity: Mapping[str, Any]) -> None:
    path = root / COLLECTION
    if not path.exists():
        if root.exists() and (not root.is_dir() or any(root.iterdir())):
            raise InputError(f"{root} is not empty and no collection of trunkline's; choose another folder")
        return
    there = _load_json(path)
    for key, value in identity.items():
        if not isinstance(there, dict) or there.get(key) != value:
            raise InputError(
                f"{root} was collected with another {key}; choose another folder, or delete it to start over"
            )


def _refuse_mixed_bodies(plans: Iterable[TaskPlan]) -> None:
    first: dict[str, TaskPlan] = {}
    for plan in plans:
        if not plan.recorded:
            raise InputError(f"nothing of {plan.task} would be recorded; name sensors for it, or hide fewer")
        other = first.setdefault(plan.action.name, plan)
        if (dict(other.recorded), other.action, other.fps) != (dict(plan.recorded), plan.action, plan.fps):
            what = f"{', '.join(other.recorded)}; {', '.join(plan.recorded)}"
            raise InputError(
                f"{other.task} and {plan.task} have the body {plan.action.name!r} but would record different sensors, "
                f"actions or rates ({what}); name the same sensors for both"
            )


def _open_writers(
    root: Path, plans: Iterable[TaskPlan], config: WriterConfig, stack: ExitStack
) -> dict[str, EpisodeWriter]:
    writers: dict[str, EpisodeWriter] = {}
    for plan in plans:
        name = plan.action.name
        if name not in writers:
            folder = root / name.replace("/", "-")
            writers[name] = stack.enter_context(EpisodeWriter(folder, plan.recorded, plan.action, plan.fps, config))
    return writers


def _load_lost(root: Path) -> dict[str, Any]:
    path = root / "lost.json"
    lost = _load_json(path) if path.exists() else {}
    if not isinstance(lost, dict):
        raise InputError(f"{path} is not a list of lost TaskSpecs; delete it to try them again")
    return lost


def _save_lost(root: Path, lost: Mapping[str, Any]) -> None:
    path = root / "lost.json"
    if lost:
        write_text(path, json.dumps(lost, indent=1))
    else:
        path.unlink(missing_ok=True)


def _load_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not JSON ({error}); restore it, or choose another folder") from None
