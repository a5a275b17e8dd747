"""Proofs over a large log: the same as over the whole tree, from two blocks of leaves."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.audit.merkle import consistency_proof, inclusion_proof, root_of
from core.audit.subtrees import BLOCK, Subtrees

LEAVES = [hashlib.sha256(str(number).encode()).digest() for number in range(5 * BLOCK + 77)]


class Stored:
    """Leaf hashes that count how many of them are read."""

    def __init__(self, leaves: Sequence[bytes] = LEAVES) -> None:
        self.leaves = leaves
        self.read = 0

    def leaf_hashes(self, start: int, stop: int) -> Sequence[bytes]:
        found = self.leaves[start:stop]
        self.read += len(found)
        return found


def span(start: int, stop: int) -> bytes:
    return root_of(LEAVES[start:stop])


@given(st.integers(1, len(LEAVES)), st.data())
def test_proofs_and_roots_are_those_of_the_whole_tree(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    subtrees, stored = Subtrees(), Stored()
    assert subtrees.inclusion_proof(index, size, stored) == inclusion_proof(index, size, span)
    assert subtrees.consistency_proof(index, size, stored) == consistency_proof(index, size, span)
    assert subtrees.root(size, stored) == root_of(LEAVES[:size])


@given(st.lists(st.integers(1, len(LEAVES)), min_size=2, max_size=4))
def test_a_cache_that_knows_more_still_proves_a_smaller_tree(sizes: list[int]) -> None:
    subtrees, stored = Subtrees(), Stored()
    for size in sizes:
        assert subtrees.root(size, stored) == root_of(LEAVES[:size])


def test_once_grown_a_proof_reads_no_more_than_two_blocks() -> None:
    subtrees, stored = Subtrees(), Stored()
    subtrees.grow(len(LEAVES), stored)
    stored.read = 0
    subtrees.inclusion_proof(3, len(LEAVES), stored)
    assert stored.read <= 2 * BLOCK


def test_growing_reads_only_blocks_that_are_new() -> None:
    subtrees, stored = Subtrees(), Stored()
    subtrees.grow(3 * BLOCK + 5, stored)
    assert (subtrees.blocks, stored.read) == (3, 3 * BLOCK)
    subtrees.grow(4 * BLOCK, stored)
    assert (subtrees.blocks, stored.read) == (4, 4 * BLOCK)


def test_the_empty_log_has_the_empty_root() -> None:
    assert Subtrees().root(0, Stored([])) == root_of([])


def test_a_log_with_too_few_entries_is_said_so() -> None:
    with pytest.raises(ValueError, match="of the 256 entries"):
        Subtrees().grow(BLOCK, Stored(LEAVES[:10]))


def test_threads_that_grow_it_at_once_count_no_block_twice() -> None:
    subtrees = Subtrees()
    threads = [threading.Thread(target=subtrees.grow, args=(len(LEAVES), Stored())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert subtrees.blocks == 5
    assert subtrees.root(len(LEAVES), Stored()) == root_of(LEAVES)
