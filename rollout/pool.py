"""Ray actors that run TaskSpecs, and the pool that keeps them alive and at work.

An actor holds a batch of worlds a task and the policy in use. The pool hands out chunks (TaskSpecs of one task), asks
each actor for what it finished in the last moment, and delivers whole chunks in their order. So what comes out does
not depend on how many actors there are or which one dies.

- Exactly once: an episode counts when its piece has arrived; what an actor had not handed over when it died is run
  again by its replacement.
- Bounded memory: an actor computes at most two pieces ahead of the pool, and the pool at most `window` chunks ahead of
  its consumer; finished pieces wait in Ray's object store, which moves to disk what does not fit.
- No endless waiting: an actor that hands over nothing for `timeout_s` is killed and replaced; a chunk whose actors die
  `max_restarts` times in a row without finishing an episode is an error.
"""

import math
import os
import signal
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from trunkline.errors import InputError
from trunkline.rollout.chunks import Chunk
from trunkline.rollout.episodes import Outcome
from trunkline.rollout.policies import Policy, PolicyConfig
from trunkline.rollout.runner import PIECE_SECONDS, Runner

CALLS_AHEAD = 2


@dataclass(frozen=True)
class PoolConfig:
    """How many actors, of what size.

    Attributes:
        actors: worker processes; 0 runs everything in the calling process, without Ray.
        num_envs: simulations in each actor's batch.
        num_threads: physics threads of each actor.
        chunk: TaskSpecs handed out at once; 0 for twice `num_envs`. The order in which tasks that alternate are
            delivered depends on it, not on `actors`.
        window: chunks that may be under way or waiting for the consumer; 0 for twice `actors`.
        cpus_per_actor: what an actor asks of Ray's scheduler.
        timeout_s: without a piece for so long, an actor counts as hung. Start-up of a world included.
        start_timeout_s: for an actor to start while no other is there.
        max_restarts: deaths in a row, on one chunk, without a finished episode, before the run is given up.
    """

    actors: int = 2
    num_envs: int = 16
    num_threads: int = 1
    chunk: int = 0
    window: int = 0
    cpus_per_actor: float = 1.0
    timeout_s: float = 120.0
    start_timeout_s: float = 300.0
    max_restarts: int = 3

    def __post_init__(self) -> None:
        for name, least in (
            ("actors", 0),
            ("num_envs", 1),
            ("num_threads", 0),
            ("chunk", 0),
            ("window", 0),
            ("max_restarts", 0),
        ):
            if getattr(self, name) < least:
                raise InputError(f"{name}={getattr(self, name)}; at least {least}")
        if self.cpus_per_actor <= 0 or self.timeout_s <= 0 or self.start_timeout_s <= 0:
            raise InputError("cpus_per_actor, timeout_s and start_timeout_s must be positive")

    @property
    def chunk_size(self) -> int:
        """TaskSpecs of a whole chunk."""
        return self.chunk or 2 * self.num_envs


def run_chunks(
    policy: PolicyConfig | Policy, config: PoolConfig, chunks: Sequence[Chunk], pool: "Pool | None" = None
) -> Iterator[Outcome]:
    """Run chunks, on actors or (`actors=0`) here, and yield their outcomes in order.

    Args:
        policy: what acts; actors need a description that can be sent to them.
        config: sizes and limits.
        chunks: from `make_chunks`.
        pool: whose actors run them, and stay; None for actors of their own.

    Raises:
        InputError: a policy object for actors, or what the caller got wrong, wherever it showed.
        RuntimeError: see `Pool.run`.
    """
    if not config.actors:
        runner = Runner(config.num_envs, config.num_threads)
        try:
            runner.use(policy)
            for chunk in chunks:
                yield from sorted(runner.run(chunk), key=lambda outcome: outcome.index)
        finally:
            runner.close()
        return
    if not isinstance(policy, PolicyConfig):
        raise InputError(
            f"actors={config.actors} need a PolicyConfig, not a {type(policy).__name__}; save it, or set actors=0"
        )
    if not chunks:
        return
    if pool is not None:
        yield from pool.run(policy, chunks)
        return
    from trunkline.rollout.ray_session import ray_session

    cpus = max(os.cpu_count() or 1, math.ceil(config.actors * config.cpus_per_actor))
    with ray_session(num_cpus=cpus), Pool(config) as pool:
        yield from pool.run(policy, chunks)


