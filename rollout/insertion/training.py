"""One arm of an insertion benchmark: imitation, RL, and the evaluation of both, each from where it was."""

from trunkline.envs.manifest import Manifest
from trunkline.pretrain.train import pretrain
from trunkline.rollout.evaluate import EvaluateConfig, evaluate
from trunkline.rollout.finetune import finetune
from trunkline.rollout.insertion.plan import InsertionPlan, Job
from trunkline.rollout.policies import PolicyConfig

NUM_ENVS = 50


def run_job(plan: InsertionPlan, job: Job) -> None:
    """Train and evaluate one arm; what is done already is not done again."""
    agent, start = plan.start(job)
    pretrain(plan.imitation(job, agent, start), plan.place(job, "imitation"))
    if "rl" in plan.stages:
        finetune(plan.finetuning(job), plan.place(job, "rl"))
    for stage in plan.stages:
        policy = PolicyConfig("checkpoint", path=str(plan.place(job, stage)))
        _evaluate(plan, policy, f"{job.name}.{stage}", job)


def run_references(plan: InsertionPlan) -> None:
    """Evaluate the expert and random actions."""
    job = Job("no_touch", plan.config.sensors[0], plan.config.seeds[0])
    for kind in ("expert", "random"):
        _evaluate(plan, PolicyConfig(kind), kind, job)


def _evaluate(plan: InsertionPlan, policy: PolicyConfig, arm: str, job: Job) -> None:
    config = EvaluateConfig(num_envs=NUM_ENVS, options=plan.options(job.sensor), quiet=True)
    manifest = Manifest.load(plan.folder / "manifests" / "test.json")
    evaluate(policy, manifest, config, arm=arm, train_seed=job.seed, out=plan.folder)
