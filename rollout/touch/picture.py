"""A picture of a few contacts through every sensor: a row a contact, a column a sensor."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trunkline.data.fota.dataset import FotaDataset
from trunkline.files import replacing

_SIDE, _GAP = 72, 4  # pixels
_LEAST_FORCE = 2.0  # N


def draw_contacts(root: Path, sensors: Sequence[str], path: Path, rows: int = 4) -> None:
    """Write a PNG of contacts of different objects, out of the first shard of the test split.

    Args:
        root: folder of the data sets.
        sensors: the columns; touch images as they are, taxel arrays as grey maps of their readings' magnitude.
        path: of the PNG.
        rows: at most so many contacts.
    """
    from PIL import Image

    sets = [FotaDataset(root / sensor, "test") for sensor in sensors]
    chosen: dict[str, list[np.ndarray]] = {}
    # The data sets hold the same contacts in the same order.
    for samples in zip(*(dataset.samples(dataset.shards[:1]) for dataset in sets), strict=False):
        labels: dict[str, Any] = samples[0].labels
        new = labels["obj_name"] not in chosen
        if new and labels["force_n"][2] > _LEAST_FORCE and len({sample.key for sample in samples}) == 1:
            chosen[labels["obj_name"]] = [sample.reading for sample in samples]
        if len(chosen) == rows:
            break
    step = _SIDE + _GAP
    sheet = np.full((max(len(chosen), 1) * step - _GAP, len(sets) * step - _GAP, 3), 255, np.uint8)
    for row, readings in enumerate(chosen.values()):
        for column, reading in enumerate(readings):
            sheet[row * step : row * step + _SIDE, column * step : column * step + _SIDE] = _tile(reading)
    with replacing(path) as temporary:
        Image.fromarray(sheet).save(temporary, format="PNG")


def _tile(reading: np.ndarray) -> np.ndarray:
    """A reading as (_SIDE, _SIDE, 3) pixels."""
    if reading.dtype != np.uint8:
        size = np.sqrt(np.square(reading.astype(np.float64)).sum(-1))
        grey = 255 * size / max(float(size.max()), 1e-9)
        reading = np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)
    rows, columns = (np.arange(_SIDE) * n // _SIDE for n in reading.shape[:2])
    tile: np.ndarray = reading[np.ix_(rows, columns)]
    return tile
