"""Agreement of sensors: the same contact, felt by two of them, should give the same features.

No labels are needed but `contact_id`, which says that touches are of one contact (and `frame_idx` at one moment of it).
What one sensor's touches taught a task's head then holds for the other's: zero-shot transfer.

Legend: B contacts, D width, F features (B, D).
"""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from trunkline.agents.agent import Agent
from trunkline.data.fota.dataset import FotaDataset
from trunkline.data.fota.decode import Encoded
from trunkline.data.fota.faults import BadSample
from trunkline.data.fota.shards import ShardIndex, scan
from trunkline.errors import InputError
from trunkline.pretrain.touch.batch import Ask, TouchTensors
from trunkline.pretrain.touch.config import AlignmentConfig
from trunkline.pretrain.touch.corpus import TouchCorpus, read_json

ALIGNMENT = "alignment"
Contact = tuple[str, int]  # contact_id, frame_idx
_SPARES = 2  # more contacts are drawn than are needed, by this factor at most, where samples are bad


class Alignment:
    """The loss between two sensors' features of the same contacts.

    Features are the CLS token and the mean of the patches' tokens, what heads read, each by itself.

    Args:
        config: of the loss.
    """

    def __init__(self, config: AlignmentConfig) -> None:
        self.config = config

    def __call__(self, agent: Agent, batch: TouchTensors) -> dict[str, Tensor]:
        """ "loss", and "agreement": the share of contacts whose nearest feature of the other sensor is their own."""
        assert batch.other is not None
        sensor, readings = batch.other
        one = agent.tokens({batch.sensor: batch.readings}).float()
        two = agent.tokens({sensor: readings}).float()
        features = [(one[:, 0], two[:, 0]), (one[:, 1:].mean(1), two[:, 1:].mean(1))]
        with torch.autocast(one.device.type, enabled=False):  # similarities over a small temperature need the digits
            losses = [self._loss(a, b) for a, b in features]
        with torch.no_grad():
            nearest = torch.cdist(features[0][0], features[0][1]).argmin(1)
            found = (nearest == torch.arange(batch.size, device=nearest.device)).float().mean()
        return {"loss": torch.stack(losses).mean(), "agreement": found}

    def _loss(self, one: Tensor, two: Tensor) -> Tensor:
        if self.config.kind == "infonce":
            return info_nce(one, two, self.config.temperature)
        return vicreg(one, two)


def info_nce(one: Tensor, two: Tensor, temperature: float) -> Tensor:
    """Cross-entropy, both ways, of finding each row's partner among all by cosine similarity; and agreement of means.

    Van den Oord et al., "Representation learning with contrastive predictive coding", 2018. The similarity is of
    features less their sensor's mean: a fresh transformer's features all point one way, and without centring the loss
    stays near chance (after 160 steps 29% of partners are found, with it 80%). What centring leaves out, a sensor's own
    mean, is drawn together by its squared difference.
    """
    means = functional.mse_loss(one.mean(0), two.mean(0))
    one, two = one - one.mean(0), two - two.mean(0)
    similarity = functional.normalize(one, dim=1) @ functional.normalize(two, dim=1).T / temperature
    right = torch.arange(len(one), device=one.device)
    return (functional.cross_entropy(similarity, right) + functional.cross_entropy(similarity.T, right)) / 2 + means


def vicreg(one: Tensor, two: Tensor) -> Tensor:
    """25 · invariance + 25 · variance + 1 · covariance, over 25: Bardes et al., "VICReg", ICLR 2022."""
    loss = functional.mse_loss(one, two)
    for features in (one, two):
        centred = features - features.mean(0)
        spread = (centred.square().sum(0) / max(len(features) - 1, 1) + 1e-4).sqrt()
        covariance = centred.T @ centred / max(len(features) - 1, 1)
        off_diagonal = covariance.square().sum() - covariance.diagonal().square().sum()
        loss = loss + functional.relu(1 - spread).mean() / 2 + off_diagonal / features.shape[1] / 25
    return loss


