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
WORLDS_KEPT = 8  # besides those that keep processes, of which there is one at a time


class Runner:
    """Worlds and a policy that run chunks in this process; an actor is one of these."""

    def __init__(self, num_envs: int, num_threads: int) -> None:
        self._size = num_envs, num_threads
        self._policy: Policy | None = None
        self._turn: int | None = None
        self._worlds: dict[tuple[str, tuple[str, ...], str], World] = {}
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
        self._turn = turn

    def run(self, chunk: Chunk) -> Iterator[Outcome]:
        """Run a chunk by the policy in use; outcomes carry their places in the manifest."""
        assert self._policy is not None
        outcomes = run_episodes(
            self._world(chunk),
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

    def _world(self, chunk: Chunk) -> World:
        """What the chunk runs in; worlds stay for later chunks, the one used last at the end."""
        key = chunk.task, chunk.sensors, repr(sorted(chunk.options.items()))
        world = self._worlds.pop(key, None)
        if world is None:
            others = [key for key, world in self._worlds.items() if not world.keeps_processes]
            kept = others[-WORLDS_KEPT + 1 :]
            for other in [key for key in self._worlds if key not in kept]:
                self._worlds.pop(other).close()
            world = make_worlds(chunk.task, self._size[0], chunk.sensors, self._size[1], **chunk.options)
        self._worlds[key] = world
        return world

    def close(self) -> None:
        """Let go of the worlds."""
        while self._worlds:
            self._worlds.popitem()[1].close()