class _Job:
    """A chunk on its way: what is still to be run, and the pieces that arrived."""

    def __init__(self, chunk: Chunk) -> None:
        self.chunk = chunk
        self.missing = set(chunk.indices)
        self.pieces: list[tuple[tuple[int, ...], Any]] = []
        self.deaths = 0

    def arrived(self, indices: tuple[int, ...], payload: Any) -> None:
        if indices:
            assert self.missing.issuperset(indices), "an episode arrived twice"
            self.missing.difference_update(indices)
            self.pieces.append((indices, payload))
            self.deaths = 0


class _Actor:
    """One actor process and the calls that it owes an answer to, oldest first."""

    def __init__(self, handle: Any, started: Any) -> None:
        self.handle = handle
        self.place: tuple[str, int] | None = None  # known once it is ready
        self.job: _Job | None = None
        self.calls: deque[tuple[Any, Any]] = deque([(started, None)])
        self.since = time.monotonic()

    @property
    def ready(self) -> bool:
        return self.place is not None

    def give(self, job: _Job, policy: PolicyConfig, turn: int) -> None:
        self.job = job
        self.since = time.monotonic()
        self.ask(job.chunk.only(job.missing), policy, turn)

    def ask(self, chunk: Chunk | None = None, policy: PolicyConfig | None = None, turn: int = 0) -> None:
        while len(self.calls) < CALLS_AHEAD:
            piece, payload = self.handle.advance.options(num_returns=2).remote(chunk, policy, turn)
            self.calls.append((piece, payload))
            chunk = None
        assert chunk is None, "an actor is given a chunk only when it owes at most one answer"


