"""The tree and its proofs, against the recursive definitions of RFC 6962 written out naively."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.audit.merkle import (
    EMPTY_ROOT,
    Tree,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)

DATA = [f"entry {number}".encode() for number in range(140)]
LEAVES = [leaf_hash(data) for data in DATA]


def naive_split(size: int) -> int:
    power = 1
    while power * 2 < size:
        power *= 2
    return power


def naive_root(data: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1."""
    if not data:
        return hashlib.sha256().digest()
    if len(data) == 1:
        return hashlib.sha256(b"\x00" + data[0]).digest()
    k = naive_split(len(data))
    return hashlib.sha256(b"\x01" + naive_root(data[:k]) + naive_root(data[k:])).digest()


def naive_path(index: int, data: Sequence[bytes]) -> list[bytes]:
    """PATH of RFC 6962, section 2.1.1."""
    if len(data) == 1:
        return []
    k = naive_split(len(data))
    if index < k:
        return [*naive_path(index, data[:k]), naive_root(data[k:])]
    return [*naive_path(index - k, data[k:]), naive_root(data[:k])]


def naive_subproof(old: int, data: Sequence[bytes], whole: bool) -> list[bytes]:
    """SUBPROOF of RFC 6962, section 2.1.2."""
    if old == len(data):
        return [] if whole else [naive_root(data)]
    k = naive_split(len(data))
    if old <= k:
        return [*naive_subproof(old, data[:k], whole), naive_root(data[k:])]
    return [*naive_subproof(old - k, data[k:], False), naive_root(data[:k])]


def span(start: int, stop: int) -> bytes:
    return naive_root(DATA[start:stop])


