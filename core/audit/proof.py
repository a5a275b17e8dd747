"""A proof that one entry stands in the log that a signed checkpoint commits to; checked without the log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from core.audit.keys import VerifierKey
from core.audit.merkle import HASH_BYTES, leaf_hash, verify_inclusion
from core.audit.note import Checkpoint, Note, open_checkpoint
from core.audit.subtrees import LeafSource, Subtrees
from core.errors import Invalid, NotFound

_MEMBERS = frozenset({"seq", "leaf_hash", "tree_size", "hashes", "checkpoint"})
_MAX_HASHES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The path from one entry's leaf hash to a checkpoint's root, with the checkpoint as a signed note."""

    seq: int
    leaf_hash: bytes
    tree_size: int
    hashes: tuple[bytes, ...]
    checkpoint: str

    def to_json(self) -> dict[str, Any]:
        """The object that the hub publishes; hashes in hex."""
        return {
            "seq": self.seq,
            "leaf_hash": self.leaf_hash.hex(),
            "tree_size": self.tree_size,
            "hashes": [node.hex() for node in self.hashes],
            "checkpoint": self.checkpoint,
        }

    @classmethod
    def from_json(cls, value: object) -> Proof:
        """The proof of its published object. Raises Invalid (`bad_proof`)."""
        if not isinstance(value, Mapping) or not value.keys() >= _MEMBERS:
            raise Invalid("bad_proof", f"a proof is an object with {', '.join(sorted(_MEMBERS))}")
        hashes = value["hashes"]
        if type(hashes) is not list or len(hashes) > _MAX_HASHES:
            raise Invalid("bad_proof", f"a proof's hashes are a list of at most {_MAX_HASHES}")
        if type(value["seq"]) is not int or type(value["tree_size"]) is not int or type(value["checkpoint"]) is not str:
            raise Invalid("bad_proof", "a proof's seq and tree_size are integers, its checkpoint is text")
        return cls(
            seq=value["seq"],
            leaf_hash=_hash(value["leaf_hash"]),
            tree_size=value["tree_size"],
            hashes=tuple(_hash(node) for node in hashes),
            checkpoint=value["checkpoint"],
        )


def prove(seq: int, checkpoint: str, *, subtrees: Subtrees, source: LeafSource) -> Proof:
    """The proof that entry `seq` stands in the log of `checkpoint`, a note of our own.

    Raises NotFound (`not_in_checkpoint`) when the checkpoint does not cover that entry.
    """
    size = Checkpoint.parse(Note.parse(checkpoint).text).size
    if not 1 <= seq <= size:
        raise NotFound(
            "not_in_checkpoint", f"entry {seq} is not among the {size} that the checkpoint covers", size=size
        )
    return Proof(
        seq=seq,
        leaf_hash=source.leaf_hashes(seq - 1, seq)[0],
        tree_size=size,
        hashes=tuple(subtrees.inclusion_proof(seq - 1, size, source)),
        checkpoint=checkpoint,
    )


def verify_proof(proof: Proof, *, keys: Iterable[VerifierKey], entry: bytes | None = None) -> Checkpoint:
    """The checkpoint under which the proof holds; `entry`, when given, is the entry that it is about.

    Raises Invalid: `bad_note`, `bad_signature`, `unknown_key`, `bad_checkpoint` for the checkpoint; `bad_proof`
    when the proof does not lead to its root; `other_entry` when it is about another entry.
    """
    checkpoint = open_checkpoint(proof.checkpoint, keys)
    if checkpoint.size != proof.tree_size:
        raise Invalid("bad_proof", f"the proof is for {proof.tree_size} entries, its checkpoint for {checkpoint.size}")
    if entry is not None and leaf_hash(entry) != proof.leaf_hash:
        raise Invalid("other_entry", "the proof is about another entry than the one given")
    if not verify_inclusion(
        leaf=proof.leaf_hash,
        index=proof.seq - 1,
        size=proof.tree_size,
        hashes=proof.hashes,
        root=checkpoint.root,
    ):
        raise Invalid("bad_proof", f"entry {proof.seq} is not in the log that the checkpoint commits to")
    return checkpoint


def _hash(text: object) -> bytes:
    try:
        digest = bytes.fromhex(text) if isinstance(text, str) else b""
    except ValueError:
        digest = b""
    if len(digest) != HASH_BYTES:
        raise Invalid("bad_proof", f"a hash is {2 * HASH_BYTES} hexadecimal digits")
    return digest
