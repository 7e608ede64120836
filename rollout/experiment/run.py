"""The main job: from manifests to the report, resumable by stage."""

from contextlib import ExitStack
from pathlib import Path

from trunkline.pretrain import config as pretraining
from trunkline.rollout.experiment.config import ExperimentConfig
from trunkline.rollout.experiment.job import MainJob
from trunkline.rollout.experiment.part import Part, make_part
from trunkline.rollout.experiment.stages import Say, Stages
from trunkline.rollout.ray_session import ray_session
from trunkline.rollout.report import build_report
from trunkline.rollout.rl import config as finetuning
from trunkline.run_folder import RunFolder

# Where a run is computed may change when it is resumed; what it computes may not.
_KEYS = frozenset(
    {
        *("num_cpus", "address", "folder"),
        *("collect.pool", "collect.retry_lost", "collect.quiet"),
        *(f"{stage}.{key}" for stage in ("pretrain", "imitate") for key in pretraining.ELSEWHERE),
        *(f"finetune.{key}" for key in finetuning.ELSEWHERE),
        *(f"evaluation.options.{key}" for key in ("actors", "pool", "quiet")),
    }
)
ELSEWHERE = _KEYS | {f"parts.minecraft.{key}" for key in _KEYS}  # that part is a main job too
# More seeds and arms are more stages; those that are done stay valid.
GROWING = frozenset({"seeds", "arms"})


def run_experiment(config: ExperimentConfig, command: str, say: Say) -> Path:
    """Run every stage that is not done yet; the path of the report.

    Args:
        config: the experiment.
        command: how it was started, noted beside each stage.
        say: called with lines of progress.

    Raises:
        InputError: bad configuration, or a folder that holds another run.
    """
    folder = Path(config.folder)
    # These check the whole configuration, before anything is written.
    say("planning the episodes")
    jobs: list[Part | MainJob] = [MainJob(config)] if config.tasks else []
    jobs += [make_part(name, options, folder) for name, options in config.parts.items()]
    place = RunFolder(folder)
    place.check(config, ELSEWHERE, GROWING)
    place.claim(config)
    with ExitStack() as until_the_end:

        def start_ray() -> None:
            until_the_end.enter_context(ray_session(num_cpus=config.num_cpus, address=config.address))

        stages = Stages(folder, command, before_first=start_ray)
        for job in jobs:
            job.run(stages, say)
    return build_report(folder)
