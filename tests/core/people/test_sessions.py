"""Sessions: how long they last, how refresh tokens rotate, and what ends them."""

import pytest

from core.clock import ManualClock
from core.errors import NotFound, Unproven
from core.people import sessions
from core.people.assurance import Assurance
from core.people.sessions import Begun
from core.people.tokens import Tokens
from core.store.database import Database
from hub.feed import read_after

TOKENS = Tokens(b"k" * 32)
DAY = 86_400


def browser(database: Database, principal: str = "ana") -> Begun:
    return database.write_now(
        lambda tx: sessions.begin_browser(tx, principal=principal, assurance=Assurance.EMAIL, began="mail")
    )


def tokens(database: Database) -> Begun:
    return database.write_now(
        lambda tx: sessions.begin_tokens(tx, TOKENS, principal="ana", assurance=Assurance.CHAT, began="key:x")
    )


def refresh(database: Database, text: str) -> Begun | Unproven:
    return database.write_now(lambda tx: sessions.refresh(tx, TOKENS, text))


def is_live(database: Database, begun: Begun) -> bool:
    session = database.read_now(sessions.find, begun.session.id)
    assert session is not None
    return session.is_live(database.write_now(lambda tx: tx.now_us))


def ended(database: Database) -> list[str]:
    return [str(entry.details["why"]) for entry in database.read_now(read_after, 0) if entry.event == "session:ended"]


def test_a_session_is_found_by_its_cookie_with_the_strength_that_it_began_with(any_database: Database) -> None:
    begun = browser(any_database)
    found = any_database.read_now(sessions.find_by_secret, begun.secret)
    assert found is not None
    assert (found.id, found.assurance, found.began) == (begun.session.id, Assurance.EMAIL, "mail")
    assert any_database.read_now(sessions.find_by_secret, begun.secret + "x") is None


def test_a_refresh_token_is_no_cookie(database: Database) -> None:
    assert database.read_now(sessions.find_by_secret, tokens(database).secret) is None


def test_an_unused_session_ends_after_a_day_and_a_used_one_after_a_week(database: Database, clock: ManualClock) -> None:
    idle, used = browser(database), browser(database)
    for _ in range(6):
        clock.advance(DAY - 1)
        database.write_now(lambda tx: sessions.seen(tx, used.session.id))
    assert (is_live(database, idle), is_live(database, used)) == (False, True)
    clock.advance(DAY - 1)
    database.write_now(lambda tx: sessions.seen(tx, used.session.id))
    clock.advance(7)
    assert not is_live(database, used)


def test_a_refresh_token_gives_the_next_and_is_then_worth_nothing(any_database: Database) -> None:
    first = tokens(any_database)
    second = refresh(any_database, first.secret)
    assert isinstance(second, Begun)
    assert second.secret != first.secret
    assert isinstance(refresh(any_database, second.secret), Begun)


def test_a_refresh_token_presented_twice_ends_the_session_for_both(any_database: Database) -> None:
    first = tokens(any_database)
    second = refresh(any_database, first.secret)
    assert isinstance(second, Begun)
    reused = refresh(any_database, first.secret)
    assert isinstance(reused, Unproven)
    assert reused.code == "token_reused"
    for text in (second.secret, first.secret):
        late = refresh(any_database, text)
        assert isinstance(late, Unproven)
        assert late.code == "session_ended"
    assert ended(any_database) == ["a refresh token was used twice"]


def test_a_forged_refresh_token_ends_nobodys_session(database: Database) -> None:
    begun = tokens(database)
    forged = Tokens(b"x" * 32).refresh(session=begun.session.id, generation=0)
    with pytest.raises(Unproven):
        refresh(database, forged)
    assert is_live(database, begun)


def test_an_idle_refresh_token_is_refused(database: Database, clock: ManualClock) -> None:
    begun = tokens(database)
    clock.advance(7 * DAY)
    assert isinstance(refresh(database, begun.secret), Unproven)


def test_ending_records_once(database: Database) -> None:
    begun = browser(database)
    assert database.write_now(lambda tx: sessions.end(tx, begun.session.id, by="ana", why="signed out"))
    assert not database.write_now(lambda tx: sessions.end(tx, begun.session.id, by="ana", why="signed out"))
    assert ended(database) == ["signed out"]
    with pytest.raises(NotFound):
        database.write_now(lambda tx: sessions.end(tx, "s0", by="ana", why="signed out"))


def test_the_sweep_makes_visible_what_is_over_and_forgets_what_ended_long_ago(
    any_database: Database, clock: ManualClock
) -> None:
    browser(any_database)
    assert any_database.write_now(lambda tx: sessions.sweep(tx, by="hub", keep_seconds=DAY)) == 0
    if any_database.dialect == "postgresql":
        return
    clock.advance(DAY + 1)
    assert any_database.write_now(lambda tx: sessions.sweep(tx, by="hub", keep_seconds=DAY)) == 1
    assert ended(any_database) == ["expired"]
    clock.advance(DAY + 1)
    any_database.write_now(lambda tx: sessions.sweep(tx, by="hub", keep_seconds=DAY))
    assert any_database.read_now(sessions.live) == []


def test_sessions_of_people_who_left_end(database: Database) -> None:
    gone, stays = browser(database), browser(database, "bo")
    assert database.write_now(lambda tx: sessions.end_strangers(tx, lambda name: name == "bo", by="hub")) == 1
    assert (is_live(database, gone), is_live(database, stays)) == (False, True)
