"""T3: tokens of images and taxels, positions, pooling, missing sensors."""

import pytest
import torch
from t3_agents import IMAGE, PROPRIO, TINY, make, readings, shapes
from torch.nn import functional as F

from trunkline.agents.agent import Agent
from trunkline.agents.config import AgentConfig
from trunkline.agents.t3 import t3_config
from trunkline.agents.vit_blocks import grid_positions, resample_positions
from trunkline.envs.spec import ActionSpec, SensorSpec
from trunkline.errors import InputError


def plain_vit(images: torch.Tensor, encoder: dict, trunk: dict, heads: int, patch: int) -> torch.Tensor:
    """T3's encoder and trunk, written plainly from their description."""

    def norm(x, p, name, eps):
        return F.layer_norm(x, x.shape[-1:], p[f"{name}.weight"], p[f"{name}.bias"], eps)

    def linear(x, p, name):
        return x @ p[f"{name}.weight"].T + p[f"{name}.bias"]

    def blocks(x, p, eps):
        for i in range(sum(name.endswith("norm1.weight") for name in p)):
            b, (rows, tokens, width) = f"blocks.{i}", x.shape
            y = linear(norm(x, p, f"{b}.norm1", eps), p, f"{b}.attn.qkv").view(rows, tokens, 3, heads, width // heads)
            q, k, v = y.permute(2, 0, 3, 1, 4)
            mixed = ((q @ k.transpose(-1, -2)) / (width // heads) ** 0.5).softmax(-1) @ v
            x = x + linear(mixed.transpose(1, 2).reshape(rows, tokens, width), p, f"{b}.attn.proj")
            y = linear(norm(x, p, f"{b}.norm2", eps), p, f"{b}.mlp.fc1")
            x = x + linear(y * 0.5 * (1 + torch.erf(y / 2**0.5)), p, f"{b}.mlp.fc2")
        return x

    x = images.permute(0, 3, 1, 2).float() / 127.5 - 1
    x = F.conv2d(x, encoder["patch_embed.proj.weight"], encoder["patch_embed.proj.bias"], patch).flatten(2)
    x = torch.cat([encoder["cls_token"].expand(len(x), -1, -1), x.transpose(1, 2)], 1) + encoder["pos_embed"]
    return norm(blocks(blocks(x, encoder, 1e-6), trunk, 1e-5), trunk, "norm", 1e-5)


def test_tokens_are_those_of_a_plain_vit():
    agent = make("digit")
    with torch.no_grad():
        for parameter in agent.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
        tokens = agent.tokens(readings("digit"))
        expected = plain_vit(
            readings("digit")["digit"], agent.encoders["digit"].state_dict(), agent.trunk.state_dict(), 2, 4
        )
    assert tokens.shape == (3, 17, 32) and torch.allclose(tokens, expected, atol=1e-4)
    assert torch.allclose(agent.encode(readings("digit")), expected[:, 0], atol=1e-4)


def test_positions_are_sines_and_cosines_of_column_then_row():
    table = grid_positions(3, 5, 16)[0]
    assert table.shape == (16, 16) and not table[0].any()
    cell, frequency = table[1 + 2 * 5 + 4], 10000.0 ** -(1 / 4)
    expected = torch.tensor([4 * frequency, 2 * frequency])
    assert torch.allclose(cell[[1, 9]], expected.sin()) and torch.allclose(cell[[5, 13]], expected.cos())


def test_one_set_of_weights_serves_images_of_any_size():
    specs = {
        "digit": SensorSpec("digit", "tactile_rgb", (16, 16, 3), "uint8"),
        "sharp": SensorSpec("sharp", "tactile_rgb", (32, 32, 3), "uint8"),
        "odd": SensorSpec("odd", "tactile_rgb", (31, 18, 3), "uint8"),
    }
    agent = Agent(specs, {}, TINY).eval()
    for name, tokens in (("sharp", 65), ("odd", 33)):
        agent.encoders[name].load_state_dict(agent.encoders["digit"].state_dict())
        assert agent.tokens({name: torch.zeros(2, *specs[name].shape, dtype=torch.uint8)}).shape == (2, tokens, 32)
    assert torch.equal(agent.encoders["digit"].positions(), agent.encoders["digit"].pos_embed)
    ramp = F.pad(torch.arange(4.0).repeat(4).view(1, 16, 1), (0, 0, 1, 0), value=9.0)
    finer = resample_positions(ramp, (4, 4), (8, 8))
    inner = finer[0, 1:, 0].view(8, 8)[:, 2:6]
    assert finer[0, 0] == 9 and torch.allclose(inner, torch.tensor([0.75, 1.25, 1.75, 2.25]).expand(8, 4), atol=0.1)


def test_taxels_are_a_set_of_readings_with_places():
    form = {"positions_mm": [[0.0, 0.0], [4.0, 1.0], [1.0, 6.0]]}
    spec = SensorSpec("tip", "taxels", (3, 1, 2), form=form)
    order = [2, 0, 1]
    turned = SensorSpec("tip", "taxels", (3, 1, 2), form={"positions_mm": [form["positions_mm"][i] for i in order]})
    first, second = (Agent({"tip": s}, {}, TINY, seed=1).eval() for s in (spec, turned))
    values = torch.randn(2, 3, 1, 2)
    features = first.encode({"tip": values})
    assert torch.allclose(features, second.encode({"tip": values[:, order]}), atol=1e-5)
    assert not torch.allclose(features, second.encode({"tip": values}), atol=1e-3)
    grids = [Agent({"pad": SensorSpec("pad", "taxels", (*n, 2))}, {}, TINY) for n in ((4, 4), (12, 8), (19, 1))]
    assert len({str(shapes(agent.encoders["pad"])) for agent in grids}) == 1
    assert grids[1].tokens({"pad": torch.randn(2, 12, 8, 2)}).shape == (2, 97, 32)
    squares = Agent({"pad": SensorSpec("pad", "taxels", (12, 8, 1))}, {}, AgentConfig(encoders={"*": {"patch": 4}}))
    encoder = squares.encoders["pad"]
    assert encoder.grid == (3, 2) and encoder.patches(torch.randn(2, 12, 8, 1)).shape == (2, 6, 16)
    assert torch.allclose(encoder.places[0], torch.tensor([-2.0, 4.0])) and encoder.places.shape == (6, 2)


@pytest.mark.parametrize(
    ("spec", "options", "message"),
    [
        (SensorSpec("s", "taxels", (4, 4)), {"name": "taxels"}, "takes arrays"),
        (SensorSpec("s", "taxels", (4, 4, 1)), {"patch": 3}, "patch=3 does not divide the 4×4 array"),
        (SensorSpec("s", "taxels", (2, 1, 1), form={"positions_mm": [[0, 0]]}), {}, r"must be 2 pairs \(x, y\)"),
        (SensorSpec("s", "tactile_rgb", (8,)), {"name": "t3"}, "takes images"),
        (IMAGE, {"name": "t3", "positions": [0, 2]}, r"positions=\[0, 2\] must be \[rows, columns\]"),
        (IMAGE, {"name": "t3", "heads": 5}, "multiple of the number of attention heads 5"),
    ],
)
def test_bad_sensors_and_options(spec, options, message):
    with pytest.raises(InputError, match=message):
        Agent({spec.name: spec}, {}, AgentConfig(encoders={spec.name: options}))


def test_missing_sensors_are_missing_tokens():
    for pooling in ("cls", "global"):
        agent = make(trunk_options={"pooling": pooling})
        everything = readings()
        present = {"wide": torch.tensor([True, False, True]), "proprio": torch.tensor([True, False, True])}
        partial = agent.encode(everything, present=present)
        assert torch.allclose(partial[::2], agent.encode(everything)[::2], atol=1e-5)
        rest = agent.encode(readings("digit", "pad") | {n: everything[n] for n in ("digit", "pad")})
        assert torch.allclose(partial[1], rest[1], atol=1e-5)


def test_pooling_is_the_trunks():
    batch = readings("digit")
    cls, mean, none = (make("digit", trunk_options={"pooling": p}) for p in ("cls", "global", "none"))
    assert torch.allclose(cls.encode(batch), cls.tokens(batch)[:, 0])
    raw = cls.trunk._run(cls.encoders["digit"](batch["digit"]), None)
    assert torch.allclose(mean.encode(batch), raw[:, 1:].mean(1), atol=1e-6)  # T3 pools before the norm
    assert torch.equal(none.tokens(batch), cls.tokens(batch))
    with pytest.raises(InputError, match="has no features"):
        none.encode(batch)


def test_checkpointing_changes_memory_alone():
    gradients = []
    for checkpointing in (False, True):
        agent = Agent({"digit": IMAGE}, {}, t3_config("nano", image=16, checkpointing=checkpointing), seed=3).train()
        agent.tokens(readings("digit")).square().mean().backward()
        gradients.append({n: p.grad for n, p in agent.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    assert all(torch.allclose(g, gradients[1][n], atol=1e-6) for n, g in gradients[0].items())


def test_a_policy_can_act_by_touch():
    body = ActionSpec("gripper", (4,))
    agent = Agent({"digit": IMAGE, "proprio": PROPRIO}, {"gripper": body}, TINY)
    actions, _ = agent.act({name: value.numpy() for name, value in readings("digit", "proprio").items()})
    assert actions.shape == (3, 4)
