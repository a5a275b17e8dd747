"""Expiring: bounded, and by the index of state and clock on both stores."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import psycopg
import pytest
from court import Court, person, sre

from core.approvals.approval import change, find
from core.approvals.expire import DUE, MOST, expire, next_deadline
from core.approvals.states import State
from core.store.database import Database

PEOPLE = (person("ana", "sre"), person("bo", "sre"))
INDEXES = {
    State.SUBMITTED: "approval_review_clock",
    State.REVIEWING: "approval_review_clock",
    State.APPROVED: "approval_apply_clock",
}


@pytest.mark.parametrize("state", DUE)
def test_what_is_due_is_found_by_its_index_on_sqlite(sqlite_path: Path, state: State) -> None:
    sql = DUE[state].sql("sqlite")
    with sqlite3.connect(sqlite_path) as db:
        plan = [row[-1] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", {"now": 1, "most": MOST})]
    db.close()
    assert len(plan) == 1
    assert f"USING INDEX {INDEXES[state]} (state=?" in plan[0]


@pytest.mark.parametrize("state", DUE)
def test_what_is_due_is_found_by_its_index_on_postgresql(postgres_dsn: str, state: State) -> None:
    sql = DUE[state].sql("postgresql")
    with psycopg.connect(postgres_dsn) as db:
        db.execute("SET enable_seqscan = off")  # an empty table is read whole otherwise
        plan = "\n".join(row[0] for row in db.execute(f"EXPLAIN {sql}", {"now": 1, "most": MOST}))
    assert INDEXES[state] in plan
    assert "Sort" not in plan


def test_an_approval_whose_time_to_start_is_over_expires_and_says_so(any_database: Database) -> None:
    court = Court(None, PEOPLE, sre(apply_seconds=0.0), any_database)
    waiting, approved = court.review("ana"), court.review("ana")
    court.decide(approved, "bo")
    assert court.write(next_deadline) == court.write(find, approved).apply_expires_at
    assert court.write(expire) == 1
    assert (court.state(approved), court.state(waiting)) == ("EXPIRED", "REVIEWING")
    assert court.events("approval:expired")[0]["why"] == "waited too long for its start"


def test_no_more_expire_at_once_than_fit(any_database: Database) -> None:
    court = Court(None, PEOPLE, sre(), any_database)
    for _ in range(MOST + 3):
        number = court.review("ana")
        court.write(lambda tx, number=number: change(tx, find(tx, number), review_expires_at=1))
    assert [court.write(expire) for _ in range(3)] == [MOST, 3, 0]
