"""T3: sizes and names, encoders of images and taxels, the trunk, heads, masked autoencoding."""

import json

import numpy as np
import published_t3 as published
import pytest
import torch
from torch.nn import functional as F

from trunkline.agents.agent import Agent
from trunkline.agents.checkpoint import load_agent, load_into, save_agent
from trunkline.agents.config import AgentConfig
from trunkline.agents.encoders.patches import PatchMask
from trunkline.agents.registry import trunk_names
from trunkline.agents.t3 import SIZES, mae_head, t3_config
from trunkline.agents.vit_blocks import grid_positions, resample_positions
from trunkline.envs.spec import ActionSpec, SensorSpec
from trunkline.errors import InputError
from trunkline.run_folder import RunFolder

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


def shapes(module: torch.nn.Module) -> published.Shapes:
    return {name: tuple(value.shape) for name, value in module.state_dict().items()}


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
    assert {"t3", "transformer"} <= set(trunk_names())


# Computing


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


# Masked autoencoding


def test_masks_hide_a_share_of_the_patches_of_each_row():
    mask = PatchMask.draw(6, 196, generator=torch.Generator().manual_seed(0))
    assert mask.keep.shape == (6, 117) and (mask.hidden.sum(1) == 79).all()
    for row in range(6):
        assert not mask.hidden[row, mask.keep[row]].any() and len(set(mask.keep[row].tolist())) == 117
    assert torch.equal(mask.restore.gather(1, mask.keep), torch.arange(117).expand(6, -1))
    again = PatchMask.draw(6, 196, generator=torch.Generator().manual_seed(0))
    assert torch.equal(mask.keep, again.keep) and not torch.equal(mask.keep[0], mask.keep[1])
    with pytest.raises(InputError, match=r"mask ratio 1\.0"):
        PatchMask.draw(1, 4, 1.0)


@pytest.mark.parametrize("sensor", ["digit", "wide", "pad"])
def test_predictions_see_kept_patches_alone_and_learn(sensor):
    agent = make(sensor)
    encoder = agent.encoders[sensor]
    kind, options = mae_head(encoder, "nano")
    head = agent.make_head("mae", kind, **options)
    batch = readings(sensor, batch=4)
    mask = PatchMask.draw(4, encoder.count, head.mask_ratio, generator=torch.Generator().manual_seed(1))

    def predict(values: torch.Tensor) -> torch.Tensor:
        return head(agent.tokens({sensor: values}, keep={sensor: mask.keep}), mask=mask, encoder=encoder)

    patches = encoder.patches(batch[sensor])
    hidden, before = mask.hidden.unsqueeze(-1), predict(batch[sensor])
    assert before.shape == patches.shape == (4, encoder.count, encoder.patch_values)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoder, "cut", lambda values, cut=encoder.cut: cut(values).masked_fill(hidden, 7.0))
        assert torch.equal(before, predict(batch[sensor]))
        patch.setattr(encoder, "cut", lambda values: patches.masked_fill(~hidden, 7.0))
        assert not torch.allclose(before, predict(batch[sensor]), atol=1e-3)
    targets = patches
    if head.normalise:
        targets = (patches - patches.mean(-1, keepdim=True)) / patches.std(-1, keepdim=True)
    assert head.loss(targets.masked_fill(~hidden, 9.0), patches, mask) < 1e-6
    optimiser = torch.optim.Adam(agent.parameters(), 3e-3)
    losses = []
    for _ in range(12):
        loss = head.loss(predict(batch[sensor]), patches, mask)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_masks_and_decoders_need_patches_that_fit():
    agent = make("digit", "pad", "proprio")
    with pytest.raises(InputError, match="'proprio' has no patches"):
        agent.tokens(readings("proprio"), keep={"proprio": torch.zeros(3, 1, dtype=torch.int64)})
    head = agent.make_head("mae", "t3_mae", values=48, positions=[4, 4], dim=32, depth=1, heads=2)
    mask = PatchMask.draw(3, 16)
    tokens = agent.tokens(readings("pad"), keep={"pad": mask.keep})
    with pytest.raises(InputError, match="patches of 3 values, its decoder predicts 48"):
        head(tokens, mask=mask, encoder=agent.encoders["pad"])


def test_frozen_positions_stay_frozen():
    agent = make("digit", encoders={"*": {"name": "t3", "mae": True, "patch": 4, "heads": 2}})
    encoder = agent.encoders["digit"]
    agent.freeze(["encoders"])
    agent.unfreeze(["encoders"])
    assert torch.equal(encoder.pos_embed, grid_positions(4, 4, 32)) and not encoder.pos_embed.requires_grad
    assert encoder.blocks[0].norm1.eps == 1e-5 and make("digit").encoders["digit"].blocks[0].norm1.eps == 1e-6
    assert shapes(encoder).keys() == shapes(make("digit").encoders["digit"]).keys() | {
        name for name in shapes(encoder) if name.startswith(("blocks.1", "blocks.2"))
    }