class Pool:
    """Runs chunks on Ray actors, which start with the first run and stay for the next.

    Needs a Ray session; a context manager that ends its actors.

    Args:
        config: sizes and limits.
    """

    def __init__(self, config: PoolConfig) -> None:
        self.config = config
        self._policy = PolicyConfig()
        self._over = False
        self._turn = 0  # runs so far; tells actors when to load a policy
        self._actors: list[_Actor] = []
        self._waiting: deque[_Job] = deque()
        self._failed_starts = 0
        self._changed = time.monotonic()  # when an actor last became ready or was replaced

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *error: object) -> None:
        self._over = True
        self.close()

    def close(self) -> None:
        """End the actors."""
        while self._actors:
            self._end(self._actors.pop())

    def run(self, policy: PolicyConfig, chunks: Iterable[Chunk]) -> Iterator[Outcome]:
        """Run chunks and yield their outcomes, chunk after chunk, within a chunk by place in the manifest.

        Args:
            policy: what acts; every actor loads it anew.
            chunks: what is to be run, one run at a time.

        Raises:
            InputError: what the caller got wrong, wherever it showed.
            RuntimeError: the code of a world or policy failed, a chunk kept killing its actors, or no actor started.
        """
        if self._over:
            raise InputError("this pool was closed; run within its `with`")
        self._policy = policy
        self._turn += 1
        try:
            yield from self._run(chunks)
        except BaseException:  # actors that are still at work on it are of no use to the next run
            self._waiting.clear()
            self.close()
            raise

    def _run(self, chunks: Iterable[Chunk]) -> Iterator[Outcome]:
        source = iter(chunks)
        window = self.config.window or 2 * self.config.actors
        ordered: deque[_Job] = deque()
        self._changed = time.monotonic()
        while True:
            while len(ordered) < window and (chunk := next(source, None)) is not None:
                ordered.append(_Job(chunk))
                self._waiting.append(ordered[-1])
            if not ordered:
                return
            self._hire()
            self._harvest(timeout=0.0 if not ordered[0].missing else 0.2)
            if (
                not any(actor.ready for actor in self._actors)
                and time.monotonic() - self._changed > self.config.start_timeout_s
            ):
                raise self._no_start()
            while ordered and not ordered[0].missing:
                job = ordered[0]
                outcomes = self._fetch(job)
                if outcomes is None:
                    self._waiting.appendleft(job)  # a machine took its pieces along
                    break
                ordered.popleft()
                looked = time.monotonic()
                for outcome in outcomes:
                    yield outcome
                    if time.monotonic() - looked > PIECE_SECONDS / 2:  # a slow consumer must not let the actors starve
                        self._harvest(timeout=0.0)
                        looked = time.monotonic()

    def _hire(self) -> None:
        import ray

        wanted = min(self.config.actors, len(self._waiting) + sum(actor.job is not None for actor in self._actors))
        while len(self._actors) < wanted:
            kind = ray.remote(Runner).options(num_cpus=self.config.cpus_per_actor, max_restarts=0, max_task_retries=0)
            handle = kind.remote(self.config.num_envs, self.config.num_threads)
            self._actors.append(_Actor(handle, handle.where.remote()))
        for actor in self._actors:
            if actor.ready and actor.job is None and self._waiting:
                actor.give(self._waiting.popleft(), self._policy, self._turn)

    def _harvest(self, timeout: float) -> None:
        """Take in every piece that is there, keep the actors busy, replace those that died or hang."""
        import ray

        first_calls = {actor.calls[0][0]: actor for actor in self._actors if actor.calls}
        if not first_calls:
            return
        done, _ = ray.wait(list(first_calls), num_returns=1, timeout=timeout)
        if done:  # whatever else is there by now
            done, _ = ray.wait(list(first_calls), num_returns=len(first_calls), timeout=0)
        for call in done:
            self._take(first_calls[call])
        now = time.monotonic()
        for actor in list(self._actors):
            if not actor.ready or actor.job is None or now - actor.since <= self.config.timeout_s:
                continue
            if not ray.wait([actor.calls[0][0]], timeout=0)[0]:  # else it answered while the consumer was busy
                self._kill_process(actor)
                self._replace(
                    actor,
                    f"no episode ended in {self.config.timeout_s:.0f} s (raise pool.timeout_s if its worlds are slow)",
                )
        self._hire()

    def _take(self, actor: _Actor) -> None:
        import ray
        from ray.exceptions import RayError, RayTaskError

        call, payload = actor.calls.popleft()
        try:
            answer = ray.get(call)
        except RayTaskError as error:
            if isinstance(error.cause, InputError):
                raise error.cause from None
            raise RuntimeError(f"a rollout actor failed: {type(error.cause).__name__}: {error.cause}") from error
        except RayError as error:
            self._replace(actor, f"{type(error).__name__}: {str(error).splitlines()[0]}")
            return
        actor.since = time.monotonic()
        if not actor.ready:
            actor.place = answer
            self._failed_starts = 0
            self._changed = actor.since
            return
        if actor.job is None:
            return  # an empty piece that was asked for before the chunk's end was known
        actor.job.arrived(answer, payload)
        if actor.job.missing:
            actor.ask()
        else:
            actor.job = None

    def _replace(self, actor: _Actor, reason: str) -> None:
        self._actors.remove(actor)
        self._changed = time.monotonic()
        self._end(actor)
        if not actor.ready:
            self._failed_starts += 1
            if self._failed_starts > self.config.max_restarts:
                raise RuntimeError(
                    f"{self._failed_starts} actors in a row died before they were ready; the last: {reason}"
                )
        job = actor.job
        if job is None:
            return
        job.deaths += 1
        if job.deaths > self.config.max_restarts:
            left = job.chunk.only(job.missing)
            raise RuntimeError(
                f"{job.deaths} actors in a row died on the same {len(left.specs)} TaskSpecs of {left.task} before one "
                f"finished (the first is {left.specs[0].id}, seed {left.specs[0].seed}); the last: {reason}"
            )
        self._waiting.appendleft(job)

    def _end(self, actor: _Actor) -> None:
        import ray

        ray.kill(actor.handle, no_restart=True)

    def _kill_process(self, actor: _Actor) -> None:
        """Kill a hung actor of this machine by its process id; a stopped process does not hear `ray.kill`."""
        import ray

        if actor.place is not None and actor.place[0] == ray.get_runtime_context().get_node_id():
            with suppress(ProcessLookupError):  # it ended in this very moment
                os.kill(actor.place[1], signal.SIGKILL)

    def _fetch(self, job: _Job) -> list[Outcome] | None:
        """A finished chunk's outcomes; None if pieces were lost with their machine and have to be run again."""
        import ray
        from ray.exceptions import ObjectLostError

        outcomes: list[Outcome] = []
        for indices, payload in list(job.pieces):
            try:
                outcomes += ray.get(payload)
            except ObjectLostError:
                job.pieces.remove((indices, payload))
                job.missing.update(indices)
        return None if job.missing else sorted(outcomes, key=lambda outcome: outcome.index)

    def _no_start(self) -> RuntimeError:
        import ray

        wanted = self.config.cpus_per_actor
        return RuntimeError(
            f"no actor started in {self.config.start_timeout_s:.0f} s: each asks for {wanted} CPUs, free are "
            f"{ray.available_resources().get('CPU', 0)} of {ray.cluster_resources().get('CPU', 0)}"
        )
