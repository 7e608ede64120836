"""Tar files, read in place: what members a shard has and where their bytes lie. Nothing is ever extracted.

The headers alone are read, 512 bytes each, and every number in them is checked against the file's size before it is
believed. After a damaged header the next sound one is searched, so that one bad spot costs one sample. Formats: ustar
(POSIX.1-1988), pax (POSIX.1-2001) and GNU long names and sizes.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

BLOCK = 512
REGULAR = frozenset(b"0\0" + b"7")
DIRECTORY = ord("5")
END = BLOCK * b"\0"
_WORDS = {
    ord("1"): "a hard link",
    ord("2"): "a symbolic link",
    ord("3"): "a device",
    ord("4"): "a device",
    ord("6"): "a pipe",
}
_LONG_NAME, _LONG_LINK, _PAX, _PAX_GLOBAL = b"LKxg"
_MAX_EXTENSION = 1 << 20  # bytes of a pax header or a long name
_SEARCH = 1 << 20

Read = Callable[[int, int], bytes]


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a tar file.

    Attributes:
        name: as written, undecodable bytes escaped; "" if the header is beyond reading.
        header: offset of its first header.
        data: offset of its bytes.
        size: of them.
        fault: what is wrong with it, in words; "" for a regular file or a directory.
        directory: whether it is one.
    """

    name: str
    header: int
    data: int
    size: int
    fault: str = ""
    directory: bool = False

    @property
    def end(self) -> int:
        """Offset behind its bytes and their padding."""
        return self.data + _padded(self.size)


def read_members(read: Read, length: int) -> Iterator[Member]:
    """The members of a tar file of `length` bytes, in order; what is damaged is a member with a fault.

    Args:
        read: (offset, size) -> bytes, fewer at the end of the file.
        length: of the file.
    """
    at, first, name, size_override, lost = 0, -1, "", -1, False
    while at < length:
        block = read(at, BLOCK)
        if block == END:
            return
        first = at if first < 0 else first
        header = _parse(block)
        if header is None:
            yield Member(name, first, at, 0, "its tar header is damaged")
            at, first, name, size_override, lost = _next_header(read, at + BLOCK, length), -1, "", -1, True
            continue
        kind, short, size = header
        data = at + BLOCK
        if kind in (_LONG_NAME, _LONG_LINK, _PAX, _PAX_GLOBAL) and size <= min(_MAX_EXTENSION, length - data):
            content = read(data, size)
            if kind == _LONG_NAME:
                name = _text(content.rstrip(b"\0"))
            elif kind == _PAX:
                records = _pax_records(content)
                name = _text(records[b"path"]) if b"path" in records else name
                digits = records.get(b"size", b"")
                size_override = int(digits) if digits.isdigit() and len(digits) < 20 else size_override
            at = data + _padded(size)
            continue
        name = name or short
        size = size_override if size_override >= 0 else size
        if size > length - data:
            left = max(length - data, 0)
            yield Member(name, first, data, 0, f"it declares {size} bytes where the shard has {left} left")
            at, lost = _next_header(read, data, length), True
        else:
            directory = kind == DIRECTORY or (kind in REGULAR and name.endswith("/"))
            fault = "" if kind in REGULAR or directory else f"{name} is {_WORDS.get(kind, 'no regular file')}"
            yield Member(name, first, data, size, fault, directory)
            at, lost = data + _padded(size), False
        first, name, size_override = -1, "", -1
    if not lost:
        yield Member("", length, length, 0, "the shard ends without its end mark: it is cut short")


def file_reader(descriptor: int) -> Read:
    """`read` for an open file; it holds no position, so threads may share it."""

    def read(offset: int, size: int) -> bytes:
        return os.pread(descriptor, size, offset)

    return read


def header(name: str, size: int) -> bytes:
    """The ustar header of a regular file: the same name and size give the same bytes.

    Args:
        name: ASCII, at most 100 characters.
        size: of the file, below 8 GiB.
    """
    block = bytearray(BLOCK)
    block[: len(name)] = name.encode("ascii")
    block[100:136] = b"0000644\0" + b"0000000\0" * 2 + b"%011o\0" % size
    block[136:157] = b"%011o\0" % 0 + b" " * 8 + b"0"
    block[257:265] = b"ustar\x0000"
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def padding(size: int) -> bytes:
    """What stands between a member of `size` bytes and the next header."""
    return b"\0" * (_padded(size) - size)


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def _parse(block: bytes) -> tuple[int, str, int] | None:
    """Type, name and size of a header, or None if it is not one."""
    if len(block) != BLOCK:
        return None
    declared, size = _number(block[148:156]), _number(block[124:136])
    if declared != sum(block) - sum(block[148:156]) + 8 * 0x20 or size is None:
        return None
    name = block[:100].split(b"\0", 1)[0]
    if block[257:263] == b"ustar\0" and block[345]:
        name = block[345:500].split(b"\0", 1)[0] + b"/" + name
    return block[156], _text(name), size


def _number(field: bytes) -> int | None:
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    try:
        value = int(field.split(b"\0", 1)[0].strip() or b"0", 8)
    except ValueError:
        return None
    return value if value >= 0 else None


def _text(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")


def _pax_records(content: bytes) -> dict[bytes, bytes]:
    records: dict[bytes, bytes] = {}
    while content:
        digits, _, rest = content.partition(b" ")
        length = int(digits) if digits.isdigit() and len(digits) < 8 else 0
        if not len(digits) + 1 < length <= len(content):
            break
        key, _, value = rest[: length - len(digits) - 2].partition(b"=")
        records[key] = value
        content = content[length:]
    return records


def _next_header(read: Read, at: int, length: int) -> int:
    """Offset of the next sound header at or after `at`, or of the end mark, or `length`."""
    while at < length:
        window = read(at, _SEARCH)
        found = window.find(b"ustar")
        while found >= 0:
            begin = found - 257
            if begin >= 0 and begin % BLOCK == 0 and _parse(window[begin : begin + BLOCK]) is not None:
                return at + begin
            found = window.find(b"ustar", found + 1)
        if len(window) < _SEARCH:
            return length
        at += _SEARCH
    return length