# Heads


def test_losses_are_the_published_ones():
    agent = make("digit")
    variance = agent.make_head("v", "t3_variance", outputs=2, mean=[1.0, 0.0], std=[2.0, 1.0])
    outputs, targets = torch.tensor([[0.0, 3.0]]), torch.tensor([[5.0, 0.0]])
    assert torch.isclose(variance.loss(outputs, targets), torch.tensor((4 + 9) / 2).sqrt() / 5)
    assert torch.equal(variance.predict(outputs), torch.tensor([[1.0, 3.0]]))
    zero = variance.loss(torch.tensor([[2.0, 0.0]], requires_grad=True), targets)
    zero.backward()  # no infinite slope
    tokens = torch.randn(4, 17, 32)
    assert torch.allclose(variance(tokens), variance.model(tokens[:, 1:].mean(1)))
    classes = agent.make_head("c", "t3_classification", classes=5)
    assert torch.allclose(classes(tokens), classes.model(tokens[:, 0])) and classes.predict(classes(tokens)).shape == (
        4,
    )
    pose = agent.make_head("p", "t3_pose", outputs=9)
    assert torch.isclose(pose.loss(torch.ones(2, 9), torch.zeros(2, 9)), torch.tensor(1.0))


def test_ordinal_grades_are_ordered():
    head = make("digit").make_head("o", "t3_ordinal", grades=5)
    outputs = head(torch.randn(64, 17, 32))
    assert (outputs.diff(dim=1) < 0).all() and torch.allclose(head.probabilities(outputs).sum(1), torch.ones(64))
    flat = head.probabilities(torch.zeros(1, 4) - torch.cat([head.first, head.first + F.softplus(head.gaps).cumsum(0)]))
    assert torch.allclose(flat, torch.full((1, 5), 0.2), atol=1e-5)
    logits = torch.tensor([[9.0, 8.0, -8.0, -9.0]])
    assert head.predict(logits) == 2
    losses = [head.loss(logits, torch.tensor([grade])) for grade in range(5)]
    assert losses[2] == min(losses) and losses[0] > losses[1] and losses[4] > losses[3]
    score = torch.linspace(-4, 4, 200)
    tokens = torch.zeros(200, 2, 32)
    tokens[:, 0, 0] = score
    grades = ((score + 4) / 8 * 5).long().clamp(max=4)
    optimiser = torch.optim.Adam(head.parameters(), 1e-2)
    head.train()
    for _ in range(60):
        optimiser.zero_grad()
        head.loss(head(tokens), grades).backward()
        optimiser.step()
    assert (head.eval().predict(head(tokens)) - grades).abs().float().mean() < 0.3


def test_masks_lie_where_the_patches_are():
    head = make("digit").make_head("m", "t3_mask", cells=2, hidden=[4])
    with torch.no_grad():
        head.model[0].weight.zero_()
        head.model[0].weight[0, 0] = 10
        head.model[-1].weight.zero_()
        head.model[-1].weight[1, 0] = 1  # the upper right of a patch's four cells
        head.model[-1].bias.fill_(-1)
    tokens = torch.zeros(1, 1 + 3 * 5, 32)
    tokens[0, 1 + 2 * 5 + 4, 0] = 1
    mask = head.predict(head(tokens, grid=(3, 5)))
    assert mask.shape == (1, 6, 10) and mask.nonzero().tolist() == [[0, 4, 9]]
    truth = torch.zeros(1, 60, 100)
    truth[0, 40:50, 90:100] = 1
    good = head.loss(torch.where(mask, 9.0, -9.0), truth)
    assert good < 1e-3 and head.loss(torch.where(mask, -9.0, 9.0), truth) > 5
    with pytest.raises(InputError, match="15 patches are no grid of 4×4"):
        head(tokens)


def test_pose_looks_at_two_touches_in_order_through_one_tower():
    agent = make("digit", "wide")
    head = agent.make_head("p", "t3_pose", outputs=3)
    first, second = (agent.tokens(readings("wide", seed=s)) for s in (1, 2))
    outputs = head(first, second, grid=agent.encoders["wide"].grid)
    assert outputs.shape == (3, 3) and head.touches == 2
    assert not torch.allclose(outputs, head(second, first, grid=agent.encoders["wide"].grid))


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
