"""One training step of T3-small at 224 pixels: ours against a plain ViT of the same shape, and model FLOPs on a GPU.

The step is the supervised one: images of one sensor as uint8, one encoder, the trunk, a classification head with 22
classes, cross-entropy, backward pass, AdamW. The rival is what one writes first: float32, eager, a convolution for the
patches, softmax(QKᵀ)V spelled out, torch's AdamW as it comes. All get the same images and start with equal loss. On a
CPU each row adds one thing to the row before; they take turns in rounds and figures are medians. bfloat16 is tried
where the CPU has instructions for it (AVX512-BF16 or AMX); torch.compile where there is a C++ compiler.

On CUDA: bfloat16, torch.compile, cuDNN's attention, fused AdamW; MFU is 6 · N · tokens plus attention's 12 · L · T² · D
operations a sample, over an H100's 989 TFLOP/s; N are the weights that every token meets.

    python perf/t3_train.py [batch on the CPU] [rounds]
"""

import contextlib
import json
import os
import shutil
import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trunkline.agents.agent import Agent
from trunkline.agents.t3 import SIZES, t3_config
from trunkline.envs.spec import SensorSpec
from trunkline.pretrain.blocks import compile_blocks
from trunkline.pretrain.precision import bfloat16

CLASSES, IMAGE, TOKENS = 22, 224, 197
H100 = 989e12
SENSOR = SensorSpec("digit", "tactile_rgb", (IMAGE, IMAGE, 3), "uint8")


