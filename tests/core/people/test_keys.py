"""API keys: their layout, what is stored, how they end."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import NotFound
from core.people import keys, sessions
from core.people.assurance import Assurance
from core.people.directory import Kind, Principal
from core.store.database import Database
from core.store.tx import Tx

ANA = Principal(id="ana", kind=Kind.PERSON, name="Ana")
BOT = Principal(id="bot", kind=Kind.AGENT, name="Bot", owners=frozenset({"ana"}))


def made(database: Database, principal: Principal = ANA, *, decide: bool = True) -> str:
    return database.write_now(lambda tx: keys.create(tx, by="operator", principal=principal, decide=decide))


def test_a_key_has_githubs_layout_and_a_checksum_that_anybody_can_check(database: Database) -> None:
    text = made(database)
    assert text.startswith("ilk_")
    assert len(text) == 4 + 30 + 6
    assert set(text[4:]) <= set(string.ascii_letters + string.digits)
    assert keys.prefix_of(text) == text[4:12]


@given(at=st.integers(4, 39), replacement=st.sampled_from(string.ascii_letters + string.digits))
def test_any_single_typing_error_is_caught_without_a_look_up(at: int, replacement: str) -> None:
    text = "ilk_" + "0aB3dE6gH9" * 3
    text += keys._checksum(text[4:])
    assert keys.prefix_of(text) == "0aB3dE6g"
    changed = text[:at] + replacement + text[at + 1 :]
    assert keys.prefix_of(changed) == ("0aB3dE6g" if changed == text else None)


@pytest.mark.parametrize("text", ["", "ilk_", "ilk_é" + "0" * 35, "ilx_" + "0" * 36, "ilk_" + "0" * 37])
def test_what_is_no_key_has_no_prefix(text: str) -> None:
    assert keys.prefix_of(text) is None


def test_only_the_hash_of_a_key_is_stored(database: Database, sqlite_path: object) -> None:
    text = made(database)
    key = database.read_now(keys.find, keys.prefix_of(text) or "")
    assert key is not None
    assert key.hash == keys.hash_of(text)
    assert text[12:] not in repr(key)


def test_a_key_of_an_agent_never_decides_and_one_without_decide_does_not_either(database: Database) -> None:
    agents, weak, full = made(database, BOT), made(database, decide=False), made(database)
    found = [database.read_now(keys.find, keys.prefix_of(text) or "") for text in (agents, weak, full)]
    assert [key.decide for key in found if key] == [False, False, True]


def test_a_person_is_told_of_a_key_made_for_them_and_an_agent_is_not(database: Database) -> None:
    told: list[tuple[str, str]] = []

    def tell(tx: Tx, principal: Principal, text: str) -> None:
        told.append((principal.id, text))

    text = database.write_now(lambda tx: keys.create(tx, by="operator", principal=ANA, tell=tell))
    database.write_now(lambda tx: keys.create(tx, by="operator", principal=BOT, tell=tell))
    assert [who for who, _ in told] == ["ana"]
    assert text[4:12] in told[0][1]
    assert text not in told[0][1]


def test_revoking_records_once_and_is_the_same_when_said_again(database: Database) -> None:
    text = made(database)
    prefix = keys.prefix_of(text) or ""
    size = database.log.size
    database.write_now(lambda tx: keys.revoke(tx, by="ana", prefix=f"ilk_{prefix}"))
    database.write_now(lambda tx: keys.revoke(tx, by="ana", prefix=prefix))
    key = database.read_now(keys.find, prefix)
    assert key is not None
    assert key.revoked_at is not None
    assert database.log.size == size + 1


def test_revoking_what_is_not_there_is_refused(database: Database) -> None:
    with pytest.raises(NotFound):
        database.write_now(lambda tx: keys.revoke(tx, by="ana", prefix="nothing0"))


def test_revoking_a_key_ends_the_sessions_that_began_with_it(database: Database) -> None:
    prefix = keys.prefix_of(made(database)) or ""
    by_key, by_link = (
        database.write_now(
            lambda tx, began=began: (
                sessions.begin_browser(tx, principal="ana", assurance=Assurance.CHAT, began=began).session.id
            )
        )
        for began in (f"key:{prefix}", "cli")
    )
    database.write_now(lambda tx: keys.revoke(tx, by="operator", prefix=prefix))
    assert [session.id for session in database.read_now(sessions.live)] == [by_link]
    assert by_key != by_link


def test_keys_of_people_who_left_are_revoked(database: Database) -> None:
    gone, stays = made(database), made(database, BOT)
    revoked = database.write_now(lambda tx: keys.revoke_strangers(tx, lambda name: name == "bot", by="hub"))
    assert revoked == 1
    found = {key.prefix: key.revoked_at is not None for key in database.read_now(keys.listing)}
    assert found == {keys.prefix_of(gone): True, keys.prefix_of(stays): False}


def test_the_list_goes_on_after_a_prefix(any_database: Database) -> None:
    made_now = sorted(keys.prefix_of(made(any_database)) or "" for _ in range(3))
    first = any_database.read_now(keys.listing, limit=2)
    assert [key.prefix for key in first] == made_now[:2]
    assert [key.prefix for key in any_database.read_now(keys.listing, after=first[-1].prefix)] == made_now[2:]
