"""The processes that train one agent together, over torch's default process group."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from trunkline.errors import InputError


@dataclass(frozen=True)
class Workers:
    """This process among the ones that train together.

    Attributes:
        rank: this one's number.
        count: how many there are; with more than one the default process group must have been made.
        device: where this one computes.
    """

    rank: int
    count: int
    device: torch.device

    @classmethod
    def alone(cls, device: str = "auto") -> "Workers":
        """One process by itself.

        Raises:
            InputError: CUDA was asked for and there is none.
        """
        return cls(0, 1, pick_device(device))

    def barrier(self) -> None:
        """Wait for the others."""
        if self.count > 1:
            dist.barrier()

    def mean(self, values: Tensor) -> Tensor:
        """The mean of each worker's tensor."""
        if self.count == 1:
            return values
        total = values.clone()
        dist.all_reduce(total)
        return total / self.count

    def gather_text(self, text: str) -> list[str]:
        """Each worker's text, by rank; as bytes, where torch's own gathering of objects would unpickle."""
        if self.count == 1:
            return [text]
        mine = torch.from_numpy(np.frombuffer(text.encode(), np.uint8).copy()).to(self.device)
        size = torch.tensor([len(mine)], device=self.device)
        sizes = [torch.zeros_like(size) for _ in range(self.count)]
        dist.all_gather(sizes, size)
        longest = max(int(s) for s in sizes)
        padded = torch.zeros(longest, dtype=torch.uint8, device=self.device)
        padded[: len(mine)] = mine
        parts = [torch.zeros_like(padded) for _ in range(self.count)]
        dist.all_gather(parts, padded)
        return [p[: int(s)].cpu().numpy().tobytes().decode() for p, s in zip(parts, sizes, strict=True)]


def pick_device(name: str) -> torch.device:
    """The device of that name; "auto" is CUDA if there is one.

    Raises:
        InputError: CUDA was asked for and there is none.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("device=cuda, but torch finds no CUDA device; use device=cpu, or install torch for CUDA")
    return torch.device(name)