class PlainBlock(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width, 1e-6), nn.LayerNorm(width, 1e-6)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        batch, count, width = x.shape
        qkv = self.qkv(self.norm1(x)).reshape(batch, count, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        weights = ((q * (width // self.heads) ** -0.5) @ k.transpose(-2, -1)).softmax(dim=-1)
        x = x + self.proj((weights @ v).transpose(1, 2).reshape(batch, count, width))
        return x + self.mlp(self.norm2(x))


class PlainVit(nn.Module):
    def __init__(self, width: int, heads: int, depth: int = 12) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 16, 16)
        self.cls = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(torch.randn(1, TOKENS, width) * 0.02)
        self.blocks = nn.Sequential(*(PlainBlock(width, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Sequential(
            nn.Linear(width, 256), nn.SiLU(), nn.Linear(256, 128), nn.Dropout(0.1), nn.SiLU(),
            nn.Linear(128, 64), nn.Dropout(0.1), nn.SiLU(), nn.Linear(64, CLASSES),
        )  # fmt: skip

    def forward(self, images: Tensor) -> Tensor:
        x = (images.permute(0, 3, 1, 2).float() - 127.5) / 127.5
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(len(x), -1, -1), x], dim=1) + self.positions
        return self.head(self.norm(self.blocks(x))[:, 0])


def plain_step(size: str, images: Tensor, classes: Tensor) -> Callable[[], float]:
    model = PlainVit(SIZES[size].width, SIZES[size].heads).to(images.device)
    optimiser = torch.optim.AdamW(model.parameters(), 1e-4, eps=1e-6, weight_decay=0.1)

    def step() -> float:
        optimiser.zero_grad()
        loss = F.cross_entropy(model(images), classes)
        loss.backward()
        optimiser.step()
        return loss.item()

    return step


def our_step(
    size: str,
    images: Tensor,
    classes: Tensor,
    *,
    fused: bool = False,
    cls_only: bool = False,
    compile: bool = False,
    bf16: bool = False,
    slices: int = 1,
) -> Callable[[], float]:
    """A step of the agent; `slices` parts of the batch go one after the other, for one and the same gradient."""
    agent = Agent({"digit": SENSOR}, {}, t3_config(size), seed=0)
    agent.remove_head("value")
    head = agent.make_head("material", "t3_classification", classes=CLASSES)
    agent.to(images.device).train()
    if compile:
        compile_blocks(agent)
    optimiser = torch.optim.AdamW(agent.parameters(), 1e-4, eps=1e-6, weight_decay=0.1, fused=fused or None)

    def step() -> float:
        optimiser.zero_grad()
        total = torch.zeros((), device=images.device)
        for part, labels in zip(images.chunk(slices), classes.chunk(slices), strict=True):
            with bfloat16(images.device) if bf16 else contextlib.nullcontext():
                observation = {"digit": part}
                tokens = agent.encode(observation).unsqueeze(1) if cls_only else agent.tokens(observation)
                loss = head.loss(head(tokens), labels) * (len(part) / len(images))
            loss.backward()
            total += loss.detach()
        optimiser.step()
        return total.item()

    return step


def batch_of(count: int, device: str) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (count, IMAGE, IMAGE, 3), dtype=torch.uint8, generator=generator)
    return images.to(device), torch.randint(0, CLASSES, (count,), generator=generator).to(device)


def on_cpu(batch: int, rounds: int) -> float:
    """Print a row for each addition; the ratio of the best."""
    images, classes = batch_of(batch, "cpu")
    slices = max(1, batch // 4)
    fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    compiler = any(shutil.which(name) for name in (os.environ.get("CXX", "c++"), "g++", "clang++"))
    additions: dict[str, dict[str, bool | int]] = {
        "SDPA, patches as a matrix product": {},
        "+ fused AdamW": {"fused": True},
        "+ the last block for CLS alone": {"cls_only": True},
        f"+ {slices} slices that fit the cache": {"slices": slices},
    }
    if compiler:
        additions["+ torch.compile of each block"] = {"compile": True}
    if fast:
        additions["+ bfloat16 autocast"] = {"bf16": True}
    rows: dict[str, Callable[[], float]] = {"plain ViT": plain_step("small", images, classes)}
    options: dict[str, bool | int] = {}
    for name, addition in additions.items():
        options |= addition
        rows[name] = our_step("small", images, classes, **options)
    if compiler:
        rows["all of these, but whole batches"] = our_step("small", images, classes, **options | {"slices": 1})
    times: dict[str, list[float]] = {name: [] for name in rows}
    for step in rows.values():
        step()  # compiles, and makes the optimiser's moments
    for _ in range(rounds):
        for name, step in rows.items():
            start = time.perf_counter()
            step()
            times[name].append(time.perf_counter() - start)
    rates = {name: batch / statistics.median(values) for name, values in times.items()}
    # Both of a round's rows meet the same disturbances, so ratios are taken within rounds.
    ratios = {
        name: statistics.median(p / o for p, o in zip(times["plain ViT"], values, strict=True))
        for name, values in times.items()
    }
    print(f"CPU, {torch.get_num_threads()} threads, batch {batch}, {torch.backends.cpu.get_cpu_capability()}")
    if not fast:
        print("this CPU has no bfloat16 instructions: float32 throughout")
    if not compiler:
        print("no C++ compiler: eager throughout")
    for name, rate in rates.items():
        print(f"  {name:<40} {rate:>7.2f} samples/s  {ratios[name]:.2f}×")
    return max(ratio for name, ratio in ratios.items() if name != "plain ViT")


def on_gpu(size: str, batch: int, steps: int = 30) -> float:
    """Print and give the MFU of a size."""
    torch.backends.cuda.matmul.allow_tf32 = True
    images, classes = batch_of(batch, "cuda")
    step = our_step(size, images, classes, fused=True, compile=True, bf16=True)
    for _ in range(5):
        step()
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(steps):
        step()
    torch.cuda.synchronize()
    rate = batch * steps / (time.perf_counter() - start)
    sizes = SIZES[size]
    blocks = sizes.encoder_depth + sizes.trunk_depth
    weights = blocks * 12 * sizes.width**2 + 768 * sizes.width
    flops = 6 * weights * TOKENS + 12 * blocks * TOKENS**2 * sizes.width
    mfu = rate * flops / H100
    print(f"{torch.cuda.get_device_name()}, {size}, batch {batch}: {rate:,.0f} samples/s, MFU {mfu:.3f}")
    return mfu


def main() -> None:
    batch = int(sys.argv[1]) if len(sys.argv) > 1 else 32
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    torch.manual_seed(0)
    result: dict[str, float | None] = {"ratio_cpu": round(on_cpu(batch, rounds), 3), "mfu_gpu": None}
    if torch.cuda.is_available():
        result["mfu_gpu"] = round(on_gpu("small", 1024), 3)
        result["mfu_gpu_medium"] = round(on_gpu("medium", 512), 3)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
