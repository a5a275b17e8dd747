"""Faults: clocks that jump, a process that dies with a thousand leases, a restart in the middle of a queue."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from core.audit.log import Committed
from core.clock import ManualClock, SystemClock
from core.errors import Conflict
from core.leases.acquiring import acquire
from core.leases.ending import release
from core.leases.fence import check_fence, raise_fence
from core.leases.history import check
from core.leases.lease import Lease, Ticket
from core.leases.renewing import heartbeat
from core.leases.request import Acquire
from core.leases.terms import LEASE_LOCKS, TICK, LeaseLimits
from core.leases.ticking import forgive, next_deadline, tick
from core.leases.waiting import poll
from core.store.database import Database
from core.store.sqlite import SqliteEngine
from core.testing.faults import Faults
from hub.handover import Handover

MANY = 1_000
NO_LIMITS = LeaseLimits(leases=MANY, tickets=MANY, tickets_a_resource=MANY)


def ask(database: Database, who: str, resource: str = "env:a", wait: float = 0.0, ttl: float = 30.0) -> Lease | Ticket:
    wanted = Acquire(principal=who, resources=(resource,), wait_seconds=wait, ttl_seconds=ttl)
    return database.write_now(acquire, wanted, NO_LIMITS, locks=LEASE_LOCKS)


def held(answer: Lease | Ticket) -> Lease:
    assert isinstance(answer, Lease)
    return answer


def queued(answer: Lease | Ticket) -> Ticket:
    assert isinstance(answer, Ticket)
    return answer


@pytest.mark.parametrize("hours", [1, -1])
def test_a_wall_clock_that_is_stepped_ends_no_lease_and_prolongs_none(
    database: Database, clock: ManualClock, hours: int
) -> None:
    lease = held(ask(database, "ana"))
    clock.jump(hours * 3600)
    clock.advance(20)
    assert database.write_now(heartbeat, "ana", lease.lock_id, lease.token).state == "held"
    clock.advance(30)
    with pytest.raises(Conflict) as lost:
        database.write_now(heartbeat, "ana", lease.lock_id, lease.token)
    assert lost.value.code == "lease_lost"
    assert held(ask(database, "bo")).token > lease.token


def test_a_restart_with_the_clock_an_hour_back_gives_no_token_again(sqlite_path: Path, clock: ManualClock) -> None:
    tokens = []
    for _ in range(3):
        database = Database(SqliteEngine(sqlite_path, clock))
        database.open()
        lease = held(ask(database, "ana"))
        database.write_now(release, "ana", lease.lock_id, lease.token)
        tokens.append(lease.token)
        database.close()
        clock.jump(-3600)
    assert tokens == sorted(set(tokens))


def test_a_restart_in_the_middle_of_a_queue_keeps_its_order(sqlite_path: Path, clock: ManualClock) -> None:
    database = Database(SqliteEngine(sqlite_path, clock))
    database.open()
    lease = held(ask(database, "ana", ttl=600))
    tickets = [queued(ask(database, f"p{n}", wait=600, ttl=600)) for n in range(5)]
    database.close()
    clock.advance(60)
    entries: list[Committed] = []
    for ticket, position in zip(tickets, range(5), strict=True):
        database = Database(SqliteEngine(sqlite_path, clock), on_committed=entries.extend)
        database.open()
        assert database.write_now(poll, ticket.principal, ticket.id).position == 1
        assert database.write_now(poll, tickets[-1].principal, tickets[-1].id).position == 5 - position
        database.write_now(release, lease.principal, lease.lock_id, lease.token)
        granted = database.write_now(poll, ticket.principal, ticket.id).lease
        assert granted is not None and granted.token > lease.token
        lease = granted
        database.close()
    assert [entry.subject for entry in entries if entry.event == "lease:acquired"] == [each.lock_id for each in tickets]


def test_a_stopped_holder_that_goes_on_is_refused_by_the_store_and_by_the_fence(
    database: Database, clock: ManualClock
) -> None:
    stopped = held(ask(database, "ana"))
    database.write_now(raise_fence, ["env:a"], stopped.token)
    ticket = queued(ask(database, "bo", wait=600, ttl=60))
    clock.advance(31)
    database.write_now(tick)
    successor = database.write_now(poll, "bo", ticket.id).lease
    assert successor is not None
    database.write_now(raise_fence, ["env:a"], successor.token)
    for act, code in (
        (lambda tx: heartbeat(tx, "ana", stopped.lock_id, stopped.token), "lease_lost"),
        (lambda tx: release(tx, "ana", stopped.lock_id, stopped.token), "lease_lost"),
        (lambda tx: raise_fence(tx, ["env:a"], stopped.token), "fenced"),
        (lambda tx: check_fence(tx, ["env:a"], stopped.token), "fenced"),
    ):
        with pytest.raises(Conflict) as refused:
            database.write_now(act)
        assert refused.value.code == code
    database.write_now(check_fence, ["env:a"], successor.token)


def test_a_writer_that_stands_still_for_two_ttls_costs_nobody_a_lease(sqlite_path: Path) -> None:
    faults, engine = Faults.around(SqliteEngine(sqlite_path, SystemClock()))
    database = Database(engine)
    database.writer.on_stall = forgive
    database.open()
    try:
        lease = held(ask(database, "ana", ttl=1))
        ticket = queued(ask(database, "bo", wait=600, ttl=60))
        faults.once("commit", lambda: time.sleep(2.1))
        database.write_now(lambda tx: tx.record("hub:started", actor=None))
        database.write_now(tick)
        assert database.write_now(heartbeat, "ana", lease.lock_id, lease.token).state == "held"
        assert database.write_now(poll, "bo", ticket.id).state == "waiting"
    finally:
        database.close()


def test_what_a_dead_process_held_is_handed_on_in_small_transactions(database: Database, clock: ManualClock) -> None:
    """How long that takes is measured: `make bench`, "lease reclaims"."""
    entries: list[Committed] = []
    for number in range(MANY):
        held(ask(database, "dead", f"env:{number}"))
    tickets = [queued(ask(database, "next", f"env:{number}", wait=600, ttl=600)) for number in range(MANY)]
    clock.advance(30)
    database.on_committed = entries.extend
    ticks = 0
    while (due := database.read_now(next_deadline)) is not None and due <= database.now_us():
        before = len(entries)
        database.write_now(tick)
        database.write_now(lambda tx: None)
        ticks += 1
        assert len(entries) - before == 2 * TICK
    assert ticks == MANY / TICK
    granted = [entry.subject for entry in entries if entry.event == "lease:acquired"]
    assert sorted(granted, key=str) == sorted((each.lock_id for each in tickets), key=str)


@pytest.mark.anyio
async def test_a_waiter_has_its_lease_from_the_commit_that_granted_it(sqlite_path: Path) -> None:
    """With no look at its ticket in between: the store hears one acquire and one release from each."""
    entries: list[Committed] = []
    async with Database(SqliteEngine(sqlite_path, SystemClock())) as database:
        handover = Handover(database)
        database.on_committed = lambda news: (entries.extend(news), handover.notice(news))
        order: list[int] = []

        async def caller(number: int) -> None:
            wanted = Acquire(principal=f"p{number}", resources=("env:a",), wait_seconds=60, ttl_seconds=60)
            lease = await handover.take(wanted)
            assert isinstance(lease, Lease)
            order.append(number)
            assert await database.read(lambda reader: reader.now_us) < (lease.expires_at or 0)
            await database.write(release, wanted.principal, lease.lock_id, lease.token, locks=LEASE_LOCKS)

        async with asyncio.timeout(30):
            await asyncio.gather(*(caller(number) for number in range(12)))
    assert order == list(range(12))
    assert check(entries).findings == []
    assert [entry.event for entry in entries].count("lease:acquired") == 12


@pytest.mark.anyio
async def test_a_place_that_was_cancelled_comes_back_as_it_ended(sqlite_path: Path) -> None:
    async with Database(SqliteEngine(sqlite_path, SystemClock())) as database:
        handover = Handover(database)
        await database.write(acquire, Acquire(principal="ana", resources=("env:a",), holder="h"), locks=LEASE_LOCKS)
        wanted = Acquire(principal="ana", resources=("env:a",), holder="h", wait_seconds=60)
        refused = await handover.take(wanted)
        assert isinstance(refused, Ticket) and refused.state == "refused"
