"""Worlds and a policy that run chunks in one process."""

import os
import time
from collections.abc import Iterator
from dataclasses import replace

from trunkline.envs.base import World
from trunkline.envs.registry import make_worlds
from trunkline.rollout.chunks import Chunk
from trunkline.rollout.episodes import Finished, Outcome, run_episodes
from trunkline.rollout.policies import Policy, PolicyConfig, make_policy

PIECE_SECONDS = 0.5
PIECE_BYTES = 8 << 20


class Runner:
    """Worlds and a policy that run chunks in this process; an actor is one of these."""

    def __init__(self, num_envs: int, num_threads: int) -> None:
        self._size = num_envs, num_threads
        self._policy: Policy | None = None
        self._turn: int | None = None
        self._worlds: dict[tuple[str, tuple[str, ...], str], World] = {}
        self._idle: set[tuple[str, tuple[str, ...], str]] = set()
        self._running: Iterator[Outcome] = iter(())

    def where(self) -> tuple[str, int]:
        """Where this runs: (Ray node id, process id)."""
        import ray

        return ray.get_runtime_context().get_node_id(), os.getpid()

    def use(self, policy: PolicyConfig | Policy, turn: int = 0) -> None:
        """Act by this policy from now on; one that this `turn` brought already is kept."""
        if turn == self._turn:
            return
        if isinstance(policy, PolicyConfig):
            self._policy = make_policy(policy)
        else:
            self._policy = policy
        self._turn, self._idle = turn, set(self._worlds)

    def run(self, chunk: Chunk) -> Iterator[Outcome]:
        """Run a chunk by the policy in use; outcomes carry their places in the manifest."""
        assert self._policy is not None
        key = chunk.task, chunk.sensors, repr(sorted(chunk.options.items()))
        self._idle.discard(key)
        if key not in self._worlds:
            self._close(self._idle)  # what only an earlier policy needed makes room
            self._worlds[key] = make_worlds(chunk.task, self._size[0], chunk.sensors, self._size[1], **chunk.options)
        outcomes = run_episodes(
            self._worlds[key],
            self._policy,
            chunk.specs,
            record=chunk.record,
            film=chunk.film,
            frame_size=chunk.frame_size,
        )
        for outcome in outcomes:
            yield replace(outcome, index=chunk.indices[outcome.index])

    def advance(
        self, chunk: Chunk | None, policy: PolicyConfig | None = None, turn: int = 0
    ) -> tuple[tuple[int, ...], list[Outcome]]:
        """Begin `chunk`, or go on with the present one, for a moment: (places of what finished, the outcomes)."""
        if chunk is not None:
            assert policy is not None
            if policy.kind == "checkpoint":
                import torch

                torch.set_num_threads(1)  # a core an actor: the batches are small
            self.use(policy, turn)
            self._running = self.run(chunk)
        deadline = time.monotonic() + PIECE_SECONDS
        outcomes: list[Outcome] = []
        size = 0
        for outcome in self._running:
            outcomes.append(outcome)
            if isinstance(outcome, Finished):
                size += outcome.episode.nbytes + (0 if outcome.frames is None else outcome.frames.nbytes)
            if size >= PIECE_BYTES or time.monotonic() >= deadline:
                break
        return tuple(outcome.index for outcome in outcomes), outcomes

    def close(self) -> None:
        """Let go of the worlds."""
        self._close(set(self._worlds))

    def _close(self, keys: set[tuple[str, tuple[str, ...], str]]) -> None:
        for key in keys:
            self._worlds.pop(key).close()
        self._idle = self._idle - keys
