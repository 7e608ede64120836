"""The pretraining step: inverse-dynamics samples/s, its batch ready in memory, on this machine's devices.

Two agents: vectors (proprio 11, state 22; width 64, depth 2) and pictures (64×64×4, the paper's convolutional
encoder, width 256, depth 4). On CUDA also with bfloat16 and with torch.compile; compilation is not timed. Each figure
is the median of five windows.
"""

import json
import statistics
import time
from dataclasses import replace

import torch

from trunkline.agents.agent import Agent
from trunkline.agents.config import AgentConfig
from trunkline.envs.spec import ActionSpec, SensorSpec
from trunkline.pretrain.batch import TensorBatch
from trunkline.pretrain.objectives import make_objective
from trunkline.pretrain.optimiser import Optimiser
from trunkline.pretrain.step import Trainer

ACTION = ActionSpec("gripper", (4,))
VECTORS = {s.name: s for s in (SensorSpec("proprio", "proprio", (11,)), SensorSpec("object_state", "state", (22,)))}
PICTURES = {s.name: s for s in (SensorSpec("camera", "depth", (64, 64, 4)), SensorSpec("proprio", "proprio", (11,)))}


def samples_per_s(
    sensors: dict[str, SensorSpec], config: AgentConfig, batch: int, device: str, **options: bool
) -> float:
    place = torch.device(device)
    agent = Agent(sensors, {ACTION.name: ACTION}, config, seed=0)
    objective = make_objective("inverse_dynamics")
    objective.build(agent)
    agent.to(place)
    trainer = Trainer(agent, objective, Optimiser(agent, lr=1e-3, steps=1_000_000), device=place, **options)
    generator = torch.Generator().manual_seed(0)
    readings = [
        {name: torch.randn(batch, *s.shape, generator=generator) for name, s in sensors.items()} for _ in range(2)
    ]
    actions = torch.rand(batch, 4, generator=generator) * 2 - 1
    step = TensorBatch(ACTION.name, readings[0], readings[1], actions, (("perf", batch),))
    if device == "cuda":  # a loader would have moved it while the step before ran
        move = {name: value.to(place) for name, value in readings[0].items()}
        after = {name: value.to(place) for name, value in readings[1].items()}
        step = replace(step, observations=move, next_observations=after, actions=actions.to(place))
        object.__setattr__(step, "to", lambda device: step)
    windows = []
    for window in range(6):
        start, done = time.perf_counter(), 0
        while done < 5 or time.perf_counter() - start < 1.0:
            trainer.update([step])
            done += 1
        if device == "cuda":
            torch.cuda.synchronize()
        if window:
            windows.append(done * batch / (time.perf_counter() - start))
    return statistics.median(windows)


def main() -> None:
    vectors = AgentConfig(width=64, depth=2)
    pictures = AgentConfig(width=256, depth=4, attention_heads=8)
    figures = {
        "cpu_vectors": samples_per_s(VECTORS, vectors, 256, "cpu"),
        "cpu_pictures": samples_per_s(PICTURES, pictures, 32, "cpu"),
    }
    if torch.cuda.is_available():
        torch.backends.cuda.matmul.allow_tf32 = True
        for name, options in (
            ("fp32", {}),
            ("bf16", {"bf16": True}),
            ("bf16_compile", {"bf16": True, "compile": True}),
        ):
            figures[f"cuda_vectors_{name}"] = samples_per_s(VECTORS, vectors, 8192, "cuda", **options)
            figures[f"cuda_pictures_{name}"] = samples_per_s(PICTURES, pictures, 1024, "cuda", **options)
        print(torch.cuda.get_device_name())
    for name, value in figures.items():
        print(f"{name:<28} {value:>12,.0f} samples/s")
    print(json.dumps({name: round(value) for name, value in figures.items()}))


if __name__ == "__main__":
    main()
