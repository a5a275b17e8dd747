"""Proofs of single entries, as the hub publishes them and as an outsider checks them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from core.audit.keys import SigningKey
from core.audit.proof import Proof, prove, verify_proof
from core.audit.subtrees import Subtrees
from core.errors import Invalid, NotFound


class Stored:
    """The leaf hashes of a log in memory."""

    def __init__(self, log: Any) -> None:
        self.rows = log.rows

    def leaf_hashes(self, start: int, stop: int) -> Sequence[bytes]:
        return [row[2] for row in self.rows[start:stop]]


def proof_of(log: Any, seq: int, size: int | None = None) -> Proof:
    return prove(seq, log.note(size), subtrees=Subtrees(), source=Stored(log))


def code_of(proof: Proof, log: Any, **options: Any) -> str:
    with pytest.raises(Invalid) as caught:
        verify_proof(proof, keys=[log.key.verifier], **options)
    return caught.value.code


def test_every_entry_under_a_checkpoint_has_a_proof(log: Any) -> None:
    for seq in range(1, 42):
        proof = proof_of(log, seq, 41)
        assert verify_proof(proof, keys=[log.key.verifier], entry=log.rows[seq - 1][1]).size == 41


def test_a_proof_survives_being_published(log: Any) -> None:
    proof = proof_of(log, 5)
    published = orjson.loads(orjson.dumps(proof.to_json()))
    assert published.keys() == {"seq", "leaf_hash", "tree_size", "hashes", "checkpoint"}
    assert Proof.from_json(published) == proof


def test_an_entry_past_the_checkpoint_has_no_proof(log: Any) -> None:
    for seq in (0, 21):
        with pytest.raises(NotFound) as caught:
            proof_of(log, seq, 20)
        assert caught.value.code == "not_in_checkpoint"


def test_a_proof_does_not_hold_for_another_entry(log: Any) -> None:
    assert code_of(proof_of(log, 5), log, entry=log.rows[5][1]) == "other_entry"


def test_a_proof_does_not_hold_under_another_key(log: Any, new_log: Any) -> None:
    assert code_of(proof_of(log, 5), new_log()) == "unknown_key"
    stranger = SigningKey.generate("stranger")
    assert code_of(prove(5, log.note(20, stranger), subtrees=Subtrees(), source=Stored(log)), log) == "unknown_key"


@pytest.mark.parametrize(
    "change",
    [
        {"seq": 6},
        {"seq": -1},
        {"tree_size": 40},
        {"leaf_hash": "00" * 32},
        {"hashes": []},
        {"hashes": ["00" * 32]},
        {"hashes": ["00" * 31]},
        {"hashes": ["zz" * 32]},
        {"hashes": ["00" * 32] * 65},
        {"hashes": None},
        {"leaf_hash": 5},
        {"seq": "5"},
        {"checkpoint": None},
    ],
)
def test_a_bent_proof_is_refused(log: Any, change: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as caught:
        verify_proof(Proof.from_json({**proof_of(log, 5, 41).to_json(), **change}), keys=[log.key.verifier])
    assert caught.value.code == "bad_proof"


@pytest.mark.parametrize("value", [None, [], {}, {"seq": 1}])
def test_what_is_no_proof_is_refused(value: object) -> None:
    with pytest.raises(Invalid) as caught:
        Proof.from_json(value)
    assert caught.value.code == "bad_proof"


def test_a_proof_with_an_edited_checkpoint_is_refused(log: Any) -> None:
    proof = proof_of(log, 5, 41)
    edited = {**proof.to_json(), "checkpoint": proof.checkpoint.replace("\n41\n", "\n42\n"), "tree_size": 42}
    assert code_of(Proof.from_json(edited), log) == "bad_signature"
