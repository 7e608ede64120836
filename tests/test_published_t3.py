"""T3's published weights in and out: names, bits, and what is refused."""

import shutil
from pathlib import Path

import published_t3 as published
import pytest
import torch

from trunkline.agents.checkpoint import load_agent, save_agent
from trunkline.agents.published_t3 import export_t3, import_t3
from trunkline.agents.vit_blocks import grid_positions
from trunkline.cli import main
from trunkline.envs.spec import SensorSpec
from trunkline.errors import InputError


@pytest.fixture
def weights(tmp_path) -> Path:
    return published.write(tmp_path / "t3", published.small())


def edit(path: Path, change) -> None:
    tensors = torch.load(path, weights_only=True)
    change(tensors)
    torch.save(tensors, path)


def test_in_and_out_again_is_the_same_bit_by_bit(weights, tmp_path, capsys):
    assert main(["import", "t3", str(weights), "heads=2", f"out={tmp_path / 'agent'}"]) == 0
    said = capsys.readouterr().out
    assert "encoders/digit.pth = encoders/digit: ViT, patch 4, images 8×8×3; 28 tensors" in said
    assert "decoders/variance_estimation.pth = heads/variance_estimation: t3_variance" in said
    assert "statistics" in said and "heads/pose_estimation_6d_digit: t3_pose" in said
    agent = load_agent(tmp_path / "agent")
    assert set(agent.parts) == {
        name.replace("decoders/", "heads/") for name in published.small()
    }  # and no fresh head such as a value
    assert agent.heads["pose_estimation_6d_digit"].outputs == 9 and agent.heads["cls_material"].classes == 7
    assert main(["export", "t3", str(tmp_path / "agent"), f"out={tmp_path / 'back'}"]) == 0
    files = sorted(p.relative_to(weights) for p in weights.rglob("*.pth"))
    assert files == sorted(p.relative_to(tmp_path / "back") for p in (tmp_path / "back").rglob("*.pth"))
    for file in files:
        mine, theirs = (torch.load(folder / file, weights_only=True) for folder in (tmp_path / "back", weights))
        assert mine.keys() == theirs.keys()
        for name, tensor in theirs.items():
            assert mine[name].dtype == tensor.dtype and torch.equal(mine[name], tensor), (file, name)


def test_imported_weights_compute_and_belong_to_their_sensor(weights, tmp_path):
    agent, _ = import_t3(weights, tmp_path / "agent", heads=2)
    images = torch.randint(0, 255, (2, 8, 8, 3), dtype=torch.uint8)
    tokens = agent.tokens({"digit": images})
    assert not torch.allclose(tokens, agent.tokens({"mini": images}))
    assert agent.heads["pose_estimation_6d_digit"](tokens, tokens).shape == (2, 9)
    with pytest.raises(InputError, match="unknown sensor 'gs_green'"):
        load_agent(tmp_path / "agent", sensors={"gs_green": SensorSpec("gs_green", "tactile_rgb", (8, 8, 3), "uint8")})
    with pytest.raises(InputError, match=r"unknown encoder 'gs_green'.*no other sensor's weights"):
        import_t3(weights, encoders=["digit", "gs_green"], heads=2)


def test_encoders_for_masked_autoencoding_are_told_by_their_positions(weights):
    edit(weights / "encoders/digit.pth", lambda t: t.update(pos_embed=grid_positions(2, 2, 32)))
    agent, _ = import_t3(weights, heads=2)
    assert agent.config.encoders["digit"]["mae"] and not agent.config.encoders["mini"]["mae"]
    (weights / "decoders/mae_recon_single.pth").unlink()
    agent, _ = import_t3(weights, heads=2)
    assert not agent.config.encoders["digit"]["mae"]


