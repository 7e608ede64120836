"""Small FoTa data sets, ours and as others write them, for the tests of touch data."""

import io
import json
import tarfile
from contextlib import contextmanager

import numpy as np
from PIL import Image

from trunkline.data.fota import FotaConfig, FotaDataset, FotaStream, FotaWriter
from trunkline.data.fota.labels import POSE
from trunkline.envs.spec import SensorSpec

GEL = SensorSpec("gel", "tactile_rgb", (16, 16, 3), "uint8")
PAD = SensorSpec("pad", "taxels", (4, 4, 3))


def labels_of(number):
    rng = np.random.default_rng([9, number])
    pose = dict(zip(POSE, rng.normal(size=7).tolist(), strict=True))
    names = {"obj_idx": number // 20, "obj_name": f"object {number // 20}", "trial_idx": number // 5 % 4}
    return {"has_contact": number % 2 == 0, "frame_idx": number, **names, **pose, "force_n": [0.0, 0.1, float(number)]}


def picture(number):
    """A smooth picture, which JPEG hardly changes, that tells its number by its brightness."""
    rows = np.arange(16, dtype=np.uint8)[:, None, None]
    return np.broadcast_to(rows + np.uint8(number % 200), GEL.shape).copy()


def mask_of(number):
    return np.arange(256).reshape(16, 16) < number


def write(folder, count=100, split="train", start=0, shard_samples=30, **extra):
    with FotaWriter(folder, split, GEL, FotaConfig(shard_samples=shard_samples)) as writer:
        for i in range(start, start + count):
            writer.add(f"touch.{i:05d}", picture(i), {**labels_of(i), **extra}, mask_of(i))
    return folder


@contextmanager
def streams():
    """A function that makes streams, all of which are closed at the end."""
    made = []

    def make(source, batch_size=8, **options):
        source = source if isinstance(source, FotaDataset | list) else FotaDataset(source)
        made.append(FotaStream(source, batch_size, **{"shuffle_buffer": 32, "seed": 3, **options}))
        return made[-1]

    yield make
    for one in made:
        one.close()


def numbers(batches):
    return [n for batch in batches for n in batch.fields["frame_idx"].tolist()]


def assert_equal(batch, other):
    for one, two in ((batch, other), *([(batch.second, other.second)] if batch.second else [])):
        readings, fields = (one.readings, one.fields) if one is batch else one
        theirs, their_fields = (two.readings, two.fields) if two is other else two
        np.testing.assert_array_equal(readings, theirs)
        assert fields.keys() == their_fields.keys()
        for name in fields:
            np.testing.assert_array_equal(fields[name], their_fields[name])


def jpeg(value=128, size=(16, 16), **options):
    stream = io.BytesIO()
    Image.new(options.pop("mode", "RGB"), size, value if isinstance(value, tuple) else (value,) * 3).save(
        stream, "JPEG", **options
    )
    return stream.getvalue()


def as_json(number=0, **fields):
    return json.dumps({"frame_idx": number, "obj_idx": number % 3, **fields}).encode()


def make_shard(folder, changes, count=40, name="data-000000.tar", tar_format=tarfile.USTAR_FORMAT, prefix=""):
    """A shard of `count` good samples, as tarfile writes it; `changes` replaces members: bytes, TarInfo, None."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(folder / name, "w", format=tar_format) as archive:
        for i in range(count):
            for member, data in ((f"k{i:03d}.jpg", jpeg(2 * i)), (f"k{i:03d}.json", as_json(i))):
                change = changes.get(member, data)
                if isinstance(change, tarfile.TarInfo):
                    archive.addfile(change)
                elif change is not None:
                    info = tarfile.TarInfo(prefix + member)
                    info.size, info.mtime = len(change), 1234.5
                    archive.addfile(info, io.BytesIO(change))
    return folder.parent
