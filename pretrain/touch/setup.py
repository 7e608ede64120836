"""From a configuration to what a touch run needs: streams of labelled touch, and the agent that learns from them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch

from trunkline.agents.agent import Agent
from trunkline.agents.checkpoint import load_into, read_checkpoint
from trunkline.agents.parts import select_parts
from trunkline.data.fota.stream import FotaStream, TouchBatch
from trunkline.errors import InputError
from trunkline.pretrain.combine import make_aggregator
from trunkline.pretrain.touch.alignment import ALIGNMENT, Alignment, ContactStream
from trunkline.pretrain.touch.batch import Ask, TouchTensors, joined
from trunkline.pretrain.touch.config import TouchPretrainConfig
from trunkline.pretrain.touch.corpus import CONTACT_FIELD, TouchCorpus, has_fields, open_touch_data
from trunkline.pretrain.touch.objective import TouchObjective
from trunkline.pretrain.touch.sampling import Group, Pair, PairSampler, Stream, make_groups, pair_weights
from trunkline.pretrain.touch.task import TouchTask, make_tasks
from trunkline.pretrain.touch.validation import TouchValidation
from trunkline.pretrain.workload import Workload


def open_touch(config: TouchPretrainConfig, rank: int = 0, world_size: int = 1) -> Workload:
    """What a run learns from labelled touch, as worker `rank` of `world_size` sees it.

    Raises:
        InputError: data, sensors, tasks, parts or options that do not exist or do not fit.
    """
    aggregator = make_aggregator(config.aggregator, config.aggregator_options)
    tasks = make_tasks(config.tasks, config.task_options)
    corpus = open_touch_data(config.data, config.split, config.sensors)
    pairs = corpus.pairs(tasks, config.hold_out)
    tasks = corpus.fit(tasks, pairs)
    objective = TouchObjective(tasks, Alignment(config.alignment))
    return Workload(
        build_touch_agent(config, corpus, objective),
        objective,
        make_pair_sampler(config, corpus, tasks, pairs, rank, world_size),
        joined,
        (lambda trainer: TouchValidation(config, trainer)) if config.validation_data else None,
        aggregator,
        average_scalars=True,
        by_block=True,
    )


def build_touch_agent(config: TouchPretrainConfig, corpus: TouchCorpus, objective: TouchObjective) -> Agent:
    """The agent as it is before the first update.

    From scratch it has the corpus's sensors, with their statistics. From a checkpoint (`init_from`) it has the
    checkpoint's architecture, weights and sensors; sensors that only the data has get fresh encoders and the data's
    statistics, those of the checkpoint keep the statistics that their encoders were trained with. Heads of tasks that
    this run does not have (masked autoencoding's, say) stay behind.

    Raises:
        InputError: no checkpoint there, parts it does not have, a sensor that is not what the checkpoint's was, or a
            head for other classes or numbers than the data has.
    """
    if config.init_from is None:
        agent = Agent(corpus.sensors, {}, config.architecture, config.seed)
        objective.build(agent)
        return agent
    start = read_checkpoint(config.init_from)
    for name, sensor in corpus.sensors.items():
        difference = start.sensors[name].difference(sensor) if name in start.sensors else None
        if difference is not None:
            raise InputError(
                f"{config.init_from} was trained on another sensor {name!r} than {config.data} has: {difference}"
            )
    encoders = config.architecture.encoders | start.config.encoders
    sensors = {**corpus.sensors, **start.sensors}
    agent = Agent(sensors, start.actions, replace(start.config, encoders=encoders), config.seed)
    objective.build(agent)
    chosen = select_parts(config.init_parts, start.parts) if config.init_parts else start.parts
    wanted = [part for part in chosen if part in agent.parts]
    for part in wanted:  # a head of the same name keeps what it was made with, the statistics of its targets above all
        kind, _, name = part.partition("/")
        if kind == "heads" and name in objective.tasks:
            theirs = start.heads[name]
            agent.make_head(name, theirs["kind"], theirs["action"], **theirs["options"])
    objective.check(agent)
    load_into(agent, config.init_from, wanted)
    return agent


def make_pair_sampler(
    config: TouchPretrainConfig,
    corpus: TouchCorpus,
    tasks: Mapping[str, TouchTask],
    pairs: Sequence[Pair],
    rank: int = 0,
    world_size: int = 1,
) -> PairSampler:
    """The run's batches, as worker `rank` of `world_size` sees them.

    Raises:
        InputError: weights that do not fit, or fewer samples a step than draws.
    """
    keys = [_stream_key(corpus, pair, tasks[pair.task]) for pair in pairs]
    together = [config.share_touches and tasks[pair.task].labelled for pair in pairs]
    groups = make_groups(pairs, keys, pair_weights(pairs, config.pair_weights), together)
    draws = config.pairs_per_step or len(groups)
    size = config.batch_size // world_size // draws
    if size < 1:
        raise InputError(
            f"batch_size={config.batch_size} is less than one sample of each of {draws} draws for each of {world_size} "
            "workers; raise batch_size or lower pairs_per_step"
        )
    streams: dict[str, Stream] = {}
    for index, key in enumerate(sorted({group.stream for group in groups})):
        of_stream = [pair for pair, its in zip(pairs, keys, strict=True) if its == key]
        asked = [tasks[pair.task] for pair in of_stream]
        datasets = corpus.having(of_stream[0].sensor, asked[0])
        fields = {field for task in asked for field in task.fields}
        if fields and all(has_fields(dataset, [CONTACT_FIELD]) for dataset in datasets):
            fields.add(CONTACT_FIELD)
        streams[key] = FotaStream(
            datasets,
            size,
            fields=sorted(fields),
            pairs=asked[0].two_touches,
            shuffle_buffer=config.shuffle_buffer,
            seed=int(np.random.SeedSequence([config.seed, index]).generate_state(1)[0]),
            workers=config.decoders,
            rank=rank,
            world_size=world_size,
            tolerance=config.tolerance,
        )
    extra = []
    if config.alignment.weight:
        contacts = config.alignment.batch_size // world_size or size
        streams[ALIGNMENT] = ContactStream(corpus, contacts, config.seed, rank, world_size)
        extra.append((ALIGNMENT, config.alignment.weight))

    def make(group: Group, batch: TouchBatch, share: float) -> TouchTensors | None:
        return make_tensors({name: (tasks[name], weight) for name, weight in group.tasks}, batch, share)

    return PairSampler(groups, streams, make, config.pairs_per_step, extra, config.seed)


def make_tensors(
    tasks: Mapping[str, tuple[TouchTask, float]], batch: TouchBatch, share: float = 1.0
) -> TouchTensors | None:
    """The rows of a batch that have a target of some task, as tensors.

    Args:
        tasks: the tasks and their weights; all look at one touch, or all at two.
        batch: of touches.
        share: see `TouchTensors`.

    Returns:
        None if no task has a target in any row.
    """
    second = None if batch.second is None else batch.second[1]
    made = {name: task.target(batch.fields, second) for name, (task, _) in tasks.items()}
    used = np.zeros(len(batch), bool)
    for of_task in made.values():
        used |= True if of_task is None else of_task[1]
    if not used.any():
        return None
    places = np.cumsum(used) - 1  # of the batch's rows among those that are used
    asks = []
    for name, of_task in made.items():
        rows = used if of_task is None else of_task[1]
        target = None if of_task is None else torch.from_numpy(of_task[0][rows])
        where = None if rows[used].all() else torch.from_numpy(places[rows])
        if rows.any():
            asks.append(Ask(name, target, where, tasks[name][1]))
    readings, later = (
        None if r is None else r if used.all() else r[used] for r in (batch.readings, batch.second and batch.second[0])
    )
    assert readings is not None
    return TouchTensors(
        batch.sensor,
        torch.from_numpy(readings),
        tuple(asks),
        None if later is None else torch.from_numpy(later),
        share=share,
    )


def _stream_key(corpus: TouchCorpus, pair: Pair, task: TouchTask) -> str:
    """Tasks that read the same data sets in the same way share a stream."""
    datasets, every = corpus.having(pair.sensor, task), corpus.datasets[pair.sensor]
    some = [dataset.root.name for dataset in datasets] if len(datasets) < len(every) else []
    return "/".join([pair.sensor, "pairs" if task.two_touches else "touches", *some])
