"""Goals as pictures with a mask: encoders, auxiliary heads in imitation and RL, and labels that no policy reads."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from views import BODY, view_agent, view_batch, view_config, view_sensors

from trunkline.agents.agent import Agent
from trunkline.agents.checkpoint import load_agent, save_agent
from trunkline.agents.config import AgentConfig
from trunkline.agents.encoders.distinct import distinct_rows
from trunkline.agents.heads.auxiliary import auxiliary_losses
from trunkline.agents.heads.target_view import TargetViewHead
from trunkline.agents.registry import default_encoder
from trunkline.agents.training_state import load_training
from trunkline.data.episode import Episode
from trunkline.data.writer import EpisodeWriter
from trunkline.envs.registry import make_worlds, sample_tasks
from trunkline.envs.spec import SensorSpec
from trunkline.errors import InputError
from trunkline.pretrain.batch import TensorBatch
from trunkline.pretrain.config import PretrainConfig
from trunkline.pretrain.objectives import make_objective
from trunkline.pretrain.optimiser import Optimiser
from trunkline.pretrain.step import Trainer
from trunkline.pretrain.train import pretrain
from trunkline.rollout.finetune import FinetuneConfig, finetune
from trunkline.rollout.rl.config import PPOConfig
from trunkline.rollout.rl.module import AgentModule, Blueprint

HEAD = "heads/auxiliary_target_view"


def moved(batch: dict, name: str, by: float = 0.5) -> dict:
    """The batch with other readings of one sensor."""
    return {**batch, name: (batch[name].float() + by).to(batch[name].dtype)}


def cloning_batch(count: int = 8, seed: int = 0) -> TensorBatch:
    observations = view_batch(count, seed)
    actions = (1 + observations["target_view"][:, 1:2].sign()).long()
    return TensorBatch("views", observations, None, actions, (("views/centre", count),))


# Encoders


@pytest.mark.parametrize(
    "size, options, tokens",
    [(64, {}, 16), (128, {}, 64), (64, {"channels": [8, 16, 32]}, 4), (32, {"stem": 2}, 16), (64, {"pool": 1}, 64)],
)
def test_pictures_become_a_token_a_patch(size, options, tokens):
    sensors = {name: spec for name, spec in view_sensors(size).items() if len(spec.shape) == 3}
    encoders = {"rgb": {"name": "conv_grid", **options}, "goal_view": {"name": "goal_view", **options}}
    agent = Agent(sensors, {}, AgentConfig(width=48, depth=1, encoders=encoders))
    batch = {name: torch.zeros((3, *spec.shape), dtype=torch.uint8) for name, spec in sensors.items()}
    for name in sensors:
        assert agent.encoders[name](batch[name]).shape == (3, tokens, 48)
    assert agent.tokens(batch).shape == (3, 2 * tokens, 48)
    assert agent.encode(batch).shape == (3, 48)


def test_modalities_find_their_encoders():
    sensors = view_sensors(64)
    assert default_encoder(sensors["goal_view"]) == "goal_view"
    assert default_encoder(sensors["interaction"]) == "mlp"
    assert default_encoder(sensors["rgb"]) == "conv"


@pytest.mark.parametrize(
    "shape, options, words",
    [
        ((64, 64, 3), {}, "takes pictures with a mask"),
        ((60, 64, 4), {}, "patches of 16 pixels do not divide the 60×64"),
        ((64, 64, 4), {"mask_channels": 0}, "mask_channels=0"),
        ((64, 64, 4), {"channels": []}, "channels"),
    ],
)
def test_encoders_refuse_what_does_not_fit(shape, options, words):
    spec = SensorSpec("goal_view", "goal_view", shape, "uint8")
    with pytest.raises(InputError, match=words):
        Agent({spec.name: spec}, {}, AgentConfig(encoders={"goal_view": {"name": "goal_view", **options}}))


def test_the_mask_and_the_goal_matter_and_are_learned_from():
    agent = view_agent()
    batch = view_batch(6, 0)
    features = agent.encode(batch)
    unmasked = batch["goal_view"].clone()
    unmasked[..., 3] = 0
    changes = {"mask": unmasked, "goal": batch["goal_view"].flip(0), "mirrored": batch["goal_view"].flip(2)}
    for name, goal in changes.items():
        other = agent.encode({**batch, "goal_view": goal})
        assert (other - features).abs().amax(1).min() > 1e-4, name
    features.square().sum().backward()
    encoder = agent.encoders["goal_view"]
    for name in ("mask", "picture", "fuse", "join"):
        gradients = [p.grad for p in getattr(encoder, name).parameters()]
        assert all(g is not None and bool(g.abs().sum() > 0) for g in gradients), name


def test_every_token_of_a_view_attends_to_the_other_view():
    """Fusion in the trunk is not causal: the first sensor's tokens know of the last one's and the reverse."""
    agent = view_agent()
    batch = view_batch(2, 0)
    before = agent.tokens(batch)
    after = agent.tokens({**batch, "goal_view": 255 - batch["goal_view"]})
    assert bool(((after - before).abs().amax(2) > 1e-6).all())
    after = agent.tokens({**batch, "rgb": 255 - batch["rgb"]})
    assert bool(((after - before).abs().amax(2) > 1e-6).all())


def test_a_goal_in_several_rows_is_encoded_once():
    encoder = view_agent().part("encoders/goal_view")
    goals = view_batch(3, 0)["goal_view"]
    rows = goals[[0, 1, 0, 2, 2, 0, 1]]
    assert not torch.equal(goals[0], goals[1]) and not torch.equal(goals[1], goals[2])
    sizes = []
    encoder.normaliser.register_forward_hook(lambda _module, _arguments, output: sizes.append(len(output)))

    def gradients(run) -> tuple[torch.Tensor, list[torch.Tensor]]:
        encoder.zero_grad()
        tokens = run()
        (tokens * torch.arange(7.0)[:, None, None]).square().sum().backward()
        return tokens.detach(), [p.grad.clone() for p in encoder.parameters()]

    once = gradients(lambda: encoder(rows))
    each = gradients(lambda: torch.cat([encoder(row[None]) for row in rows]))
    assert sizes == [3] + [1] * 7
    torch.testing.assert_close(once, each, rtol=1e-4, atol=1e-4)
    assert distinct_rows(goals) is None
    asked = rows.float().requires_grad_()
    encoder(asked).sum().backward()
    assert asked.grad is not None and asked.grad.abs().sum() > 0  # also with respect to the goals
    first, inverse = distinct_rows(rows)
    assert first.tolist() == [0, 1, 3] and inverse.tolist() == [0, 1, 0, 2, 2, 0, 1]


# Auxiliary heads


def test_positions_count_only_where_the_target_is_visible():
    head = TargetViewHead(8)
    outputs = torch.zeros(2, 7)
    labels = torch.tensor([[1, 0.5, 0.5, 0.4, 0.4, 0.6, 0.6], [0, 0.5, 0.5, 0.4, 0.4, 0.6, 0.6]])
    terms = head.losses(outputs, labels)
    assert terms["visible"].tolist() == pytest.approx([np.log(2)] * 2)
    assert terms["centre"].tolist() == pytest.approx([0.45, 0])  # |error| − β / 2
    assert terms["box"].tolist() == pytest.approx([0.45, 0])
    assert terms["loss"].tolist() == pytest.approx([np.log(2) + 0.9, np.log(2)])
    assert head.predict(outputs)[:, 0].tolist() == [0.5, 0.5]
    with pytest.raises(InputError, match=r"takes labels \(batch, 7\), not \(2, 6\)"):
        head.losses(outputs, labels[:, :6])


def test_auxiliary_losses_fall():
    agent = view_agent()
    optimiser = torch.optim.AdamW(agent.parameters(), lr=2e-3)
    held_out, data = view_batch(64, 1), view_batch(256, 0)

    def measured() -> dict[str, float]:
        with torch.no_grad():
            values = auxiliary_losses(agent, agent.encode(held_out), held_out)
        return {name: float(value.mean()) for name, value in values.items()}

    before = measured()
    assert before["loss"] == pytest.approx(0.5 * before["target_view/loss"])
    for step in range(48):
        batch = {name: value[32 * (step % 8) :][:32] for name, value in data.items()}
        loss = auxiliary_losses(agent, agent.encode(batch), batch)["loss"].mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    after = measured()
    assert after["target_view/loss"] < 0.9 * before["target_view/loss"]
    assert after["target_view/box"] < 0.8 * before["target_view/box"]


def test_labels_are_no_inputs():
    agent = view_agent()
    assert set(agent.sensors) == {"rgb", "goal_view", "interaction"} and HEAD in agent.parts
    batch = view_batch(4, 0)
    plain = {name: value for name, value in batch.items() if name != "target_view"}
    features = agent.encode(plain)
    for seen in (batch, moved(batch, "target_view"), moved(batch, "target_view", float("nan"))):
        assert torch.equal(agent.encode(seen), features)
    arrays = {name: value.numpy() for name, value in batch.items()}
    bare = {name: value for name, value in arrays.items() if name != "target_view"}
    for deterministic in (True, False):
        chosen = [
            agent.act(shown, deterministic=deterministic, generator=torch.Generator().manual_seed(0))[0]
            for shown in (arrays, bare)
        ]
        np.testing.assert_array_equal(*chosen)
    with pytest.raises(InputError, match="hold none of the agent's sensors"):
        agent.encode({"target_view": batch["target_view"]})
    with pytest.raises(InputError, match="is a label"):
        agent.add_sensor(view_sensors()["target_view"])


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"auxiliary": {"target_view": {"name": "target_vew", "weight": 1}}}, "did you mean 'target_view'"),
        ({"auxiliary": {"target_view": {"name": "value", "weight": 1}}}, "is no AuxiliaryHead"),
        ({"auxiliary": {"target_view": {"weight": 1}}}, "must be a mapping such as"),
        ({"auxiliary": {"target_view": {"name": "target_view", "weight": -1}}}, "weight=-1"),
        ({"auxiliary": {"target_view": {"name": "target_view"}}}, "weight=None"),
        ({"auxiliary": {"target_view": {"name": "target_view", "weight": 1, "beta": 0}}}, "beta=0"),
        ({"auxiliary": {"rgb": {"name": "target_view", "weight": 1}}, "encoders": {"rgb": {}}}, "input or a label"),
    ],
)
def test_bad_configurations_say_what_is_wrong(changes, words):
    with pytest.raises(InputError, match=words):
        Agent(view_sensors(), {"views": BODY}, AgentConfig(**changes))


def test_a_checkpoint_brings_everything_back(tmp_path):
    agent = view_agent()
    save_agent(agent, tmp_path / "agent")
    loaded = load_agent(tmp_path / "agent", sensors=view_sensors())
    assert loaded.config == agent.config and set(loaded.sensors) == set(agent.sensors)
    batch = view_batch(4, 0)
    features = agent.encode(batch)
    assert torch.equal(loaded.encode(batch), features)
    ours, theirs = (auxiliary_losses(a, features, batch) for a in (agent, loaded))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


# Imitation


def test_cloning_adds_the_weighted_losses_and_only_where_there_are_labels():
    agent = view_agent()
    batch = cloning_batch()
    cloning = make_objective("behaviour_cloning")
    values = cloning(agent, batch)
    assert values["loss"].item() == pytest.approx(
        values["cloning"].item() + 0.5 * values["auxiliary/target_view/loss"].item()
    )
    values["loss"].backward()
    assert all(p.grad is not None for p in agent.part(HEAD).parameters())
    without = cloning(agent, batch.without(["target_view"]))
    assert torch.equal(without["loss"], values["cloning"]) and not any("auxiliary" in name for name in without)
    changed = cloning(agent, replace(batch, observations=moved(batch.observations, "target_view")))
    assert torch.equal(changed["cloning"], values["cloning"]) and not torch.equal(changed["loss"], values["loss"])


def test_sensor_dropout_leaves_an_input():
    """A label does not count as the sensor that stays."""
    agent = view_agent()
    cloning = make_objective("behaviour_cloning")
    optimiser = Optimiser(agent, lr=1e-3, steps=20)
    trainer = Trainer(agent, cloning, optimiser, device=torch.device("cpu"), sensor_dropout=0.9)
    assert all(torch.isfinite(trainer.update([cloning_batch()])["loss"]) for _ in range(10))


@pytest.fixture(scope="module")
def demonstrations(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("views")
    world = make_worlds("views/centre", 1, list(view_sensors()))
    with EpisodeWriter(folder / "views", world.sensors, world.action_spec, world.fps) as writer:
        for spec in sample_tasks("views/centre", 6, 0, "train"):
            observation, _ = world.reset(options={"tasks": [spec]})
            readings, actions = [], []
            for _ in range(5):
                readings.append({name: value[0].copy() for name, value in observation.items()})
                actions.append(world.expert_actions()[0])
                observation, *_ = world.step(world.expert_actions())
            stacked = {name: np.stack([r[name] for r in readings]) for name in readings[0]}
            writer.add(Episode(spec, stacked, np.stack(actions), np.zeros(5, np.float32), True, 1.0))
    world.close()
    return folder


def make_pretraining(data: Path, **changes) -> PretrainConfig:
    config = PretrainConfig(
        str(data), objective="behaviour_cloning", agent=view_config(), steps=3, batch_size=16, warmup=1, log_every=1,
        device="cpu", threads=1,
    )  # fmt: skip
    return replace(config, **changes)


def test_imitation_runs_from_scratch_and_from_a_stage_that_did_not_see_the_labels(demonstrations, tmp_path):
    blind = make_pretraining(
        demonstrations, objective="inverse_dynamics", sensors=("rgb",), agent=replace(view_config(), auxiliary={})
    )
    first = pretrain(blind, tmp_path / "inverse")
    assert set(load_agent(first).sensors) == {"rgb"}
    config = make_pretraining(demonstrations, init_from=str(first))
    agent = load_agent(pretrain(config, tmp_path / "imitation"))
    assert set(agent.sensors) == {"rgb", "goal_view", "interaction"} and HEAD in agent.parts
    scratch = load_agent(pretrain(make_pretraining(demonstrations), tmp_path / "scratch"))
    assert scratch.config.auxiliary == agent.config.auxiliary == view_config().auxiliary
    rows = [json.loads(line) for line in (tmp_path / "scratch" / "metrics.jsonl").read_text().splitlines()]
    assert all(row["views/auxiliary/target_view/loss"] > 0 for row in rows)


def test_labels_that_do_not_exist_or_are_inputs_are_refused(demonstrations, tmp_path):
    label = {"name": "target_view", "weight": 0.1}
    config = replace(view_config(), auxiliary={"target_vew": label})
    with pytest.raises(InputError, match="did you mean 'target_view'"):
        pretrain(make_pretraining(demonstrations, agent=config), tmp_path / "a")
    reads = replace(view_config(), auxiliary={})
    checkpoint = pretrain(make_pretraining(demonstrations, agent=reads), tmp_path / "b")
    with pytest.raises(InputError, match="is an input of"):
        pretrain(make_pretraining(demonstrations, init_from=str(checkpoint)), tmp_path / "c")


# RL


def make_finetuning(**changes) -> FinetuneConfig:
    base = FinetuneConfig(
        tasks=("views/centre",),
        agent=view_config(),
        critic=replace(view_config(width=16), auxiliary={}),
        steps=2 * 4 * 10,
        num_envs=4,
        fragment_length=10,
        ppo=PPOConfig(epochs=2, minibatches=2, reward_scale=1.0),
        num_env_runners=0,
    )
    return replace(base, **changes)


def figures(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("critic", [None, view_config(width=16)])
def test_labels_change_nothing_that_rl_learns_from_but_the_auxiliary_losses(critic):
    agent = view_agent()
    blueprint = Blueprint(agent.sensors, agent.actions, agent.config, 0, critic, reference=True)
    module = AgentModule(model_config={"blueprint": blueprint})
    batch = view_batch(6, 0)

    def judged(observations: dict, reference: torch.Tensor) -> dict[str, torch.Tensor]:
        rows = {"action": "views", "observations": observations, "actions": torch.ones(6, 1).long()}
        return module.forward_train({"rows": [{**rows, "reference": reference}], "freeze_policy": False})

    outputs = judged(batch, module.reference_features(batch))
    other = moved(batch, "target_view")
    changed = judged(other, module.reference_features(other))
    for name in ("log_probs", "entropy", "values", "kl"):
        assert torch.equal(outputs[name], changed[name]) and outputs[name].shape == (6,)
    assert not torch.equal(outputs["auxiliary/loss"], changed["auxiliary/loss"])
    for observations in (batch, other):
        torch.manual_seed(0)
        chosen, log_probs = module.explore(observations, "views")
        torch.manual_seed(0)
        assert all(torch.equal(a, b) for a, b in zip(module.explore(batch, "views"), (chosen, log_probs), strict=True))
    blind = {name: value for name, value in batch.items() if name != "target_view"}
    outputs = judged(blind, module.reference_features(blind))
    assert outputs["auxiliary/loss"].tolist() == [0] * 6 and "auxiliary/target_view/loss" not in outputs


@pytest.mark.ray
@pytest.mark.usefixtures("ray_session")
@pytest.mark.parametrize("critic", ["own", "shared", "copy"])
def test_rl_keeps_the_auxiliary_heads_learning(tmp_path, critic):
    save_agent(view_agent(), tmp_path / "start")
    config = make_finetuning(init=str(tmp_path / "start"))
    if critic != "own":
        config = replace(config, critic=None, separate_critic=critic == "copy")
    agent = load_agent(finetune(config, tmp_path / "run"))
    assert set(agent.sensors) == {"rgb", "goal_view", "interaction"}
    rows = figures(tmp_path / "run")
    assert len(rows) == 2 and all(row["auxiliary/target_view/loss"] > 0 for row in rows)
    assert all(row["auxiliary/loss"] == pytest.approx(0.5 * row["auxiliary/target_view/loss"]) for row in rows)
    before, after = view_agent().part(HEAD).state_dict(), agent.part(HEAD).state_dict()
    assert all(not torch.equal(before[name], after[name]) for name in before)


@pytest.mark.ray
@pytest.mark.usefixtures("ray_session")
def test_rl_from_scratch_reads_labels_and_critic_warmup_leaves_them(tmp_path):
    config = make_finetuning(ppo=PPOConfig(epochs=1, minibatches=2, critic_warmup=1), steps=40)
    agent = load_agent(finetune(config, tmp_path / "run"))
    assert "target_view" not in agent.sensors
    fresh = Agent(agent.sensors, agent.actions, agent.config, agent.seed)
    same = zip(agent.part(HEAD).state_dict().values(), fresh.part(HEAD).state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in same)  # the policy was frozen in the only iteration
    with pytest.raises(InputError, match="did you mean 'target_view'"):
        bad = replace(view_config(), auxiliary={"target_vew": {"name": "target_view", "weight": 0.1}})
        finetune(make_finetuning(agent=bad, sensors={"views": tuple(view_sensors())}), tmp_path / "other")


@pytest.mark.ray
@pytest.mark.usefixtures("ray_session")
@pytest.mark.parametrize("start", [False, True])
def test_a_critic_of_its_own_may_read_what_the_policy_does_not(tmp_path, start):
    save_agent(view_agent(), tmp_path / "start")
    init = str(tmp_path / "start") if start else None
    bare = AgentConfig(width=16, depth=0)
    config = make_finetuning(
        init=init, agent=replace(view_config(), auxiliary={}),
        critic=bare, critic_sensors=("interaction", "target_view"), ppo=PPOConfig(epochs=1, minibatches=2),
        steps=3 * 4 * 10, checkpoint_every=1,
    )  # fmt: skip
    whole = finetune(config, tmp_path / "whole")
    agent = load_agent(whole)
    assert "target_view" not in agent.sensors and (start == (HEAD in agent.parts))
    state = load_training(whole)["critic"]
    assert {name.split(".")[1] for name in state if name.startswith("encoders.")} == {"interaction", "target_view"}

    def stop(iteration, _figures):
        if iteration == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        finetune(config, tmp_path / "parts", stop)
    resumed = load_training(finetune(config, tmp_path / "parts"))["critic"]
    assert all(np.array_equal(state[name], resumed[name]) for name in state)
    with pytest.raises(InputError, match=r"unknown sensor in agent\.auxiliary or critic_sensors 'target_vew'"):
        finetune(replace(config, critic_sensors=("target_vew",)), tmp_path / "other")
