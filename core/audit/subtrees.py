"""Proofs over a large log without reading it: the roots of its complete blocks of 256 leaves, kept in memory.

A million entries take 250 KB. A proof then reads at most two blocks of leaves and hashes at most 512 times,
however long the log is. The cache holds only what is committed: it is filled from stored leaf hashes.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Protocol

from core.audit.merkle import HASH_BYTES, consistency_proof, inclusion_proof, node_hash, root_of, split

BLOCK_LEVEL = 8
BLOCK = 1 << BLOCK_LEVEL
"""Leaves in a block."""


class LeafSource(Protocol):
    """Where the leaf hashes of committed entries come from."""

    def leaf_hashes(self, start: int, stop: int) -> Sequence[bytes]:
        """The hashes of leaves [start, stop), counted from 0 (leaf i is the entry with seq i + 1), in order."""
        ...


class Subtrees:
    """The roots of the complete blocks and of the complete trees over them. Safe for several threads."""

    def __init__(self) -> None:
        self._levels: list[bytearray] = [bytearray()]
        self._lock = threading.Lock()

    @property
    def blocks(self) -> int:
        """How many complete blocks are known."""
        return len(self._levels[0]) // HASH_BYTES

    def grow(self, size: int, source: LeafSource) -> None:
        """Know every complete block below `size`, reading only those that are new."""
        with self._lock:
            for block in range(self.blocks, size >> BLOCK_LEVEL):
                self._add(root_of(_read(source, block * BLOCK, (block + 1) * BLOCK)))

    def inclusion_proof(self, index: int, size: int, source: LeafSource) -> list[bytes]:
        """As `merkle.inclusion_proof`, over the first `size` leaves of `source`."""
        self.grow(size, source)
        return inclusion_proof(index, size, _Spans(self._levels, source, size).root)

    def consistency_proof(self, old: int, new: int, source: LeafSource) -> list[bytes]:
        """As `merkle.consistency_proof`, over the first `new` leaves of `source`."""
        self.grow(new, source)
        return consistency_proof(old, new, _Spans(self._levels, source, new).root)

    def root(self, size: int, source: LeafSource) -> bytes:
        """The root over the first `size` leaves of `source`."""
        if size == 0:
            return root_of(())
        self.grow(size, source)
        return _Spans(self._levels, source, size).root(0, size)

    def _add(self, root: bytes) -> None:
        """Append a block's root, and the root of every larger tree that it completes."""
        level = 0
        while True:
            if level == len(self._levels):
                self._levels.append(bytearray())
            row = self._levels[level]
            row += root
            count = len(row) // HASH_BYTES
            if count & 1:
                return
            root = node_hash(bytes(row[-2 * HASH_BYTES : -HASH_BYTES]), root)
            level += 1


class _Spans:
    """The roots over ranges of leaves, for one proof: each block is read at most once."""

    def __init__(self, levels: list[bytearray], source: LeafSource, size: int) -> None:
        self._levels = levels
        self._source = source
        self._size = size
        self._blocks: dict[int, Sequence[bytes]] = {}

    def root(self, start: int, stop: int) -> bytes:
        width = stop - start
        if width >= BLOCK and width & (width - 1) == 0:
            at = start // width * HASH_BYTES
            return bytes(self._levels[width.bit_length() - 1 - BLOCK_LEVEL][at : at + HASH_BYTES])
        if width < BLOCK:
            block = self._block(start >> BLOCK_LEVEL)
            first = start & (BLOCK - 1)
            return root_of(block[first : first + width])
        middle = start + split(width)
        return node_hash(self.root(start, middle), self.root(middle, stop))

    def _block(self, number: int) -> Sequence[bytes]:
        leaves = self._blocks.get(number)
        if leaves is None:
            start = number * BLOCK
            leaves = self._blocks[number] = _read(self._source, start, min(start + BLOCK, self._size))
        return leaves


def _read(source: LeafSource, start: int, stop: int) -> Sequence[bytes]:
    leaves = source.leaf_hashes(start, stop)
    if len(leaves) != stop - start:
        raise ValueError(f"the log has {len(leaves)} of the {stop - start} entries from seq {start + 1} to {stop}")
    return leaves