def test_roots_are_the_published_ones_of_certificate_transparency() -> None:
    published = [b"", b"\x00", b"\x10", b"\x20\x21", b"\x30\x31", b"\x40\x41\x42\x43"]
    assert root_of([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert root_of(map(leaf_hash, published[:1])).hex() == (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    )
    assert root_of(map(leaf_hash, published[:3])).hex() == (
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"
    )


@pytest.mark.parametrize("size", list(range(140)))
def test_the_growing_tree_has_the_root_of_the_definition(size: int) -> None:
    assert root_of(LEAVES[:size]) == naive_root(DATA[:size])


def test_an_odd_leaf_is_not_doubled() -> None:
    assert root_of(LEAVES[:3]) != root_of([*LEAVES[:3], LEAVES[2]])


def test_a_leaf_cannot_pass_for_a_node() -> None:
    assert leaf_hash(LEAVES[0] + LEAVES[1]) != root_of(LEAVES[:2])


def test_a_copy_grows_on_its_own() -> None:
    tree = Tree()
    for leaf in LEAVES[:5]:
        tree.append(leaf)
    candidate = tree.copy()
    for leaf in LEAVES[5:9]:
        candidate.append(leaf)
    assert (tree.size, tree.root()) == (5, naive_root(DATA[:5]))
    assert (candidate.size, candidate.root()) == (9, naive_root(DATA[:9]))


@given(st.integers(0, 139), st.integers(0, 139))
def test_a_tree_goes_on_from_its_frontier(first: int, more: int) -> None:
    tree = Tree()
    for leaf in LEAVES[:first]:
        tree.append(leaf)
    resumed = Tree.from_frontier(tree.size, tree.frontier())
    for leaf in LEAVES[first : max(first, more)]:
        resumed.append(leaf)
    assert resumed.root() == naive_root(DATA[: max(first, more)])


@pytest.mark.parametrize(("size", "frontier"), [(1, b""), (0, bytes(32)), (3, bytes(32)), (2, bytes(31)), (-1, b"")])
def test_a_frontier_of_another_size_is_refused(size: int, frontier: bytes) -> None:
    with pytest.raises(ValueError, match="frontier"):
        Tree.from_frontier(size, frontier)


@given(st.integers(1, 140), st.data())
def test_every_leaf_has_the_proof_of_the_definition_and_it_verifies(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(index, size, span)
    assert proof == naive_path(index, DATA[:size])
    root = naive_root(DATA[:size])
    assert verify_inclusion(leaf=LEAVES[index], index=index, size=size, hashes=proof, root=root)


@given(st.integers(1, 140), st.data())
def test_a_proof_changed_in_any_way_does_not_verify(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(index, size, span)
    root = naive_root(DATA[:size])
    other = data.draw(st.integers(0, size + 3).filter(lambda number: number != index))
    assert not verify_inclusion(leaf=LEAVES[index], index=other, size=size, hashes=proof, root=root)
    assert not verify_inclusion(leaf=bytes(32), index=index, size=size, hashes=proof, root=root)
    assert not verify_inclusion(leaf=LEAVES[index], index=index, size=size, hashes=[*proof, root], root=root)
    assert not verify_inclusion(leaf=LEAVES[index], index=index, size=size, hashes=proof, root=bytes(32))
    for at in range(len(proof)):
        cut = proof[:at] + proof[at + 1 :]
        bent = [*proof[:at], bytes(32), *proof[at + 1 :]]
        assert not verify_inclusion(leaf=LEAVES[index], index=index, size=size, hashes=cut, root=root)
        assert not verify_inclusion(leaf=LEAVES[index], index=index, size=size, hashes=bent, root=root)


@given(st.integers(0, 140), st.integers(0, 140))
def test_growth_has_the_proof_of_the_definition_and_it_verifies(one: int, two: int) -> None:
    old, new = sorted((one, two))
    proof = consistency_proof(old, new, span)
    assert proof == (naive_subproof(old, DATA[:new], True) if old > 0 else [])
    old_root, new_root = naive_root(DATA[:old]), naive_root(DATA[:new])
    assert verify_consistency(old=old, old_root=old_root, new=new, new_root=new_root, hashes=proof)


@given(st.integers(1, 140), st.integers(1, 140))
def test_a_growth_that_did_not_happen_cannot_be_proved_with_a_genuine_proof(one: int, two: int) -> None:
    old, new = sorted((one, two))
    proof = consistency_proof(old, new, span)
    old_root, new_root = naive_root(DATA[:old]), naive_root(DATA[:new])
    forged = naive_root([b"forged", *DATA[1:old]])
    assert not verify_consistency(old=old, old_root=forged, new=new, new_root=new_root, hashes=proof)
    assert not verify_consistency(old=old, old_root=old_root, new=new, new_root=bytes(32), hashes=proof)
    assert not verify_consistency(old=old, old_root=old_root, new=new, new_root=new_root, hashes=[*proof, bytes(32)])
    for at in range(len(proof)):
        cut = proof[:at] + proof[at + 1 :]
        assert not verify_consistency(old=old, old_root=old_root, new=new, new_root=new_root, hashes=cut)


def test_a_proof_of_another_length_than_the_tree_needs_is_refused_even_where_its_hashes_fit() -> None:
    two, four = root_of(LEAVES[:2]), root_of(LEAVES[:4])
    assert not verify_inclusion(leaf=two, index=0, size=2, hashes=[], root=two)
    assert not verify_inclusion(leaf=LEAVES[0], index=0, size=1, hashes=[LEAVES[1]], root=two)
    half = root_of(LEAVES[2:4])
    assert verify_consistency(old=2, old_root=two, new=4, new_root=four, hashes=[half])
    assert not verify_consistency(old=2, old_root=two, new=5, new_root=four, hashes=[half])
    assert not verify_consistency(old=1, old_root=two, new=2, new_root=four, hashes=[half, half])
    assert not verify_consistency(old=4, old_root=four, new=8, new_root=four, hashes=[])


def test_nothing_grows_backwards_or_out_of_a_false_beginning() -> None:
    assert not verify_consistency(old=3, old_root=bytes(32), new=2, new_root=bytes(32), hashes=[])
    assert not verify_consistency(old=0, old_root=bytes(32), new=2, new_root=bytes(32), hashes=[])
    assert verify_consistency(old=0, old_root=EMPTY_ROOT, new=2, new_root=naive_root(DATA[:2]), hashes=[])


@pytest.mark.parametrize(("index", "size"), [(0, 0), (3, 3), (-1, 3)])
def test_a_leaf_that_is_not_there_has_no_proof(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        inclusion_proof(index, size, span)
    assert not verify_inclusion(leaf=bytes(32), index=index, size=size, hashes=[], root=bytes(32))


def test_a_tree_that_shrank_has_no_consistency_proof() -> None:
    with pytest.raises(ValueError, match="did not grow"):
        consistency_proof(4, 3, span)
