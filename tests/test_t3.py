"""T3: published sizes and names, and checkpoints."""

import json

import numpy as np
import published_t3 as published
import pytest
import torch
from t3_agents import PROPRIO, make, readings, shapes

from trunkline.agents.agent import Agent
from trunkline.agents.checkpoint import load_agent, load_into, save_agent
from trunkline.agents.config import AgentConfig
from trunkline.agents.t3 import SIZES, t3_config
from trunkline.envs.spec import SensorSpec
from trunkline.errors import InputError
from trunkline.run_folder import RunFolder


def count(shapes: published.Shapes) -> int:
    return sum(int(np.prod(shape)) for name, shape in shapes.items() if "running" not in name and "num_" not in name)


# Sizes


@pytest.mark.parametrize(
    ("size", "heads", "whole", "path"),
    [("tiny", 3, 12, 5.5), ("small", 6, 45, 21.7), ("medium", 12, 174, 85.8)],
)
def test_published_sizes_have_the_published_parameters_one_by_one(size, heads, whole, path):
    names = ["digit", "mini", "wedge", "gs_black", "gs_tag"]
    with torch.device("meta"):
        agent = Agent(
            {n: SensorSpec(n, "tactile_rgb", (224, 224, 3), "uint8") for n in names}, {}, t3_config(size), seed=0
        )
        agent.make_head("touch_and_go", "t3_classification", classes=22)
    agent.remove_head("value")
    d = SIZES[size].width
    assert SIZES[size].heads == agent.config.attention_heads == heads
    for name in names:
        assert shapes(agent.encoders[name]) == published.encoder(d)
    assert shapes(agent.trunk) == published.trunk(d) and shapes(agent.heads["touch_and_go"]) == published.mlp(d, 22)
    block = 12 * d**2 + 13 * d
    encoder, trunk = 3 * block + (768 * d + d) + d + 197 * d, 9 * block + 2 * d
    head = (256 * d + 256) + (128 * 256 + 128) + (64 * 128 + 64) + (22 * 64 + 22)
    total = sum(p.numel() for p in agent.parameters())
    assert total == 5 * encoder + trunk + head and round(total / 1e6) == whole
    assert round((encoder + trunk) / 1e6, 1) == path


def test_large_is_as_near_to_the_published_304_million_as_vit_l_gets():
    d = SIZES["large"].width
    block = 12 * d**2 + 13 * d
    five_encoders = 5 * (3 * block + 967 * d) + 9 * block + 2 * d + count(published.mlp(d, 22))
    vit_l = 24 * block + 967 * d + 2 * d + count(published.mlp(d, 22))
    assert (d, SIZES["large"].heads) == (1024, 16) and 12 * block == 151_154_688
    assert round(five_encoders / 1e6) == 308 and round(vit_l / 1e6) == 304


@pytest.mark.parametrize("kind", ["t3_variance", "t3_pose", "t3_mae"])
def test_other_heads_have_the_published_names_and_shapes(kind):
    agent = make("digit")
    expected = {
        "t3_variance": published.mlp(32, 1),
        "t3_pose": published.pose(32, 3),
        "t3_mae": published.mae(32, patch=16),
    }[kind]
    assert shapes(agent.make_head("head", kind)) == expected


def test_unknown_sizes_and_trunks_name_the_nearest():
    with pytest.raises(InputError, match="did you mean 'medium'"):
        t3_config("medum")
    with pytest.raises(InputError, match="must divide the image"):
        t3_config("nano", image=60)
    with pytest.raises(InputError, match="did you mean 't3'"):
        make("digit", trunk="t33")
    with pytest.raises(InputError, match="at least one block"):
        make("digit", depth=0)
    with pytest.raises(InputError, match="did you mean 'pooling'"):
        make("digit", trunk_options={"poling": "cls"})
    with pytest.raises(InputError, match="did you mean 'global'"):
        make("digit", trunk_options={"pooling": "globl"})


# Checkpoints


def test_checkpoints_hold_everything_also_running_statistics(tmp_path):
    agent = make("digit", "pad")
    head = agent.make_head("pose", "t3_pose", outputs=9)
    agent.make_head("force", "t3_variance", outputs=3, mean=[0.0, 0.0, 2.0], std=[1.0, 1.0, 4.0])
    agent.make_head("mae", "t3_mae", values=48, positions=[4, 4], dim=32, depth=1, heads=2)
    agent.make_head("mae_pad", "t3_mae_taxels", values=3, dim=32, depth=1, heads=2)
    agent.train()
    head(agent.tokens(readings("digit")), agent.tokens(readings("digit", seed=1)))
    assert head.conv_layers[0].bn1.num_batches_tracked == 2  # once a tower
    agent.freeze(["heads/pose"])
    before = head.conv_layers[0].bn1.running_mean.clone()
    head(agent.tokens(readings("digit")), agent.tokens(readings("digit", seed=1)))
    assert torch.equal(before, head.conv_layers[0].bn1.running_mean)  # frozen means frozen
    save_agent(agent, tmp_path / "a")
    loaded = load_agent(tmp_path / "a")
    assert loaded.config == agent.config and loaded.sensors == agent.sensors
    assert loaded.state_dict().keys() == agent.state_dict().keys()
    assert all(torch.equal(value, agent.state_dict()[name]) for name, value in loaded.state_dict().items())
    assert torch.equal(loaded.heads["force"].scale.std, torch.tensor([1.0, 1.0, 4.0]))
    batch = readings("digit", "pad")
    assert torch.equal(agent.eval().tokens(batch), loaded.tokens(batch))


def test_another_trunk_is_another_part(tmp_path):
    save_agent(make("digit"), tmp_path / "a")
    with pytest.raises(InputError, match="built with pooling='cls', the agent's with 'global'"):
        load_into(make("digit", trunk_options={"pooling": "global"}), tmp_path / "a")
    with pytest.raises(InputError, match="built with trunk='t3', the agent's with 'transformer'"):
        load_into(make("digit", trunk="transformer"), tmp_path / "a", allow=["encoders"], parts=["trunk"])
    load_into(make("digit", trunk_options={"checkpointing": True}), tmp_path / "a")  # changes no meaning


def test_what_was_written_before_trunks_had_names_still_works(tmp_path):
    agent = Agent({"proprio": PROPRIO}, {}, AgentConfig(width=16, depth=1))
    save_agent(agent, tmp_path / "a")
    file = tmp_path / "a" / "agent.json"
    described = json.loads(file.read_text())
    for key in ("trunk", "trunk_options"):
        del described["config"][key]
    file.write_text(json.dumps(described))
    loaded = load_agent(tmp_path / "a")
    assert loaded.config == agent.config and type(loaded.trunk).__name__ == "TransformerTrunk"
    assert torch.equal(loaded.encode(readings("proprio")), agent.eval().encode(readings("proprio")))
    run = RunFolder(tmp_path / "run")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text("width: 16\ndepth: 1\n")
    run.check(AgentConfig(width=16, depth=1))
    with pytest.raises(InputError, match="trunk is 't3', the run there has 'transformer'"):
        run.check(AgentConfig(width=16, depth=1, trunk="t3"))
