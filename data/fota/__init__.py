"""FoTa, the data set format of T3: labelled touches as WebDataset shards of images and JSON.

`FotaWriter` writes one split of one sensor's data set, `FotaDataset` opens one, `FotaStream` serves shuffled batches.
"""

from trunkline.data.fota.batches import TouchBatch
from trunkline.data.fota.dataset import FotaDataset, Sample
from trunkline.data.fota.faults import Fault, Tolerance
from trunkline.data.fota.labels import LABELS, Label
from trunkline.data.fota.pose import PoseScale, pose_change
from trunkline.data.fota.stream import FotaStream
from trunkline.data.fota.writer import FotaConfig, FotaWriter

__all__ = [
    "LABELS",
    "Fault",
    "FotaConfig",
    "FotaDataset",
    "FotaStream",
    "FotaWriter",
    "Label",
    "PoseScale",
    "Sample",
    "Tolerance",
    "TouchBatch",
    "pose_change",
]
