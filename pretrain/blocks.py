"""Transformer blocks, wherever an agent has them: computed again for less memory, or compiled."""

from torch import nn

from trunkline.agents.agent import Agent
from trunkline.errors import InputError


def recompute_blocks(agent: Agent) -> None:
    """Have every stack of transformer blocks that can do so keep no activations inside its blocks.

    Raises:
        InputError: none can.
    """
    stacks = [module for module in agent.modules() if hasattr(module, "checkpointing")]
    if not stacks:
        raise InputError("checkpointing=true: neither the agent's trunk nor its encoders can; use trunk 't3'")
    for module in stacks:
        setattr(module, "checkpointing", True)  # noqa: B010  (a plain attribute, which torch's types do not know)


def compile_blocks(agent: Agent) -> None:
    """Compile every transformer block by itself, decoders' too: equal blocks share one program, so it takes seconds.

    It needs a C++ compiler on a CPU, and Triton on a GPU; without them the first call fails.
    """
    for name, module in agent.named_modules():
        if isinstance(module, nn.ModuleList) and name.endswith("blocks"):
            for block in module:
                block.compile(dynamic=False)
