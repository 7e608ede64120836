"""RL finetuning of an agent on several tasks at once: PPO with a pull towards the policy it starts from.

The same call again goes on from the last checkpoint, also with another number of runners or learners.
"""

from collections.abc import Mapping
from pathlib import Path

from trunkline.agents.agent import Agent
from trunkline.agents.checkpoint import load_agent, read_checkpoint
from trunkline.agents.training_state import load_training
from trunkline.data.metrics import MetricsLog
from trunkline.envs.manifest import Manifest
from trunkline.envs.spec import SensorSpec, TaskSpec
from trunkline.errors import InputError
from trunkline.pretrain.corpus import open_corpus
from trunkline.pretrain.loop import Progress
from trunkline.rollout.ray_session import ray_session
from trunkline.rollout.rl.algorithm import Finetuner, Resources, algorithm_config
from trunkline.rollout.rl.checkpoint import save_finetuned
from trunkline.rollout.rl.config import ELSEWHERE, FinetuneConfig, PPOConfig
from trunkline.rollout.rl.env_runner import RunnerConfig
from trunkline.rollout.rl.fragment import Group
from trunkline.rollout.rl.groups import plan_groups
from trunkline.rollout.rl.module import Blueprint
from trunkline.rollout.rl.statistics import measure_statistics
from trunkline.run_folder import RunFolder

__all__ = ["FinetuneConfig", "PPOConfig", "finetune"]


def finetune(config: FinetuneConfig, folder: str | Path, progress: Progress | None = None) -> Path:
    """Train, or go on training, until `config.steps`; the folder of the last checkpoint.

    Args:
        config: the run.
        folder: where it lives.
        progress: called with the number of iterations done and the values of each line of metrics.jsonl.

    Raises:
        InputError: unknown tasks or sensors, a checkpoint that does not fit them, or another run's folder.
    """
    run = RunFolder(folder)
    run.check(config, ELSEWHERE)
    done = run.latest()
    if done is not None and done[0] >= config.iterations:
        return done[1]
    groups, agent, critic_sensors = _prepare(config)
    run.claim(config)  # only now: bad input leaves no trace
    with ray_session():
        _require_cpus(config)
        algorithm = _build(config, run.path, groups, agent, critic_sensors)
        try:
            _start(algorithm, config, agent, done)
            return _train(algorithm, config, run, agent, progress)
        finally:
            algorithm.stop()


def _train(
    algorithm: Finetuner, config: FinetuneConfig, run: RunFolder, agent: Agent, progress: Progress | None
) -> Path:
    checkpoint = run.checkpoint(algorithm.update_index)
    with MetricsLog(run.path) as log:
        log.rewind(algorithm.update_index)
        while algorithm.update_index < config.iterations:
            before = algorithm.update_index
            algorithm.train()
            iteration = algorithm.update_index
            if iteration == before:  # every runner was lost; they are being restarted
                continue
            figures = dict(algorithm.figures)
            log.log(iteration, figures)
            if progress is not None:
                progress(iteration, figures)
            if iteration % config.checkpoint_every == 0 or iteration == config.iterations:
                checkpoint = run.checkpoint(iteration)
                save_finetuned(checkpoint, config, algorithm, agent)
                run.prune(config.keep)
    return checkpoint


def _prepare(config: FinetuneConfig) -> tuple[tuple[Group, ...], Agent, Mapping[str, SensorSpec] | None]:
    """The groups of tasks, the agent as it starts, and what a critic of its own reads if not the same."""
    if config.init is not None:
        agent = load_agent(config.init)
        labels = agent.config.auxiliary
        groups, _, _ = plan_groups(config.tasks, config.sensors, agent.sensors, agent.actions, config.options, labels)
        if "value" not in agent.heads:
            agent.make_head("value", "value", **agent.config.value)
    else:
        labels = config.agent.auxiliary
        groups, sensors, actions = plan_groups(config.tasks, config.sensors, options=config.options, further=labels)
        known = {} if config.statistics is None else _statistics(config.statistics)
        for name, spec in sensors.items():
            difference = known[name].difference(spec) if name in known else None
            if difference is not None:
                raise InputError(f"{config.statistics} has statistics of another sensor {name!r}: {difference}")
        sensors = {name: known.get(name, spec) for name, spec in sensors.items()}
        sensors = measure_statistics(groups, sensors, config.seed)
        agent = Agent(sensors, actions, config.agent, config.seed)
    agent.select(config.freeze)  # says at once if a part is unknown
    groups, critic_sensors = _critic_sensors(config, groups, agent)
    return groups, agent.eval(), critic_sensors


def _critic_sensors(
    config: FinetuneConfig, groups: tuple[Group, ...], agent: Agent
) -> tuple[tuple[Group, ...], Mapping[str, SensorSpec] | None]:
    """The groups with what the critic reads too, and its sensors with their statistics."""
    if not config.critic_sensors:
        return groups, None
    names = dict.fromkeys((*agent.config.auxiliary, *config.critic_sensors))
    groups, found, _ = plan_groups(config.tasks, config.sensors, agent.sensors, agent.actions, config.options, names)
    _require_critic_sees(config, groups)
    sensors = {name: found[name] for name in config.critic_sensors}
    return groups, measure_statistics(groups, sensors, config.seed)


