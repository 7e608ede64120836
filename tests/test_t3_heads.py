"""T3's heads, and masked autoencoding."""

import pytest
import torch
from t3_agents import make, readings, shapes
from torch.nn import functional as F

from trunkline.agents.encoders.patches import PatchMask
from trunkline.agents.t3 import mae_head
from trunkline.agents.vit_blocks import grid_positions
from trunkline.errors import InputError

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
