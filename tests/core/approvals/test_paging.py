"""Approvals of one state, a page at a time."""

from __future__ import annotations

from court import Court, person, sre

from core.approvals.approval import find
from core.approvals.closing import close
from core.approvals.paging import each_in, page_in
from core.approvals.states import State
from core.store.database import Database
from core.store.tx import Tx

PEOPLE = (person("ana", "sre"), person("bo", "sre"))


def test_a_page_begins_after_a_number_and_holds_no_more_than_asked(any_database: Database) -> None:
    court = Court(None, PEOPLE, sre(), any_database)
    numbers = [court.review("ana") for _ in range(5)]
    found = any_database.read_now(page_in, State.REVIEWING, after=numbers[1], most=2)
    assert [each.id for each in found] == numbers[2:4]
    assert any_database.read_now(page_in, State.APPROVED) == []


def test_what_leaves_the_state_between_two_pages_is_not_missed_around(any_database: Database) -> None:
    court = Court(None, PEOPLE, sre(), any_database)
    numbers = [court.review("ana") for _ in range(201)]

    def seen_while_one_ends(tx: Tx) -> list[int]:
        pages = each_in(tx, State.REVIEWING)
        first = next(pages)
        close(tx, find(tx, numbers[0]), State.WITHDRAWN, actor="ana", channel=None, why="taken back")
        return [first.id, *(each.id for each in pages)]

    assert court.write(seen_while_one_ends) == numbers