def require_worlds(config: FinetuneConfig) -> None:
    """Pass if the tasks have the sensors and options that a run asks for; for jobs that come to it only after hours.

    Raises:
        InputError: unknown tasks, sensors or options, or a task of which the critic would see nothing.
    """
    labels = dict.fromkeys((*config.agent.auxiliary, *config.critic_sensors))
    groups, _, _ = plan_groups(config.tasks, config.sensors, options=config.options, further=labels)
    _require_critic_sees(config, groups)


def _require_critic_sees(config: FinetuneConfig, groups: tuple[Group, ...]) -> None:
    for group in groups:
        if config.critic_sensors and not set(config.critic_sensors) & set(group.sensors):
            raise InputError(
                f"critic_sensors={list(config.critic_sensors)}: {group.tasks[0]} has none of them; name one of its "
                f"own too, it reads {', '.join(group.sensors)}"
            )


def _statistics(path: str) -> dict[str, SensorSpec]:
    if (Path(path) / "agent.json").exists():
        return read_checkpoint(path).sensors
    return open_corpus(path).sensors


def _build(
    config: FinetuneConfig,
    folder: Path,
    groups: tuple[Group, ...],
    agent: Agent,
    critic_sensors: Mapping[str, SensorSpec] | None,
) -> Finetuner:
    critic = None
    if config.separate_critic:
        critic = config.critic or agent.config
    blueprint = Blueprint(
        sensors=agent.sensors,
        actions=agent.actions,
        agent=agent.config,
        seed=agent.seed,
        critic=critic,
        critic_sensors=critic_sensors,
        reference=_stays_near(config),
        freeze=tuple(config.freeze),
    )
    runner = RunnerConfig(
        groups, config.num_envs, config.fragment_length, config.seed, config.num_threads, _contexts(config)
    )
    resources = Resources(
        config.num_env_runners,
        config.num_learners,
        config.num_gpus_per_learner,
        config.learner_threads,
        logdir=str(folder.resolve()),
    )
    algorithm: Finetuner = algorithm_config(blueprint, runner, config.ppo, resources, config.iterations).build_algo()
    algorithm.restart_every = config.checkpoint_every
    return algorithm


def _stays_near(config: FinetuneConfig) -> bool:
    return config.init is not None and config.ppo.kl_coefficient > 0


def _contexts(config: FinetuneConfig) -> dict[str, tuple[TaskSpec, ...]] | None:
    if config.contexts is None:
        return None
    manifest = Manifest.load(config.contexts)
    indices = manifest.by_task()
    for task in config.tasks:
        if task not in indices:
            raise InputError(f"{config.contexts} has no TaskSpec of {task}; it has {', '.join(indices) or 'none'}")
    other = next((spec for spec in manifest if spec.split.partition("/")[0] != "train"), None)
    if other is not None:
        raise InputError(f"{config.contexts} holds TaskSpec {other.id} of split {other.split}; train on train only")
    return {task: tuple(manifest.tasks[i] for i in indices[task]) for task in config.tasks}


def _start(algorithm: Finetuner, config: FinetuneConfig, agent: Agent, done: tuple[int, Path] | None) -> None:
    """Give the learners their weights: the agent's, or those of the run's last checkpoint."""
    fresh = algorithm.all_weights()
    start = {name: value.cpu().numpy() for name, value in agent.state_dict().items()}
    weights = dict(fresh)
    copies = {"policy", "reference"}
    if config.init is not None and config.critic is None:
        copies.add("critic")
    for name in fresh:
        part, _, key = name.partition(".")
        if part in copies and key in start:
            weights[name] = start[key]
    optimizers = None
    if done is not None:
        state = load_training(done[1])
        trained = load_agent(done[1]).state_dict()
        weights |= {f"policy.{key}": v.cpu().numpy() for key, v in trained.items() if f"policy.{key}" in fresh}
        weights |= {f"critic.{key}": value for key, value in state["critic"].items()}
        optimizers = state["optimizers"]
        algorithm.update_index = int(state["iteration"])
        # Older checkpoints counted iterations alone.
        algorithm.total_steps = int(state.get("steps", algorithm.update_index * config.steps_per_iteration))
    algorithm.load(weights, optimizers)


def _require_cpus(config: FinetuneConfig) -> None:
    import ray

    needed, there = config.num_env_runners + config.num_learners, int(ray.cluster_resources().get("CPU", 0))
    if needed > there:
        raise InputError(
            f"num_env_runners={config.num_env_runners} and num_learners={config.num_learners} need {needed} CPUs, "
            f"Ray has {there}; lower them or start Ray with more"
        )