def test_what_the_weights_do_not_tell_can_be_told(weights):
    with pytest.raises(InputError, match="32 wide, which is no published size; name its attention heads"):
        import_t3(weights)
    agent, _ = import_t3(weights, heads=4, kinds={"cls_material": "t3_variance"})
    assert agent.heads["cls_material"].kind == "t3_variance" and agent.heads["cls_material"].outputs == 7
    with pytest.raises(InputError, match="did you mean 'cls_material'"):
        import_t3(weights, heads=4, kinds={"cls_materiall": "t3_variance"})


class Malicious:
    def __reduce__(self):
        return (print, ("pwned",))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda p: (p / "trunk.pth").unlink(), "trunk.pth is missing"),
        (lambda p: shutil.rmtree(p / "encoders"), "every sensor needs its own encoder"),
        (lambda p: (p / "encoders/digit.txt").write_text("x"), "digit.txt is not of T3's layout"),
        (lambda p: (p / "old.pth").write_text("x"), "old.pth is not of T3's layout"),
        (lambda p: torch.save(Malicious(), p / "trunk.pth"), "trunk.pth is no whole file of plain tensors"),
        (lambda p: (p / "trunk.pth").write_bytes(b"half a file"), "trunk.pth is no whole file of plain tensors"),
        (lambda p: torch.save([torch.zeros(1)], p / "trunk.pth"), "trunk.pth holds no state_dict"),
        (lambda p: edit(p / "trunk.pth", lambda t: t.pop("norm.bias")), "lacks the tensor 'norm.bias'"),
        (lambda p: edit(p / "trunk.pth", lambda t: t.update(head=torch.zeros(1))), "'head' would be left over"),
        (lambda p: edit(p / "encoders/mini.pth", lambda t: t.pop("cls_token")), "lacks the tensor 'cls_token'"),
        (
            lambda p: edit(p / "encoders/mini.pth", lambda t: t.update(pos_embed=torch.zeros(1, 4, 32))),
            "not of a square",
        ),
        (
            lambda p: edit(p / "encoders/mini.pth", lambda t: t.update(cls_token=torch.zeros(1, 1, 8))),
            r"'cls_token' has shape \(1, 1, 8\), not \(1, 1, 32\)",
        ),
        (
            lambda p: edit(p / "trunk.pth", lambda t: t.update({"norm.bias": torch.zeros(32, dtype=torch.float16)})),
            "is of type torch.float16",
        ),
        (lambda p: torch.save({"fc.weight": torch.zeros(1)}, p / "decoders/x.pth"), "is of no head that T3 published"),
    ],
)
def test_weights_that_are_not_whole_or_more_are_refused(weights, tmp_path, damage, message, capsys):
    damage(weights)
    assert main(["import", "t3", str(weights), "heads=2", f"out={tmp_path / 'agent'}"]) == 2
    said = capsys.readouterr()
    assert message.replace("\\", "") in said.err and said.err.count("\n") == 1 and "pwned" not in said.out
    assert not (tmp_path / "agent").exists()


def test_export_refuses_what_the_layout_cannot_hold(weights, tmp_path, capsys):
    agent, _ = import_t3(weights, heads=2)
    agent.make_head("value", "value")
    agent.add_sensor(SensorSpec("pad", "taxels", (4, 4, 1)))
    save_agent(agent, tmp_path / "agent")
    with pytest.raises(InputError, match=r"encoders/pad is 'taxels'.*skip=\[encoders/pad\]"):
        export_t3(tmp_path / "agent", tmp_path / "back", skip=["heads/value"])
    assert not (tmp_path / "back").exists()
    report = export_t3(tmp_path / "agent", tmp_path / "back", skip=["heads/value", "encoders/pad"])
    assert "left out: encoders/pad, heads/value" in str(report)
    with pytest.raises(InputError, match="exists and is not replaced"):
        export_t3(tmp_path / "agent", weights)
    for arguments, message in (
        (["import", "t4"], "did you mean 't3'"),
        (["import", "t3"], "usage: trunkline import t3"),
        (["export", "t3", "none"], "out is missing"),
        (["export", "t3", "none", f"out={tmp_path / 'n'}"], "no checkpoint at none"),
    ):
        assert main(arguments) == 2 and message in capsys.readouterr().err
