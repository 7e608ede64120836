"""Agents: building, encoding, missing sensors, heads, acting."""

import copy

import numpy as np
import pytest
import torch
from torch.distributions import kl_divergence

from trunkline.agents.agent import Agent
from trunkline.agents.config import AgentConfig
from trunkline.agents.distributions import MultiCategorical, draw
from trunkline.agents.heads.inverse_dynamics import InverseDynamicsHead
from trunkline.agents.normalise import Normaliser
from trunkline.agents.registry import resolve_encoder
from trunkline.agents.trunks.transformer import TransformerTrunk as Trunk
from trunkline.envs.spec import ActionSpec, SensorSpec
from trunkline.errors import InputError

SENSORS = {
    "proprio": SensorSpec("proprio", "proprio", (5,)),
    "goal": SensorSpec("goal", "goal", (3,)),
    "camera": SensorSpec("camera", "depth", (16, 16, 4)),
}
ACTIONS = {"gripper": ActionSpec("gripper", (4,)), "point": ActionSpec("point", (2,), low=0.0, high=10.0)}
SMALL = AgentConfig(
    width=32,
    depth=2,
    encoders={"camera": {"name": "conv", "channels": [4, 8], "keypoints": 8}},
    policy={"hidden": [16]},
    value={"hidden": [16]},
)


def readings(batch: int, names=tuple(SENSORS), seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(batch, *SENSORS[name].shape, generator=generator) for name in names}


@pytest.fixture
def agent() -> Agent:
    return Agent(SENSORS, ACTIONS, SMALL, seed=3).eval()


def weights(agent: Agent) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in agent.state_dict().items()}


# Building


def test_same_seed_same_weights_and_global_generator_untouched():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first, second = Agent(SENSORS, ACTIONS, SMALL, seed=1), Agent(SENSORS, ACTIONS, SMALL, seed=1)
    assert torch.equal(before, torch.get_rng_state())
    other = Agent(SENSORS, ACTIONS, SMALL, seed=2)
    assert all(torch.equal(a, b) for a, b in zip(weights(first).values(), weights(second).values(), strict=True))
    assert not torch.equal(first.trunk.readout_token, other.trunk.readout_token)


def test_parts_added_later_equal_those_built_at_once_and_change_no_other():
    whole = Agent(SENSORS, ACTIONS, SMALL, seed=1)
    grown = Agent({"proprio": SENSORS["proprio"]}, {}, AgentConfig(**{**SMALL.to_json(), "encoders": {}}), seed=1)
    before = weights(grown)
    grown.add_sensor(SENSORS["goal"])
    grown.add_sensor(SENSORS["camera"], SMALL.encoders["camera"])
    for spec in ACTIONS.values():
        grown.add_action(spec)
    assert all(torch.equal(grown.state_dict()[name], value) for name, value in before.items())
    assert all(torch.equal(grown.state_dict()[name], value) for name, value in weights(whole).items())
    assert grown.config == whole.config


def test_default_encoder_by_shape_and_override_by_name():
    agent = Agent(SENSORS, {}, AgentConfig(encoders={"camera": {"name": "vit", "patch": 4, "depth": 1}}))
    assert type(agent.encoders["proprio"]).__name__ == "MlpEncoder"
    assert type(agent.encoders["camera"]).__name__ == "VitEncoder"
    assert resolve_encoder(SENSORS["camera"], {})["name"] == "conv"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"encoders": {"camrea": {}}}, "did you mean 'camera'"),
        ({"encoders": {"camera": {"name": "cnv"}}}, "did you mean 'conv'"),
        ({"encoders": {"proprio": {"hiden": [3]}}}, "did you mean 'hidden'"),
        ({"encoders": {"proprio": {"hidden": 3}}}, "encoder 'mlp'"),
        ({"encoders": {"proprio": {"hidden": [0]}}}, "positive layer widths"),
        ({"encoders": {"proprio": {"name": "conv"}}}, "takes images"),
        ({"encoders": {"camera": {"name": "vit", "patch": 5}}}, "one of 2, 4, 8, 16 does"),
        ({"encoders": {"camera": {"name": "conv", "strides": [2]}}}, "1 strides for 4 channels"),
        ({"policy": {"log_sdt": 0}}, "did you mean 'log_std'"),
        ({"policy": {"name": "categorical"}}, "is for discrete actions"),
        ({"policy": {"log_std": 3}}, "not within"),
        ({"value": {"activation": "gleu"}}, "did you mean 'gelu'"),
    ],
)
def test_bad_config_names_the_thing(config, message):
    with pytest.raises(InputError, match=message):
        Agent(SENSORS, ACTIONS, AgentConfig(**config))


