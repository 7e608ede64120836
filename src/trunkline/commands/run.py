"""`trunkline run`: a whole experiment."""

from collections.abc import Sequence

from trunkline.commands.common import configure, say
from trunkline.rollout.experiment.config import ExperimentConfig


def main(arguments: Sequence[str]) -> None:
    """Run it, or go on with it; what is done is not done again."""
    config = configure(ExperimentConfig, "run", arguments)
    if config is None:
        return
    from trunkline.rollout.experiment.run import run_experiment

    say(f"report: {run_experiment(config, ' '.join(['trunkline run', *arguments]), say)}")
