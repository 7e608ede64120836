"""From a configuration to what a run needs: streams of recorded frames, and the agent that learns from them."""

from dataclasses import replace

import numpy as np

from trunkline.agents.agent import Agent
from trunkline.agents.checkpoint import load_into, read_checkpoint
from trunkline.agents.parts import select_parts
from trunkline.data.collection import holds_executed_actions
from trunkline.errors import InputError, unknown
from trunkline.pretrain.batch import merge
from trunkline.pretrain.config import PretrainConfig
from trunkline.pretrain.corpus import Corpus, open_corpus, open_stream
from trunkline.pretrain.objectives.base import Objective, make_objective
from trunkline.pretrain.sampling import MultiTaskSampler, TaskSource, task_weights
from trunkline.pretrain.validation import Validation
from trunkline.pretrain.workload import Workload


def open_trajectories(config: PretrainConfig, rank: int = 0, world_size: int = 1) -> Workload:
    """What a run learns from recorded episodes, as worker `rank` of `world_size` sees it.

    Raises:
        InputError: data, sensors, tasks, parts or options that do not exist or do not fit.
    """
    corpus = open_corpus(config.data, config.sensors, config.tasks)
    objective = make_objective(config.objective, config.objective_options)
    if objective.next_offset is not None and not holds_executed_actions(config.data):
        raise InputError(
            f"{config.data} holds the actions that were intended, objective {config.objective!r} learns from what "
            "actions do; collect with policy.recorded=executed"
        )
    return Workload(
        build_agent(config, corpus, objective),
        objective,
        make_sampler(corpus, config, objective.next_offset, rank, world_size),
        lambda draws: merge(draws, corpus.actions),
        (lambda trainer: Validation(config, corpus, trainer)) if config.validation_data else None,
    )


def build_agent(config: PretrainConfig, corpus: Corpus, objective: Objective) -> Agent:
    """The agent as it is before the first update.

    From scratch it has the corpus's sensors, with their statistics, and its bodies. From a checkpoint (`init_from`) it
    has the checkpoint's architecture, weights, sensors and bodies; sensors and bodies that only the data has are added
    with fresh encoders and policy heads (a goal that was hidden before, say). A sensor of the checkpoint keeps the
    statistics that its encoder was trained with, also where the new data's differ; a sensor that is new has the new
    data's. With `init_parts` only those parts' weights (and statistics) are taken, the others are fresh. Heads that
    neither an agent nor this objective has by itself (another objective's) stay behind. Auxiliary heads that only this
    stage's architecture names are added.

    Raises:
        InputError: no checkpoint there, parts it does not have, a sensor or body that is not what the checkpoint's
            was, or a label sensor that the data lacks or the checkpoint reads.
    """
    hidden = {name for dataset in corpus.datasets for name in dataset.sensors} - set(corpus.sensors)
    # An architecture may name encoders for sensors that this stage leaves out and a later one reads.
    wanted = {name: entry for name, entry in config.agent.encoders.items() if name not in hidden}
    for name in config.agent.auxiliary:
        if name not in corpus.sensors and name not in hidden:
            raise unknown("sensor in agent.auxiliary", name, [*corpus.sensors, *hidden])
    if config.init_from is None:
        agent = Agent(corpus.sensors, corpus.actions, replace(config.agent, encoders=wanted), config.seed)
        objective.build(agent)
        return agent
    start = read_checkpoint(config.init_from)
    for name, sensor in corpus.sensors.items():
        difference = start.sensors[name].difference(sensor) if name in start.sensors else None
        if difference is not None:
            raise InputError(
                f"{config.init_from} was trained on another sensor {name!r} than {config.data} has: {difference}"
            )
    for name, action in corpus.actions.items():
        if start.actions.get(name, action) != action:
            raise InputError(
                f"{config.init_from} was trained on another body {name!r} than {config.data} has; rename one"
            )
    encoders = wanted | start.config.encoders
    auxiliary = config.agent.auxiliary | start.config.auxiliary
    for name in auxiliary:
        if name in start.sensors:
            raise InputError(f"sensor {name!r} is an input of {config.init_from}; leave it out of agent.auxiliary")
    agent = Agent(
        start.sensors | corpus.sensors,
        start.actions | corpus.actions,
        replace(start.config, encoders=encoders, auxiliary=auxiliary),
        config.seed,
    )
    objective.build(agent)
    parts = select_parts(config.init_parts, start.parts) if config.init_parts else start.parts
    load_into(agent, config.init_from, [part for part in parts if part in agent.parts])
    return agent


def make_sampler(
    corpus: Corpus, config: PretrainConfig, next_offset: int | None, rank: int = 0, world_size: int = 1
) -> MultiTaskSampler:
    """The run's batches, as worker `rank` of `world_size` sees them.

    Raises:
        InputError: weights or tasks that do not fit the data, or fewer frames a step than tasks.
    """
    pairs = corpus.tasks
    counted = np.count_nonzero(task_weights([t for _, t, _ in pairs], [n for _, _, n in pairs], config.task_weights))
    parts = 1 if config.sampling == "single" else config.tasks_per_step or int(counted)
    size = config.batch_size // world_size // parts
    if size < 1:
        raise InputError(
            f"batch_size={config.batch_size} is less than one frame of each of {parts} tasks for each of {world_size} "
            "workers; raise batch_size or set tasks_per_step"
        )
    sources = [
        TaskSource(
            task,
            count,
            open_stream(
                corpus,
                dataset,
                task,
                batch_size=size,
                next_offset=next_offset,
                buffer_frames=config.buffer_frames,
                seed=int(np.random.SeedSequence([config.seed, index]).generate_state(1)[0]),
                rank=rank,
                world_size=world_size,
            ),
        )
        for index, (dataset, task, count) in enumerate(pairs)
    ]
    return MultiTaskSampler(sources, config.sampling, config.task_weights, config.tasks_per_step, config.seed)
