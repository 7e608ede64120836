"""`trunkline evaluate`: a policy on a manifest."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field

from trunkline.commands.common import RaySettings, configure, say
from trunkline.envs.manifest import Manifest
from trunkline.rollout.evaluate import EvaluateConfig, evaluate
from trunkline.rollout.policies import PolicyConfig
from trunkline.rollout.results import success_rates


@dataclass(frozen=True)
class EvaluateCommand:
    """Run `policy` once on each TaskSpec of `manifest`; the rows go to out/results.parquet under the name `arm`.

    A checkpoint: policy.kind=checkpoint policy.path=DIR. The options of its training's worlds, e.g.
    evaluate.options.minecraft.ticks_per_step=4, are not in it.

    Attributes:
        manifest: file of the TaskSpecs.
        out: folder of a run, or of one to be.
        arm: name of what is evaluated, in the rows and in the report.
        train_seed: seed of the training run that it came from.
        policy: what acts.
        evaluate: how.
    """

    manifest: str
    out: str
    arm: str = "policy"
    train_seed: int = 0
    policy: PolicyConfig = field(default_factory=PolicyConfig)
    evaluate: EvaluateConfig = field(default_factory=EvaluateConfig)
    ray: RaySettings = field(default_factory=RaySettings)


def main(arguments: Sequence[str]) -> None:
    """Evaluate what is not yet evaluated, and say the success rates."""
    command = configure(EvaluateCommand, "evaluate", arguments)
    if command is None:
        return
    manifest = Manifest.load(command.manifest)
    with command.ray.session() if command.evaluate.actors else nullcontext():
        rows = evaluate(
            command.policy, manifest, command.evaluate, arm=command.arm, train_seed=command.train_seed, out=command.out
        )
    for (task, axis), rate in success_rates(rows).items():
        say(f"{task:<24} {axis:<8} {rate:6.1%}")