@pytest.mark.parametrize("value", [{"depht": 1}, {"width": 30, "attention_heads": 4}, {"dropout": 1.0}, {"depth": -1}])
def test_bad_config_values(value):
    with pytest.raises(InputError):
        AgentConfig.from_json(value)


def test_config_round_trip():
    config = AgentConfig(width=96, encoders={"a": {"name": "mlp", "hidden": (3, 4)}}, policy={"hidden": (8,)})
    assert AgentConfig.from_json(config.to_json()) == config


def test_sensor_of_no_default_encoder_and_impossible_names():
    with pytest.raises(InputError, match=r"agent\.encoders\.grid\.name"):
        Agent({"grid": SensorSpec("grid", "taxels", (4, 4))})
    for name in ("a.b", "items"):
        with pytest.raises(InputError, match="rename it"):
            Agent({name: SensorSpec(name, "proprio", (2,))})


# Normalisation


def test_normaliser_uses_statistics_clips_and_leaves_constant_readings_alone():
    spec = SensorSpec("s", "state", (3,), mean=(1.0, 2.0, 5.0), std=(2.0, 0.001, 0.0))
    out = Normaliser(spec)(torch.tensor([[3.0, 3.0, 5.5]]))
    assert torch.allclose(out, torch.tensor([[1.0, 10.0, 0.5]]))


def test_normaliser_scales_images_by_channel_or_range():
    picture = torch.tensor([0, 255], dtype=torch.uint8).view(1, 1, 2, 1).expand(1, 1, 2, 3)
    plain = Normaliser(SensorSpec("rgb", "rgb", (1, 2, 3), dtype="uint8"))(picture)
    assert plain[0, 0, 0].tolist() == [-1, -1, -1] and plain[0, 0, 1].tolist() == [1, 1, 1]
    spec = SensorSpec("rgb", "rgb", (1, 2, 3), dtype="uint8", mean=(0.0, 255.0, 0.0), std=(255.0, 255.0, 51.0))
    assert torch.allclose(Normaliser(spec)(picture)[0, 0, 1], torch.tensor([1.0, 0.0, 5.0]))
    with pytest.raises(InputError, match="one per channel"):
        Normaliser(SensorSpec("s", "rgb", (2, 2, 3), mean=(0.0, 0.0), std=(1.0, 1.0)))


def test_statistics_change_what_the_agent_sees_and_are_kept_in_its_sensors(agent):
    before = agent.encode(readings(2))
    spec = SENSORS["proprio"].with_statistics(np.full(5, 3.0), np.full(5, 2.0))
    agent.set_statistics({"proprio": spec, "elsewhere": spec})
    assert agent.sensors["proprio"] == spec
    shifted = readings(2)
    shifted["proprio"] = shifted["proprio"] * 2 + 3
    assert torch.allclose(agent.encode(shifted), before, atol=1e-5)
    with pytest.raises(InputError, match="another sensor"):
        agent.set_statistics({"proprio": SensorSpec("proprio", "proprio", (6,))})


# Encoders and trunk


@pytest.mark.parametrize("side", [6, 16, 32, 64, 84])
@pytest.mark.parametrize("channels", [1, 4, 7])
def test_conv_takes_any_size_and_number_of_channels(side, channels):
    spec = SensorSpec("camera", "any", (side, side + 2, channels), dtype="uint8")
    agent = Agent({"camera": spec}, {}, AgentConfig(width=32, depth=0, encoders={"camera": {"channels": [4, 4, 8, 8]}}))
    pictures = torch.randint(0, 255, (2, *spec.shape), dtype=torch.uint8)
    assert agent.encode({"camera": pictures}).shape == (2, 32)


