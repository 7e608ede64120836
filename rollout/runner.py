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

    def __init__(self, policy: PolicyConfig | Policy, num_envs: int, num_threads: int) -> None:
        self._policy_config = policy
        self._size = num_envs, num_threads
        self._policy: Policy | None = None
        self._worlds: dict[tuple[str, tuple[str, ...], str], World] = {}
        self._running: Iterator[Outcome] = iter(())
        self._filming = False

    def prepare(self) -> tuple[str, int]:
        """Load the policy; where this runs: (Ray node id, process id)."""
        import ray

        if isinstance(self._policy_config, PolicyConfig) and self._policy_config.kind == "checkpoint":
            import torch

            torch.set_num_threads(1)  # a core an actor: the batches are small
        self.policy()
        return ray.get_runtime_context().get_node_id(), os.getpid()

    def policy(self) -> Policy:
        """The policy, loaded on first use."""
        if self._policy is None:
            given = self._policy_config
            self._policy = make_policy(given) if isinstance(given, PolicyConfig) else given
        return self._policy

    def run(self, chunk: Chunk) -> Iterator[Outcome]:
        """Run a chunk; outcomes carry their places in the manifest."""
        key = chunk.task, chunk.sensors, repr(sorted(chunk.options.items()))
        if key not in self._worlds:
            self._worlds[key] = make_worlds(chunk.task, self._size[0], chunk.sensors, self._size[1], **chunk.options)
        outcomes = run_episodes(
            self._worlds[key],
            self.policy(),
            chunk.specs,
            record=chunk.record,
            film=chunk.film,
            frame_size=chunk.frame_size,
        )
        for outcome in outcomes:
            yield replace(outcome, index=chunk.indices[outcome.index])

    def advance(self, chunk: Chunk | None) -> tuple[tuple[int, ...], list[Outcome]]:
        """Begin `chunk`, or go on with the present one, for a moment: (places of what finished, the outcomes)."""
        if chunk is not None:
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
        for world in self._worlds.values():
            world.close()
        self._worlds.clear()
