"""What the log says about leases, and what it keeps private."""

from __future__ import annotations

from typing import Any

from core.audit.log import Committed
from core.clock import ManualClock
from core.leases.acquiring import acquire
from core.leases.ending import break_, close_for_run, end_for_run, release
from core.leases.lease import Lease, Ticket
from core.leases.request import Acquire
from core.leases.terms import LEASE_LOCKS
from core.leases.waiting import cancel, poll
from core.store.database import Database


class Story:
    """A database whose news is kept."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.entries: list[Committed] = []
        database.on_committed = self.entries.extend

    def do(self, fn: Any, *args: Any) -> Any:
        return self.database.write_now(fn, *args, locks=LEASE_LOCKS)

    def last(self) -> Committed:
        self.database.write_now(lambda tx: None)  # news is told after the answer: one more write, and it has been
        return self.entries[-1]


def test_a_grant_names_who_what_and_the_token_and_keeps_the_purpose_private(database: Database) -> None:
    story = Story(database)
    lease: Lease = story.do(
        acquire,
        Acquire(principal="ana", resources=("env:b", "env:a"), purpose="Peter's migration", channel="http", approval=7),
    )
    entry = story.last()
    assert (entry.event, entry.actor, entry.subject, entry.channel) == ("lease:acquired", "ana", "L1", "http")
    assert entry.details == {
        "token": lease.token,
        "resources": ["env:a", "env:b"],
        "mode": "exclusive",
        "holder": "L1",
        "ttl_us": 30_000_000,
        "expires_at": lease.expires_at,
        "approval": "A7",
    }
    assert entry.private == {"purpose": "Peter's migration"}


def test_a_waiter_is_queued_with_its_purpose_and_acquired_with_its_ticket(database: Database) -> None:
    story = Story(database)
    lease: Lease = story.do(acquire, Acquire(principal="ana", resources=("env:a",)))
    ticket: Ticket = story.do(acquire, Acquire(principal="bo", resources=("env:a",), wait_seconds=60, purpose="why"))
    queued = story.last()
    assert (queued.event, queued.subject, queued.details["ticket"]) == ("lease:queued", ticket.lock_id, ticket.id)
    assert queued.private == {"purpose": "why"}
    story.do(release, "ana", lease.lock_id, lease.token)
    granted = story.last()
    assert (granted.event, granted.actor, granted.subject) == ("lease:acquired", "bo", ticket.lock_id)
    assert granted.details["ticket"] == ticket.id
    assert granted.private == {}


def test_an_end_by_somebody_else_names_both_and_keeps_the_reason_private(database: Database) -> None:
    story = Story(database)
    lease: Lease = story.do(acquire, Acquire(principal="ana", resources=("env:a",)))
    story.do(break_, "dee", lease.lock_id, "it hangs", "slack")
    entry = story.last()
    assert (entry.event, entry.actor, entry.channel) == ("lease:broken", "dee", "slack")
    assert (entry.details["principal"], entry.details["token"]) == ("ana", lease.token)
    assert entry.private == {"reason": "it hangs"}


def test_a_cancelled_place_says_whether_it_was_asked_for_or_lapsed(database: Database, clock: ManualClock) -> None:
    story = Story(database)
    story.do(acquire, Acquire(principal="ana", resources=("env:a",), ttl_seconds=600))
    first: Ticket = story.do(acquire, Acquire(principal="bo", resources=("env:a",), wait_seconds=60))
    story.do(cancel, "bo", first.id)
    assert (story.last().actor, story.last().details["why"]) == ("bo", "asked")
    second: Ticket = story.do(acquire, Acquire(principal="bo", resources=("env:a",), wait_seconds=60))
    clock.advance(30)
    story.do(poll, "bo", second.id)
    assert (story.last().actor, story.last().details["why"]) == ("hub", "expired")


def test_the_end_of_a_run_is_the_hubs_and_closing_is_the_runs_own_entry(database: Database) -> None:
    story = Story(database)
    lease: Lease = story.do(acquire, Acquire(principal="hub", resources=("env:a",), kind="run", rank_class=0))
    story.do(close_for_run, lease.number)
    assert story.last().event == "lease:acquired"
    story.do(end_for_run, lease.number, "resolved")
    assert (story.last().event, story.last().actor, story.last().details["why"]) == (
        "lease:released",
        "hub",
        "resolved",
    )