def test_vit_gives_a_token_a_patch_or_one():
    spec = SensorSpec("camera", "any", (16, 8, 5))
    for pool, tokens in ((False, 8), (True, 1)):
        config = AgentConfig(width=32, encoders={"camera": {"name": "vit", "patch": 4, "depth": 1, "pool": pool}})
        assert Agent({"camera": spec}, {}, config).encoders["camera"](torch.zeros(3, 16, 8, 5)).shape == (3, tokens, 32)


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_missing_tokens_do_not_matter(depth):
    trunk = Trunk(32, depth, 4).eval()
    tokens = torch.randn(6, 5, 32)
    padding = torch.zeros(6, 5, dtype=torch.bool)
    padding[:, 3:] = True
    assert torch.allclose(trunk.readout(tokens, padding), trunk.readout(tokens[:, :3]), atol=1e-5)
    assert torch.allclose(trunk(tokens, padding)[:, :3], trunk(tokens[:, :3]), atol=1e-5)


def test_a_sensor_may_be_missing_from_all_rows_or_from_some(agent):
    whole, without = readings(4), readings(4, ("proprio", "camera"))
    partial = agent.encode(whole, present={"goal": torch.tensor([True, False, True, False])})
    assert torch.allclose(partial[::2], agent.encode(whole)[::2], atol=1e-5)
    without["proprio"], without["camera"] = whole["proprio"], whole["camera"]
    assert torch.allclose(partial[1::2], agent.encode(without)[1::2], atol=1e-5)
    assert not torch.allclose(partial[1::2], agent.encode(whole)[1::2], atol=1e-3)


def test_order_of_observations_does_not_matter(agent):
    batch = readings(2)
    assert torch.equal(agent.encode(batch), agent.encode(dict(reversed(batch.items()))))


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ({"proprioo": torch.zeros(2, 5)}, "did you mean 'proprio'"),
        ({"proprio": torch.zeros(2, 6)}, r"'proprio' gave readings of shape \(2, 6\)"),
        ({"proprio": torch.zeros(2, 5), "goal": torch.zeros(3, 3)}, "differ in batch size: proprio 2, goal 3"),
        ({}, "none of the agent's sensors"),
    ],
)
def test_bad_observations(agent, batch, message):
    with pytest.raises(InputError, match=message):
        agent.encode(batch)


