"""Shards of a FoTa data set: which there are, and which samples each holds.

A sample is a run of members with one key: `<key>.jpg` (an image) or `<key>.npy` (taxels), `<key>.json` (labels) and
perhaps `<key>.png` (contact mask). As in WebDataset the key is the name up to the first dot after the last slash.

Legend: S samples.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trunkline.data.fota.archive import Member, file_reader, read_members
from trunkline.data.fota.faults import Fault
from trunkline.errors import InputError

PARTS = ("jpg", "json", "png", "npy")
JPG, JSON, PNG, NPY = range(4)
SPLITS = ("train", "val", "test")
SHARD_SAMPLES = 10_000
MAX_MEMBER = 64 << 20  # bytes; no reading of a touch sensor comes near
_SHARD = re.compile(r"data[-_](\d+)\.tar")
_EXTENSIONS = {"jpg": JPG, "jpeg": JPG, "json": JSON, "png": PNG, "npy": NPY}


def shard_name(number: int) -> str:
    """The file name of a shard, as FoTa spells it."""
    return f"data-{number:06d}.tar"


def shard_number(path: Path) -> int:
    """The number in a shard's name, −1 if it is no shard."""
    match = _SHARD.fullmatch(path.name)
    return int(match[1]) if match else -1


def find_shards(folder: Path) -> list[Path]:
    """The shards of a split by number, in either spelling (`data-%06d.tar`, `data_%06d.tar`).

    Raises:
        InputError: two shards of one number.
    """
    found: dict[int, Path] = {}
    for path in sorted(folder.glob("data?*.tar")):
        number = shard_number(path)
        if number < 0 or not path.is_file():
            continue
        if number in found:
            raise InputError(f"{folder} has both {found[number].name} and {path.name}; remove one of them")
        found[number] = path
    return [found[number] for number in sorted(found)]


@dataclass(frozen=True, eq=False)
class ShardIndex:
    """Where the sound samples of a shard lie.

    Attributes:
        path: of the shard.
        extents: (S, 2) int64, offsets of a sample's first header and of the byte behind its last member.
        parts: (S, 4, 2) int32, offset from the sample's begin and size of each of `PARTS`; offset 0 if it has none.
        faults: the samples that are not sound.
    """

    path: Path
    extents: np.ndarray
    parts: np.ndarray
    faults: tuple[Fault, ...]

    def __len__(self) -> int:
        return len(self.extents)


class _Group:
    """The members of one key, while they are met."""

    def __init__(self, key: str, begin: int) -> None:
        self.key, self.begin, self.end = key, begin, begin
        self.parts = [(0, 0)] * len(PARTS)
        self.fault = ""

    def add(self, member: Member, extension: str) -> None:
        self.end = member.end
        part = _EXTENSIONS.get(extension)
        fault = member.fault or _unsafe(member.name)
        if part is not None and not fault:
            if self.parts[part][0]:
                fault = f"it has two members .{PARTS[part]}"
            elif member.size > MAX_MEMBER:
                fault = f"{member.name} has {member.size} bytes, more than {MAX_MEMBER}"
            self.parts[part] = (member.data - self.begin, member.size)
        self.fault = self.fault or fault

    def verdict(self) -> str:
        """What is wrong with the sample; "" if it is sound."""
        if self.fault:
            return self.fault
        if not self.parts[JSON][0]:
            return "it has no .json"
        if not self.parts[JPG][0] and not self.parts[NPY][0]:
            return "it has no .jpg and no .npy"
        return "" if self.end - self.begin <= 2 * MAX_MEMBER else f"its members take {self.end - self.begin} bytes"


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """A file descriptor of a shard.

    Raises:
        InputError: the file cannot be opened or read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            yield descriptor
        finally:
            os.close(descriptor)
    except OSError as error:
        raise InputError(f"cannot read the shard {path}: {error.strerror or error}; restore it") from None


def scan(path: Path, limit: int | None = None) -> ShardIndex:
    """Find the samples of a shard from its headers.

    Args:
        path: of the shard.
        limit: stop after so many sound samples; None for all.

    Raises:
        InputError: the file cannot be read.
    """
    with opened(path) as descriptor:
        return _scan(path, descriptor, limit)


def _scan(path: Path, descriptor: int, limit: int | None) -> ShardIndex:
    extents: list[tuple[int, int]] = []
    parts: list[list[tuple[int, int]]] = []
    faults: list[Fault] = []
    group: _Group | None = None

    def finish(ended: _Group | None) -> None:
        if ended is None or not (ended.fault or any(offset for offset, _ in ended.parts)):
            return
        verdict = ended.verdict()
        if verdict:
            faults.append(Fault(str(path), ended.key, verdict))
        else:
            extents.append((ended.begin, ended.end))
            parts.append(ended.parts)

    for member in read_members(file_reader(descriptor), os.fstat(descriptor).st_size):
        key, extension = split_name(member.name)
        if not member.fault and (member.directory or not key or not extension):
            continue
        if not key:
            key = f"@{member.header}"
        if group is None or group.key != key:
            finish(group)
            if len(extents) == limit:
                group = None
                break
            group = _Group(key, member.header)
        group.add(member, extension)
    finish(group)
    return ShardIndex(
        path,
        np.array(extents, np.int64).reshape(-1, 2),
        np.array(parts, np.int32).reshape(-1, len(PARTS), 2),
        tuple(faults),
    )


def split_name(name: str) -> tuple[str, str]:
    """Key and extension (lower case) of a member; "" for each that it has not."""
    folder, slash, base = name.removeprefix("./").rpartition("/")
    stem, _, extension = base.partition(".")
    return (folder + slash + stem, extension.lower()) if stem else ("", "")


def _unsafe(name: str) -> str:
    if name.startswith("/"):
        return f"the member {name} has an absolute path"
    return f"the member {name} points outside its folder" if ".." in name.split("/") else ""