class ContactStream:
    """Batches of the same contacts felt by two sensors, without end.

    A step draws two sensors, in proportion to the contacts that they share, and contacts out of those; samples are read
    from where they lie. The number of steps is all the state there is.

    Args:
        corpus: the data sets; those without `contact_id` are left out.
        batch_size: B, or all shared contacts if they are fewer.
        seed: of the draws; the same on all workers, which are at the same two sensors.
        rank, world_size: this worker and their number.

    Raises:
        InputError: no two sensors share contacts.
    """

    def __init__(self, corpus: TouchCorpus, batch_size: int, seed: int = 0, rank: int = 0, world_size: int = 1) -> None:
        self._batch_size, self._seed, self._rank = batch_size, seed, rank
        self._step = 0
        self._touches = {name: _Touches(sets) for name, sets in corpus.datasets.items()}
        names = sorted(self._touches)
        self._shared: list[tuple[str, str, list[Contact]]] = []
        for i, one in enumerate(names):
            for two in names[i + 1 :]:
                shared = self._touches[one].contacts.keys() & self._touches[two].contacts.keys()
                if len(shared) >= 2 * world_size:
                    # Each worker has contacts of its own, so that negatives differ.
                    self._shared.append((one, two, sorted(shared)[rank::world_size]))
        if not self._shared:
            raise InputError(
                "alignment: no two sensors have touches of the same contact_id; set alignment.weight=0, or generate "
                "touches of one contact with several sensors"
            )
        sizes = np.array([len(shared) for _, _, shared in self._shared], np.float64)
        self._weights = sizes / sizes.sum()

    def __next__(self) -> TouchTensors:
        generator = np.random.default_rng([self._seed, self._step, 1])
        one, two, shared = self._shared[int(generator.choice(len(self._shared), p=self._weights))]
        generator = np.random.default_rng([self._seed, self._step, 2, self._rank])
        self._step += 1
        chosen = generator.permutation(len(shared))[: self._batch_size * _SPARES]
        first, second = [], []
        for contact in (shared[i] for i in chosen.tolist()):
            readings = (self._touches[one].read(contact), self._touches[two].read(contact))
            if readings[0] is not None and readings[1] is not None:
                first.append(readings[0])
                second.append(readings[1])
            if len(first) == self._batch_size:
                break
        if len(first) < 2:
            raise InputError(
                f"alignment: the touches that {one} and {two} share cannot be read; restore those data sets"
            )
        other = (two, torch.from_numpy(np.stack(second)))
        return TouchTensors(one, torch.from_numpy(np.stack(first)), (Ask(ALIGNMENT),), other=other)

    def state_dict(self) -> dict[str, Any]:
        """The position."""
        return {"step": self._step}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go to a position."""
        self._step = int(state["step"])

    def close(self) -> None:
        """Let go of the files."""
        for touches in self._touches.values():
            touches.close()


class _Touches:
    """One sensor's touches by contact."""

    def __init__(self, datasets: tuple[FotaDataset, ...]) -> None:
        self.contacts: dict[Contact, tuple[int, int]] = {}
        self._shards: list[tuple[ShardIndex, FotaDataset]] = []
        self._files: dict[int, int] = {}
        for dataset in datasets:
            labels = iter(read_json(dataset))
            for path in dataset.shards:
                index = scan(path)
                for row in range(len(index)):
                    values = next(labels)
                    if "contact_id" in values:
                        contact = (str(values["contact_id"]), int(values.get("frame_idx", 0)))
                        self.contacts[contact] = (len(self._shards), row)
                self._shards.append((index, dataset))

    def read(self, contact: Contact) -> np.ndarray | None:
        """The reading of a contact; None if the sample is bad."""
        shard, row = self.contacts[contact]
        index, dataset = self._shards[shard]
        if shard not in self._files:
            self._files[shard] = os.open(index.path, os.O_RDONLY)
        begin, end = index.extents[row].tolist()
        sample = Encoded(
            str(index.path), memoryview(os.pread(self._files[shard], end - begin, begin)), index.parts[row]
        )
        decoder = dataset.decoder(())
        rows = decoder.allocate(1)
        try:
            decoder.decode(sample, rows, 0)
        except BadSample:
            return None
        reading: np.ndarray = rows.readings[0]
        return reading

    def close(self) -> None:
        for descriptor in self._files.values():
            os.close(descriptor)
        self._files = {}