def test_modality_dropout_hides_sensors_reproducibly_and_never_all():
    config = AgentConfig(**{**SMALL.to_json(), "modality_dropout": 0.9})
    agent = Agent(SENSORS, ACTIONS, config)
    batch = readings(512)
    kept = agent._kept(list(SENSORS), torch.zeros(512, 1), {}, torch.Generator().manual_seed(0))
    assert kept.any(1).all() and kept.float().mean() < 0.5 and kept.any(0).all()
    present = {"camera": torch.zeros(512, dtype=torch.bool)}
    masked = agent._kept(list(SENSORS), torch.zeros(512, 1), present, torch.Generator().manual_seed(0))
    assert masked[:, :2].any(1).all() and not masked[:, 2].any()
    first, second, third = (agent.encode(batch, generator=torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, second) and not torch.equal(first, third)
    torch.manual_seed(5)
    fourth = agent.encode(batch)
    torch.manual_seed(5)
    assert torch.equal(fourth, agent.encode(batch))
    assert torch.equal(agent.eval().encode(batch), agent.encode(batch))


def test_plain_mlp_is_one():
    sensors = {"proprio": SENSORS["proprio"]}
    agent = Agent(sensors, {"gripper": ACTIONS["gripper"]}, AgentConfig.plain_mlp((16, 8)))
    shapes = [m.weight.shape for part in ("encoders/proprio", "trunk", "heads/policy_gripper")
              for m in agent.part(part).modules() if isinstance(m, torch.nn.Linear)]  # fmt: skip
    assert shapes == [(16, 5), (8, 16), (4, 8)]


# Heads


def test_output_has_features_policy_of_the_body_and_value(agent):
    memory = {"memory": torch.zeros(1)}
    output, state = agent(readings(7), memory, action="gripper")
    assert output.features.shape == (7, 32) and output.value.shape == (7,) and state is memory
    assert output.policy.sample().shape == (7, 4) and output.policy.log_prob(torch.zeros(7, 4)).shape == (7,)
    assert agent.policy(output.features, "point").mean.shape == (7, 2)
    with pytest.raises(InputError, match="gripper, point"):
        agent(readings(7))
    with pytest.raises(InputError, match="did you mean 'gripper'"):
        agent(readings(7), action="griper")
    assert Agent(SENSORS, {}, SMALL)(readings(2))[0].policy is None


def test_gaussian_works_in_the_units_of_the_body(agent):
    policy = agent.policy(agent.encode(readings(3)), "point")  # actions in [0, 10]
    assert torch.allclose(policy.mean, torch.full((3, 2), 5.0), atol=0.5)
    assert torch.allclose(policy.stddev, torch.full((3, 2), 5 * np.exp(-0.5)), atol=1e-4)


def test_inverse_dynamics_is_bounded_and_learns_both_features(agent):
    head = agent.make_head("inverse_point", "inverse_dynamics", "point", hidden=[16])
    now, then = agent.encode(readings(64)) * 50, agent.encode(readings(64, seed=1)) * 50
    predicted = head(now, then)
    assert predicted.shape == (64, 2) and predicted.min() >= 0 and predicted.max() <= 10
    assert not torch.equal(predicted, head(now, now))
    assert torch.equal(head.distribution(now, then).mean, predicted)
    agent.remove_head("inverse_point")
    assert "inverse_point" not in agent.heads
    with pytest.raises(InputError, match="registered"):
        agent.add_head("mine", torch.nn.Linear(2, 2))


def test_inverse_dynamics_of_discrete_actions():
    action = ActionSpec("keys", (2,), choices=(3, 2))
    head = InverseDynamicsHead(8, action).eval()
    features = torch.randn(4, 8)
    assert head(features, features).shape == (4, 5)
    assert head.distribution(features, features).log_prob(torch.zeros(4, 2, dtype=torch.int64)).shape == (4,)


def test_multi_categorical_agrees_with_enumeration():
    logits = torch.randn(3, 5, requires_grad=True)
    p, q = MultiCategorical(logits, (3, 2)), MultiCategorical(torch.randn(3, 5), (3, 2))
    every = torch.cartesian_prod(torch.arange(3), torch.arange(2))
    log_p = torch.stack([p.log_prob(choice.expand(3, 2)) for choice in every])
    log_q = torch.stack([q.log_prob(choice.expand(3, 2)) for choice in every])
    assert torch.allclose(log_p.exp().sum(0), torch.ones(3), atol=1e-5)
    assert torch.allclose(p.entropy(), -(log_p.exp() * log_p).sum(0), atol=1e-5)
    assert torch.allclose(kl_divergence(p, q), (log_p.exp() * (log_p - log_q)).sum(0), atol=1e-5)
    assert torch.equal(p.mode, every[log_p.argmax(0)])
    samples = p.sample((4000,))
    assert samples.shape == (4000, 3, 2)
    frequency = (samples == every[0]).all(-1).float().mean(0)
    assert torch.allclose(frequency, log_p.exp()[0], atol=0.05)
    kl_divergence(p, q).sum().backward()
    assert torch.isfinite(logits.grad).all()


def test_draws_from_a_generator_leave_the_global_one_alone():
    mixed = MultiCategorical(torch.randn(5, 5), (3, 2))
    normal = torch.distributions.Independent(torch.distributions.Normal(torch.zeros(5, 2), torch.ones(5, 2)), 1)
    before = torch.get_rng_state()
    for distribution in (mixed, normal):
        first, second = (draw(distribution, torch.Generator().manual_seed(4)) for _ in range(2))
        assert torch.equal(first, second) and first.shape == (5, 2)
    assert torch.equal(before, torch.get_rng_state())


# Acting


def as_numpy(batch: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in batch.items()}


def test_act_serves_one_observation_or_a_batch_and_keeps_the_mode(agent):
    batch = as_numpy(readings(6))
    agent.train()
    agent.freeze(["trunk"])
    modes = [module.training for module in agent.modules()]
    actions, state = agent.act(batch, action="gripper")
    assert modes == [module.training for module in agent.modules()] and state == {}
    assert actions.shape == (6, 4) and actions.dtype == np.float32
    alone, _ = agent.act({name: value[2] for name, value in batch.items()}, action="gripper")
    assert alone.shape == (4,) and np.allclose(alone, actions[2], atol=1e-6)


def test_act_takes_read_only_and_double_readings(agent):
    batch = {name: value.astype(np.float64) for name, value in as_numpy(readings(2)).items()}
    for value in batch.values():
        value.flags.writeable = False
    first, _ = agent.act(batch, action="point")
    frozen = as_numpy(readings(2))
    for value in frozen.values():
        value.flags.writeable = False
    assert np.array_equal(first, agent.act(frozen, action="point")[0])


def test_sampled_actions_are_reproducible_and_within_bounds(agent):
    batch = as_numpy(readings(200))
    first, second = (
        agent.act(batch, action="point", deterministic=False, generator=torch.Generator().manual_seed(1))[0]
        for _ in range(2)
    )
    assert np.array_equal(first, second)
    assert first.min() == 0 and first.max() == 10 and first.std() > 1


def test_act_of_discrete_bodies():
    action = ActionSpec("keys", (2,), choices=(3, 2))
    agent = Agent({"goal": SENSORS["goal"]}, {"keys": action}, AgentConfig(width=16, depth=1))
    for deterministic in (True, False):
        choices, _ = agent.act({"goal": np.zeros((50, 3), np.float32)}, deterministic=deterministic)
        assert choices.shape == (50, 2) and choices.dtype == np.int64 and (choices < [3, 2]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"goal": np.full(3, np.nan)}, "'goal' gave readings that are not finite"),
        ({"goal": np.zeros((2, 4))}, r"'goal' gave readings of shape \(2, 4\)"),
        ({"gaol": np.zeros(3)}, "did you mean 'goal'"),
        ({"goal": np.zeros((2, 3))}, "give all of them one way"),
    ],
)
def test_act_refuses_bad_readings(agent, change, message):
    with pytest.raises(InputError, match=message):
        agent.act({"proprio": np.zeros(5), **change}, action="gripper")


