"""Press tokens: opaque, found again, and always the same for one button on one copy."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from core.approvals import press
from core.approvals.press import PAGE, Press
from core.store import schema
from core.store.database import Database
from core.store.statement import Statement

KEY = b"k" * 32
ROWS = Statement(select(schema.press))
MEANING: dict[str, Any] = {"approval": 7, "revision": 2, "digest": "d" * 64, "delivery": 3}


def mint(database: Database, key: bytes = KEY, **changes: Any) -> dict[str, str]:
    given = {**MEANING, "choices": ("approve", "reject"), "expires_at": 9_000_000} | changes
    return database.write_now(lambda tx: press.mint(tx, key, **given))


def test_a_token_leads_to_what_it_means(any_database: Database) -> None:
    tokens = mint(any_database)
    found = any_database.read_now(press.find, tokens["reject"])
    assert found == Press(approval=7, revision=2, digest="d" * 64, choice="reject", delivery=3, expires_at=9_000_000)


def test_minting_again_gives_the_same_tokens_and_no_more_rows(any_database: Database) -> None:
    assert mint(any_database) == mint(any_database)
    assert len(any_database.read_now(lambda reader: reader.all(ROWS))) == 2


@pytest.mark.parametrize(
    "changes", [{"approval": 8}, {"revision": 3}, {"digest": "e" * 64}, {"delivery": PAGE}, {"key": b"other" * 8}]
)
def test_anything_else_has_another_token(database: Database, changes: dict[str, Any]) -> None:
    assert not set(mint(database).values()) & set(mint(database, **changes).values())


def test_a_token_says_nothing_and_the_database_does_not_hold_it(database: Database) -> None:
    tokens = mint(database)
    assert all(len(token) == 32 and token.isascii() for token in tokens.values())
    stored = repr([dict(row) for row in database.read_now(lambda reader: reader.all(ROWS))])
    assert all(token not in stored for token in tokens.values())


@pytest.mark.parametrize("text", ["", "x", "x" * 32, "x" * 10_000, "é" * 32, "\x00" * 32, "' OR 1=1 --"])
def test_what_was_never_minted_means_nothing(database: Database, text: str) -> None:
    mint(database)
    assert database.read_now(press.find, text) is None


def test_expired_tokens_can_be_forgotten(database: Database) -> None:
    old, new = mint(database, expires_at=1_000), mint(database, revision=3, expires_at=3_000)
    assert database.write_now(press.forget, 2_000) == 2
    assert database.read_now(press.find, old["approve"]) is None
    assert database.read_now(press.find, new["approve"]) is not None
