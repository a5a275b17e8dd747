"""Sign-in links: good once, for a while, for somebody who is still known."""

import pytest

from core.clock import ManualClock
from core.errors import Unproven
from core.people import links
from core.people.assurance import Assurance
from core.people.directory import Kind, Principal
from core.store.database import Database
from core.store.tx import Tx

ANA = Principal(id="ana", kind=Kind.PERSON, name="Ana")


def made(database: Database, *, by: str = "operator", told: list[str] | None = None) -> str:
    def tell(tx: Tx, principal: Principal, text: str) -> None:
        if told is not None:
            told.append(text)

    return database.write_now(
        lambda tx: links.create(tx, by=by, principal=ANA, assurance=Assurance.SIGNED_IN, began="cli", tell=tell)
    )


def redeem(database: Database, token: str, *, known: bool = True) -> links.Link | Unproven:
    return database.write_now(lambda tx: links.redeem(tx, token, known=lambda name: known))


def refused(result: links.Link | Unproven) -> str:
    assert isinstance(result, Unproven)
    return result.code


def events(database: Database) -> list[str]:
    from hub.feed import read_after

    return [entry.event for entry in database.read_now(read_after, 0)]


def test_a_link_is_worth_what_it_was_made_for_and_only_once(any_database: Database) -> None:
    token = made(any_database)
    link = redeem(any_database, token)
    assert isinstance(link, links.Link)
    assert (link.principal, link.assurance, link.began) == ("ana", Assurance.SIGNED_IN, "cli")
    assert refused(redeem(any_database, token)) == "link_used"


def test_a_link_is_over_after_a_quarter_of_an_hour(database: Database, clock: ManualClock) -> None:
    token = made(database)
    clock.advance(899)
    assert database.read_now(links.look, token) is not None
    clock.advance(1)
    assert database.read_now(links.look, token) is None
    assert refused(redeem(database, token)) == "link_expired"


def test_looking_at_a_link_does_not_use_it_up(database: Database) -> None:
    token = made(database)
    assert database.read_now(links.look, token) is not None
    assert isinstance(redeem(database, token), links.Link)


def test_somebody_who_left_cannot_sign_in_and_the_refusal_is_recorded(database: Database) -> None:
    token = made(database)
    assert refused(redeem(database, token, known=False)) == "unknown_person"
    assert events(database) == ["login:created", "login:failed"]


def test_an_unknown_token_leaves_no_entry(database: Database) -> None:
    with pytest.raises(Unproven):
        redeem(database, "nothing")
    assert database.log.size == 0


def test_only_the_hash_of_a_link_is_stored(database: Database, sqlite_path: object) -> None:
    token = made(database)
    from pathlib import Path

    assert isinstance(sqlite_path, Path)
    stored = b"".join(path.read_bytes() for path in sqlite_path.parent.iterdir() if path.is_file())
    assert token.encode() not in stored


def test_a_person_is_told_of_a_link_that_somebody_else_made(database: Database) -> None:
    told: list[str] = []
    made(database, told=told)
    made(database, by="ana", told=told)
    assert len(told) == 1


def test_old_links_can_be_forgotten(database: Database, clock: ManualClock) -> None:
    made(database)
    clock.advance(3600)
    assert database.write_now(lambda tx: links.forget(tx, before_us=tx.now_us)) == 1