# Freezing and copies


def test_frozen_parts_get_no_gradient_and_no_dropout():
    agent = Agent(SENSORS, ACTIONS, AgentConfig(**{**SMALL.to_json(), "dropout": 0.5}))
    agent.freeze(["encoders", "trunk"])
    agent.train()
    assert not agent.trunk.training and agent.heads["value"].training and "trunk" in agent.frozen
    output, _ = agent(readings(3), action="gripper")
    (output.policy.log_prob(torch.zeros(3, 4)).sum() + output.value.sum()).backward()
    learning = {name.split(".")[0] for name, p in agent.named_parameters() if p.grad is not None}
    assert learning == {"heads"}
    agent.unfreeze(["trunk"])
    assert agent.trunk.training and all(p.requires_grad for p in agent.trunk.parameters())
    with pytest.raises(InputError, match="did you mean 'encoders/proprio'"):
        agent.freeze(["encoders/propio"])


def test_a_copy_is_an_independent_agent(agent):
    twin = copy.deepcopy(agent)
    batch = readings(2)
    assert torch.equal(twin.encode(batch), agent.encode(batch))
    with torch.no_grad():
        agent.trunk.readout_token.add_(1)
    assert not torch.equal(twin.encode(batch), agent.encode(batch))


def test_an_agent_learns():
    agent = Agent({"goal": SENSORS["goal"]}, {"gripper": ACTIONS["gripper"]}, AgentConfig(width=32, depth=1))
    optimiser = torch.optim.Adam(agent.parameters(), 3e-3)
    observations = readings(64, ("goal",))
    targets = torch.cat([observations["goal"], -observations["goal"][:, :1]], dim=1).tanh()
    losses = []
    for _ in range(60):
        loss = (agent(observations)[0].policy.mean - targets).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0]
