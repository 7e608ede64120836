"""Small T3s and what their sensors read."""

import published_t3 as published
import torch

from trunkline.agents.agent import Agent
from trunkline.agents.config import AgentConfig
from trunkline.envs.spec import SensorSpec

IMAGE = SensorSpec("digit", "tactile_rgb", (16, 16, 3), "uint8")
WIDE = SensorSpec("wide", "tactile_rgb", (14, 24, 3), "uint8")
PAD = SensorSpec("pad", "taxels", (4, 4, 3))
PROPRIO = SensorSpec("proprio", "proprio", (5,))
SENSORS = {spec.name: spec for spec in (IMAGE, WIDE, PAD, PROPRIO)}
TINY = AgentConfig(
    width=32,
    depth=2,
    attention_heads=2,
    mlp_ratio=4.0,
    trunk="t3",
    encoders={
        "*:tactile_rgb": {"name": "t3", "patch": 4, "depth": 1, "heads": 2, "positions": [4, 4]},
        "*:taxels": {"name": "taxels", "depth": 1, "heads": 2},
    },
)


def make(*names: str, **changes) -> Agent:
    config = AgentConfig(**{**TINY.to_json(), **changes})
    return Agent({name: SENSORS[name] for name in names or SENSORS}, {}, config, seed=1).eval()


def readings(*names: str, batch: int = 3, seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.randint(0, 256, (batch, *SENSORS[name].shape), generator=generator).to(torch.uint8)
        if SENSORS[name].dtype == "uint8"
        else torch.randn(batch, *SENSORS[name].shape, generator=generator)
        for name in names or SENSORS
    }


def shapes(module: torch.nn.Module) -> published.Shapes:
    return {name: tuple(value.shape) for name, value in module.state_dict().items()}
