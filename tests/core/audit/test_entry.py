"""Sealing: what stands in an entry, what stands beside it, and what is refused."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from core.audit.canonical import canonical
from core.audit.entry import Draft, commitment, decode, seal
from core.errors import Invalid

DRAFT = Draft(
    event="approval:decided",
    actor="bo",
    subject="A142",
    channel="slack",
    details={"verdict": "approve", "revision": 2},
    private={"comment": "looks fine, Ana", "params": {"env": "prod", "tags": ["a", "b"]}},
)


def test_an_entry_holds_its_place_and_what_was_drafted() -> None:
    entry = decode(seal(DRAFT, origin="interlock.log/1", seq=7, ts=1_000_000).entry)
    assert (entry.v, entry.origin, entry.seq, entry.ts) == (1, "interlock.log/1", 7, 1_000_000)
    assert (entry.event, entry.actor, entry.subject, entry.channel) == ("approval:decided", "bo", "A142", "slack")
    assert entry.details == {"verdict": "approve", "revision": 2}
    assert entry.private.keys() == {"comment", "params"}


def test_no_private_value_can_be_found_in_an_entry() -> None:
    sealed = seal(DRAFT, origin="interlock.log/1", seq=7, ts=1)
    assert b"looks fine" not in sealed.entry
    assert b"prod" not in sealed.entry


def test_a_commitment_is_the_hash_that_the_layout_says() -> None:
    sealed = seal(DRAFT, origin="interlock.log/1", seq=258, ts=1)
    salt, value = next((salt, value) for field, salt, value in sealed.values if field == "comment")
    assert value == b'"looks fine, Ana"'
    expected = hashlib.sha256(
        salt + b"\x00\x00\x00\x00\x00\x00\x01\x02" + b"\x00\x00\x00\x07" + b"comment" + value
    ).hexdigest()
    assert decode(sealed.entry).private["comment"] == expected


def test_the_same_value_sealed_twice_is_committed_to_differently() -> None:
    first, second = (decode(seal(DRAFT, origin="o", seq=1, ts=1).entry).private for _ in range(2))
    assert first["comment"] != second["comment"]
    assert len({value.salt for value in seal(DRAFT, origin="o", seq=1, ts=1).values}) == 2


def test_a_commitment_is_bound_to_its_entry_and_field() -> None:
    salt = bytes(32)
    known = commitment(salt, 1, "reason", b'"x"')
    assert commitment(salt, 2, "reason", b'"x"') != known
    assert commitment(salt, 1, "reaso", b'n"x"') != known
    assert commitment(salt, 1, "comment", b'"x"') != known


def test_an_event_outside_the_closed_list_cannot_be_sealed() -> None:
    with pytest.raises(ValueError, match="approval:forgotten"):
        seal(Draft(event="approval:forgotten"), origin="o", seq=1, ts=1)


@pytest.mark.parametrize("draft", [{"details": {"share": 0.5}}, {"private": {"params": {"share": 0.5}}}])
def test_a_float_cannot_be_sealed(draft: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        seal(Draft(event="hub:started", **draft), origin="o", seq=1, ts=1)


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"v": True},
        {"seq": "1"},
        {"ts": None},
        {"origin": 1},
        {"event": "approval:forgotten"},
        {"event": ["approval:decided"]},
        {"actor": 1},
        {"details": []},
        {"private": {"reason": "secret"}},
        {"private": {"reason": "A" * 64}},
        {"private": []},
        {"extra": 1},
    ],
)
def test_an_entry_of_another_layout_is_refused(change: dict[str, Any]) -> None:
    members = json.loads(seal(DRAFT, origin="o", seq=1, ts=1).entry)
    with pytest.raises(Invalid) as caught:
        decode(canonical({**members, **change}))
    assert caught.value.code == "bad_entry"


@pytest.mark.parametrize("data", [b"[]", b"null", b'{"v":1}'])
def test_canonical_json_that_is_no_entry_is_refused(data: bytes) -> None:
    with pytest.raises(Invalid) as caught:
        decode(data)
    assert caught.value.code == "bad_entry"


def test_an_entry_whose_bytes_are_not_canonical_is_refused() -> None:
    entry = seal(DRAFT, origin="o", seq=1, ts=1).entry
    with pytest.raises(Invalid) as caught:
        decode(entry.replace(b'"v":1', b'"v": 1'))
    assert caught.value.code == "not_canonical"
