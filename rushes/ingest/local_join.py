"""A file from the bytes of others, in the kernel where the file system can."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable

from rushes.ingest.local_append import FULL
from rushes.ingest.store import StoreFull

_AT_ONCE = 2**30
"""Bytes asked for by one system call; it may do less."""
_BUFFER = 2**20
_UNABLE = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EXDEV, errno.EPERM, errno.EIO})
"""What file systems that cannot copy a range say."""


def write_joined(target: int, sources: Iterable[tuple[int, int]]) -> int:
    """Append to the file `target` the first bytes of other files: (descriptor, how many). Gives the sum.

    Raises StoreFull, and EOFError where a file is shorter.
    """
    total = 0
    try:
        for source, size in sources:
            copied = _copied_by_kernel(source, target, size)
            _copy(source, target, copied, size)
            total += size
    except OSError as error:
        if error.errno in FULL:
            raise StoreFull from error
        raise
    return total


def _copied_by_kernel(source: int, target: int, size: int) -> int:
    """How much of it. On file systems that can share blocks (XFS, Btrfs), nothing is copied at all."""
    done = 0
    while done < size:
        try:
            count = os.copy_file_range(source, target, min(_AT_ONCE, size - done), offset_src=done)
        except OSError as error:
            if error.errno in _UNABLE:
                break
            raise
        if not count:
            break
        done += count
    return done


def _copy(source: int, target: int, start: int, size: int) -> None:
    while start < size:
        piece = os.pread(source, min(_BUFFER, size - start), start)
        if not piece:
            raise EOFError(f"a part has {start} bytes instead of {size}")
        start += len(piece)
        left = memoryview(piece)
        while left:
            left = left[os.write(target, left) :]
