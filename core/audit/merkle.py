"""The Merkle tree of RFC 6962, section 2.1: hashes, the growing tree, and proofs with their verification.

A leaf is SHA-256(0x00 || bytes), a node SHA-256(0x01 || left || right); an odd leaf is never doubled. The
left part of a tree of n leaves holds the largest power of two below n. Proofs are made from `span`, a function
that gives the root over leaves [start, stop); `core.audit.subtrees` gives one that does not read the whole log.
Verification follows RFC 9162, sections 2.1.3.2 and 2.1.4.2.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()
"""The root of the tree without leaves."""

Span = Callable[[int, int], bytes]
"""The root over leaves [start, stop), where start < stop."""


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf's bytes."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node over two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The root over leaf hashes."""
    tree = Tree()
    for leaf in leaves:
        tree.append(leaf)
    return tree.root()


def split(size: int) -> int:
    """How many of `size` leaves (2 or more) stand in the left subtree."""
    return 1 << ((size - 1).bit_length() - 1)


class Tree:
    """A tree that only grows, kept as the roots of its complete subtrees, largest first: at most 64 hashes."""

    __slots__ = ("_roots", "size")

    def __init__(self) -> None:
        self.size = 0
        self._roots: list[bytes] = []

    @classmethod
    def from_frontier(cls, size: int, frontier: bytes) -> Tree:
        """The tree that `frontier` was taken from. Raises ValueError when the two do not fit each other."""
        if size < 0 or len(frontier) != size.bit_count() * HASH_BYTES:
            raise ValueError(f"a tree of {size} leaves does not have a frontier of {len(frontier)} bytes")
        tree = cls()
        tree.size = size
        tree._roots = [frontier[at : at + HASH_BYTES] for at in range(0, len(frontier), HASH_BYTES)]
        return tree

    def frontier(self) -> bytes:
        """The roots of the complete subtrees, largest first: all that is needed to go on."""
        return b"".join(self._roots)

    def copy(self) -> Tree:
        """A tree that grows on its own from here."""
        other = Tree()
        other.size = self.size
        other._roots = self._roots.copy()
        return other

    def append(self, leaf: bytes) -> None:
        """Add a leaf hash at the end."""
        roots = self._roots
        complete = self.size
        while complete & 1:
            leaf = hashlib.sha256(b"\x01" + roots.pop() + leaf).digest()
            complete >>= 1
        roots.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """The root over all leaves so far."""
        if not self._roots:
            return EMPTY_ROOT
        root = self._roots[-1]
        for left in reversed(self._roots[:-1]):
            root = node_hash(left, root)
        return root


def inclusion_proof(index: int, size: int, span: Span) -> list[bytes]:
    """The hashes that lead from leaf `index` to the root over `size` leaves, lowest first.

    Raises ValueError when there is no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    path: list[tuple[int, int]] = []
    start, stop = 0, size
    while stop - start > 1:
        middle = start + split(stop - start)
        if index < middle:
            path.append((middle, stop))
            stop = middle
        else:
            path.append((start, middle))
            start = middle
    return [span(*part) for part in reversed(path)]


def consistency_proof(old: int, new: int, span: Span) -> list[bytes]:
    """The hashes which show that the tree of `old` leaves is how the tree of `new` leaves began.

    Empty when nothing has to be shown: `old` is 0 or equals `new`. Raises ValueError unless 0 <= old <= new.
    """
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} leaves did not grow from one of {old}")
    if old in (0, new):
        return []
    path: list[tuple[int, int]] = []
    start, stop = 0, new
    whole = True
    while stop != old:
        middle = start + split(stop - start)
        if old <= middle:
            path.append((middle, stop))
            stop = middle
        else:
            path.append((start, middle))
            start = middle
            whole = False
    if not whole:
        path.append((start, stop))
    return [span(*part) for part in reversed(path)]


def verify_inclusion(*, leaf: bytes, index: int, size: int, hashes: Sequence[bytes], root: bytes) -> bool:
    """Whether the proof shows that `leaf` is leaf `index` of the tree of `size` leaves with that root."""
    if not 0 <= index < size:
        return False
    at, last = index, size - 1
    result = leaf
    for sibling in hashes:
        if last == 0:
            return False
        if at & 1 or at == last:
            result = node_hash(sibling, result)
            while not at & 1 and at:
                at >>= 1
                last >>= 1
        else:
            result = node_hash(result, sibling)
        at >>= 1
        last >>= 1
    return last == 0 and result == root


def verify_consistency(*, old: int, old_root: bytes, new: int, new_root: bytes, hashes: Sequence[bytes]) -> bool:
    """Whether the proof shows that the tree of `new` leaves begins with the tree of `old` leaves."""
    if not 0 <= old <= new:
        return False
    if old == new:
        return not hashes and old_root == new_root
    if old == 0:
        return not hashes and old_root == EMPTY_ROOT
    path = list(hashes)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    if not path:
        return False
    at, last = old - 1, new - 1
    while at & 1:
        at >>= 1
        last >>= 1
    first = second = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            first = node_hash(sibling, first)
            second = node_hash(sibling, second)
            while not at & 1 and at:
                at >>= 1
                last >>= 1
        else:
            second = node_hash(second, sibling)
        at >>= 1
        last >>= 1
    return last == 0 and first == old_root and second == new_root
