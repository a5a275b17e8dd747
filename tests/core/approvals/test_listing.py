"""Lists are read from indexes a page at a time, and hold exactly what going through everything would find."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from court import ACTION, OTHER, Court, agent, person, sre
from sqlalchemy import select

from core.approvals.approval import Approval, find, from_row
from core.approvals.listing import Order, concerns, listing
from core.approvals.request import withdraw
from core.approvals.seeing import may_see
from core.approvals.states import ENDED, OPEN, State
from core.errors import Refusal
from core.policy.policy import Policy, Requirement
from core.store import schema
from core.store.database import Database
from core.store.rows import Reader
from core.store.statement import Statement

PEOPLE = (
    *(person("ana", "sre"), person("bo", "sre", "security"), person("cai"), person("dee", "security")),
    *(person("eve", "sre"), person("fay", "audit"), agent("bot", "bo")),
)
HUSH = replace(ACTION, name="hush", visible_to=frozenset({"security"}), reviewers=(Requirement(person="eve"),))
GAMES = Policy(
    name="games",
    when='action == "play"',
    require=(Requirement(group="security"),),
    veto=("audit",),
    canonical='{"name":"games"}',
)
_ALL = Statement(select(schema.approval).order_by(schema.approval.c.id.desc()))
ORDERS: tuple[Order, ...] = ("newest", "oldest")
SETS = {"open": OPEN | {State.APPLYING, State.ROLLING_BACK}, "ended": ENDED, "all": frozenset(State)}


@pytest.fixture
def court(any_database: Database) -> Court:
    """Requests in many states, with decisions and delegations of every sort."""
    court = Court(None, PEOPLE, sre(2), any_database)
    actions = {"work": ACTION, "play": OTHER, "hush": HUSH}
    court.world = replace(court.world, policies=(GAMES, sre(2)), actions=actions)
    drawn = random.Random(11)
    court.delegate("ana", "cai", actions=["work"])
    court.delegate("bo", "fay", when="ana")
    court.delegate("dee", "cai")
    for _ in range(70):
        action = drawn.choice(["work", "play", "hush"])
        by = "dee" if action == "hush" else drawn.choice(["ana", "bo", "cai", "bot", "fay"])
        number = court.review(by, action)
        for who in drawn.sample(["ana", "bo", "cai", "dee", "eve", "fay"], drawn.choice([0, 0, 1, 2])):
            try:
                court.decide(number, who, drawn.choice(["approve", "approve", "approve", "reject", "request-changes"]))
            except Refusal:
                pass  # not theirs to say, or too late
        if court.state(number) == "APPROVED" and drawn.random() < 0.5:
            court.start(number)
        elif court.state(number) == "REVIEWING" and drawn.random() < 0.2:
            court.write(lambda tx, n=number, by=by: withdraw(tx, find(tx, n), by=court.who(by), channel="t", reason=""))
    return court


def everything(reader: Reader, court: Court, viewer: str, state: str, mine: bool) -> list[str]:
    """The names that going through every row finds."""
    who, wanted = court.who(viewer), SETS.get(state) or {State(state.upper())}
    rows = [from_row(row) for row in reader.all(_ALL)]
    return [
        each.name
        for each in rows
        if each.state in wanted
        and may_see(court.world, who, each)
        and (not mine or concerns(reader, court.world, who, each))
    ]


@pytest.mark.parametrize("mine", [False, True])
def test_a_list_is_what_going_through_everything_finds(court: Court, mine: bool) -> None:
    seen = set()
    for viewer in ("ana", "bo", "cai", "dee", "eve", "fay", "bot"):
        for state in (*SETS, "reviewing", "draft", "failed", "withdrawn", "approved"):

            def look(reader: Reader, viewer: str = viewer, state: str = state) -> list[Approval]:
                return listing(reader, court.world, viewer=court.who(viewer), state=state, mine=mine, limit=1000)

            found = [each.name for each in court.db.read_now(look)]
            assert found == court.db.read_now(everything, court, viewer, state, mine), (viewer, state)
            seen.add((viewer, bool(found)))
    assert {viewer for viewer, some in seen if some} >= {"ana", "bo", "cai", "dee", "eve", "fay", "bot"}


@pytest.mark.parametrize("order", ORDERS)
def test_pages_follow_each_other_without_a_gap_and_without_repeating(court: Court, order: Order) -> None:
    for viewer, mine in (("ana", True), ("cai", True), ("bo", False)):
        found: list[str] = []
        how: dict[str, Any] = {"viewer": court.who(viewer), "mine": mine, "order": order, "limit": 3}
        past: int | None = None
        while page := court.db.read_now(lambda reader, how={**how, "past": past}: listing(reader, court.world, **how)):
            found += [each.name for each in page]
            past = page[-1].id
        newest_first = court.db.read_now(everything, court, viewer, "all", mine)
        assert found == (newest_first if order == "newest" else newest_first[::-1])
        assert len(found) > 3


def test_what_waits_for_nobody_is_found_without_looking_at_it(database: Database) -> None:
    """The rows that a page costs do not grow with what is open and concerns others."""
    court = Court(None, PEOPLE, sre(1), database)
    for _ in range(60):
        court.review("eve")
    read: list[int] = []

    class Counting:
        now_us = database.now_us()

        def __init__(self, reader: Reader) -> None:
            self.reader = reader

        def one(self, statement: Statement, **values: Any) -> Any:
            return self.reader.one(statement, **values)

        def all(self, statement: Statement, **values: Any) -> Any:
            rows = self.reader.all(statement, **values)
            read.append(len(rows))
            return rows

    for viewer, mine, state in (("dee", True, None), ("bot", True, "open"), ("ana", False, "failed")):
        look = {"viewer": court.who(viewer), "mine": mine, "state": state}
        assert database.read_now(lambda reader, look=look: listing(Counting(reader), court.world, **look)) == []
    assert sum(read) == 0
    assert database.read_now(lambda reader: listing(Counting(reader), court.world, viewer=court.who("ana"), limit=5))
    assert 0 < sum(read) <= 50


def test_each_stream_is_walked_in_the_order_of_an_index(database: Database) -> None:
    """No list sorts: among very many rows that is what would cost."""
    court = Court(None, PEOPLE, sre(1), database)
    court.delegate("ana", "cai", actions=["work"], when="bo")
    plans: list[str] = []

    class Explaining:
        now_us = database.now_us()

        def __init__(self, reader: Any) -> None:
            self.reader = reader

        def one(self, statement: Statement, **values: Any) -> Any:
            return self.reader.one(statement, **values)

        def all(self, statement: Statement, **values: Any) -> Any:
            text = statement.sql("sqlite")
            if "FROM approval" in text and "ORDER BY" in text:
                found = self.reader._db.execute(f"EXPLAIN QUERY PLAN {text}", values).fetchall()
                plans.append("; ".join(row[-1] for row in found))
            return self.reader.all(statement, **values)

    def look(reader: Reader) -> None:
        states = (None, "open", "ended", "failed")
        for viewer, mine, state, order in product(("ana", "cai", "dee"), (True, False), states, ORDERS):
            how: dict[str, Any] = {"mine": mine, "state": state, "order": order}
            listing(Explaining(reader), court.world, viewer=court.who(viewer), **how)

    database.read_now(look)
    used = {plan.partition(";")[0] for plan in plans}
    assert not [plan for plan in plans if "TEMP B-TREE" in plan]
    assert {each.partition("INDEX ")[2].partition(" ")[0] for each in used} == {
        *("approval_requested", "approval_requester", "approval_policy", "approval_state"),
        "sqlite_autoindex_approval_1",
    }


def test_a_state_that_there_is_not_is_refused(database: Database) -> None:
    court = Court(None, PEOPLE, sre(1), database)
    with pytest.raises(ValueError, match="WAITING"):
        database.read_now(lambda reader: listing(reader, court.world, viewer=court.who("ana"), state="waiting"))
