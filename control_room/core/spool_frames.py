"""Frames: what the files of a spool consist of, so that a torn or damaged one is known and costs itself alone.

A frame is a mark, the size of its content in bytes, the number of its first row, its count of rows, a CRC-32 over all that and
the content, and the content: rows of samples, or alarm changes as JSON.
"""

import struct
import zlib
from dataclasses import dataclass

MARK = b"\xc5SPL"
LONGEST_BYTES = 64 * 1024 * 1024
_HEAD = struct.Struct("<4sIQII")
_SUMMED = struct.Struct("<IQI")


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame that was found whole: `count` rows from number `first` on; its content stands from `begin` to `end`."""

    first: int
    count: int
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Scan:
    """What was found in a file: its frames in order, and how often bytes stood between or after them that are none."""

    frames: tuple[Frame, ...]
    damages: int


def frame(first: int, count: int, content: bytes) -> bytes:
    """Return the bytes of a frame."""
    summed = zlib.crc32(content, zlib.crc32(_SUMMED.pack(len(content), first, count)))
    return _HEAD.pack(MARK, len(content), first, count, summed) + content


def scan(found: bytes) -> Scan:
    """Return the whole frames of a file's bytes; what is torn or damaged is passed over."""
    frames: list[Frame] = []
    damages, at, expected = 0, 0, 0
    while 0 <= at < len(found):
        one = _frame_at(found, at)
        if one is not None and one.first >= expected:
            frames.append(one)
            at, expected = one.end, one.first + one.count
            continue
        damages += 1
        at = _next_frame(found, at + 1, expected)
    return Scan(tuple(frames), damages)


def _next_frame(found: bytes, at: int, expected: int) -> int:
    """Return where the next whole frame stands, -1 when none follows."""
    while (at := found.find(MARK, at)) >= 0:
        one = _frame_at(found, at)
        if one is not None and one.first >= expected:
            break
        at += 1
    return at


def _frame_at(found: bytes, at: int) -> Frame | None:
    begin = at + _HEAD.size
    if begin > len(found):
        return None
    mark, size_bytes, first, count, summed = _HEAD.unpack_from(found, at)
    end = begin + size_bytes
    if mark != MARK or size_bytes > LONGEST_BYTES or end > len(found):
        return None
    content = memoryview(found)[begin:end]
    if zlib.crc32(content, zlib.crc32(_SUMMED.pack(size_bytes, first, count))) != summed:
        return None
    return Frame(first, count, begin, end)
