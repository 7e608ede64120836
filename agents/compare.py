"""What makes a part of a checkpoint differ from the part of an agent that has its name."""

from torch import Tensor, nn

from trunkline.agents.agent import Agent
from trunkline.agents.checkpoint_files import Checkpoint, describe_heads, part_file

IRRELEVANT = {"dropout", "checkpointing"}  # they change training alone, not what the weights mean


def difference(agent: Agent, checkpoint: Checkpoint, part: str) -> list[str]:
    """What makes a part of the same name another one, whatever its tensors."""
    kind, _, name = part.partition("/")
    lines: list[str] = []
    if kind == "encoders":
        sensor = checkpoint.sensors[name].difference(agent.sensors[name])
        if sensor is not None:
            lines.append(f"was trained on another sensor: {sensor}")
        mine, theirs = agent.config.encoders[name], checkpoint.config.encoders[name]
    elif kind == "heads":
        head, there = describe_heads(agent)[name], checkpoint.heads[name]
        if head["action"] and there["action"]:
            body, its = agent.actions[head["action"]], checkpoint.actions[there["action"]]
            if body != its:
                lines.append(f"is for another body: {its} is not {body}")
        mine, theirs = ({"kind": h["kind"], "action": h["action"], **h["options"]} for h in (head, there))
    else:
        mine, theirs = (
            {key: config[key] for key in ("trunk", "width", "depth", "attention_heads", "mlp_ratio")}
            for config in (agent.config.to_json(), checkpoint.config.to_json())
        )
        if mine["trunk"] == theirs["trunk"]:  # options of different trunks cannot be compared
            mine, theirs = {**mine, **agent.config.trunk_options}, {**theirs, **checkpoint.config.trunk_options}
    for key in sorted({*mine, *theirs} - IRRELEVANT):
        if mine.get(key) != theirs.get(key):
            lines.append(f"was built with {key}={theirs.get(key)!r}, the agent's with {mine.get(key)!r}")
    return lines


def match(module: nn.Module, checkpoint: Checkpoint, part: str, allowed: bool) -> tuple[dict[str, Tensor], list[str]]:
    """The tensors that fit, and what does not."""
    if allowed and not part_file(checkpoint.folder, part).exists():
        return {}, ["its file is missing"]
    expected, given = module.state_dict(), checkpoint.tensors(part)
    fitting = {name: t for name, t in given.items() if name in expected and t.shape == expected[name].shape}
    lines = [f"lacks the tensor {name!r}" for name in expected if name not in given]
    lines += [f"has an extra tensor {name!r}" for name in given if name not in expected]
    lines += [
        f"tensor {name!r} has shape {tuple(t.shape)}, the agent's has {tuple(expected[name].shape)}"
        for name, t in given.items()
        if name in expected and name not in fitting
    ]
    return fitting, lines
