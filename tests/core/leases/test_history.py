"""The history checker finds nothing in what a store did, and each thing that none can have done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from core.audit.log import Committed
from core.clock import ManualClock
from core.leases.acquiring import acquire
from core.leases.ending import break_, close_for_run, end_for_run, release
from core.leases.history import check
from core.leases.lease import Lease, Ticket
from core.leases.replacing import convert, transfer
from core.leases.request import Acquire
from core.leases.terms import RUN
from core.leases.ticking import tick
from core.store.database import Database
from core.testing.lease_store import SqlLeaseStore
from core.testing.lease_traces import Follower, Step, traces


def recorded(database: Database) -> list[Committed]:
    entries: list[Committed] = []
    database.on_committed = entries.extend
    return entries


def done(database: Database, fn: Callable[..., Any], *args: Any, **more: Any) -> Any:
    return database.write_now(lambda tx: fn(tx, *args, **more))


def story(database: Database, clock: ManualClock) -> list[Committed]:
    """Grants, a queue, an upgrade, a hand over, a lapse and a break."""
    entries = recorded(database)

    def ask(who: str, *names: str, wait: float = 0.0, **more: Any) -> Any:
        return done(database, acquire, Acquire(principal=who, resources=names, wait_seconds=wait, **more))

    first: Lease = ask("ana", "env:a", "env:b")
    second: Ticket = ask("bo", "env:a", wait=600)
    ask("cai", "env:a", wait=600)
    done(database, release, "ana", first.lock_id, first.token)
    shared: Lease = ask("ana", "repo:web/src", mode="shared")
    alone: Lease = done(database, convert, "ana", shared.lock_id, shared.token, "exclusive")
    given: Lease = done(database, transfer, "ana", alone.lock_id, "bo", token=alone.token)
    done(database, break_, "dee", given.lock_id, "it hangs")
    ask("bo", "repo:web")
    clock.advance(700)
    while done(database, tick) is not None:
        clock.advance(700)
    run: Lease = ask("hub", "env:z", kind="run", rank_class=RUN, approval=7)
    done(database, close_for_run, run.number)
    done(database, lambda tx: tx.record("apply:unknown", actor="hub", subject="A7"))
    clock.advance(700)
    done(database, end_for_run, run.number, "resolved")
    last: Lease = ask("ana", "env:z")
    done(database, release, "ana", last.lock_id, last.token)
    done(database, lambda tx: None)
    assert second.lock_id in {entry.subject for entry in entries}
    return entries


def codes(entries: list[Committed]) -> set[str]:
    return {finding.code for finding in check(entries).findings}


def at(entries: list[Committed], event: str, which: int = 0) -> int:
    return [place for place, entry in enumerate(entries) if entry.event == event][which]


def changed(entry: Committed, **details: Any) -> Committed:
    return entry._replace(details={**entry.details, **details})


def test_a_store_does_nothing_that_cannot_be(database: Database, clock: ManualClock) -> None:
    entries = story(database, clock)
    history = check(reversed(entries))
    assert history.findings == []
    assert history.grants == sum(entry.event == "lease:acquired" for entry in entries)


def test_a_grant_beside_a_conflicting_hold_is_found(database: Database, clock: ManualClock) -> None:
    entries = story(database, clock)
    del entries[at(entries, "lease:released")]
    assert "two_holders" in codes(entries)


def test_a_hold_below_another_is_found(database: Database, clock: ManualClock) -> None:
    entries = story(database, clock)
    del entries[at(entries, "lease:broken")]
    assert codes(entries) == {"two_holders"}


def test_a_token_that_goes_backward_is_found(database: Database, clock: ManualClock) -> None:
    entries = story(database, clock)
    place = at(entries, "lease:acquired", 1)
    token = entries[at(entries, "lease:acquired")].details["token"]
    entries[place] = changed(entries[place], token=token)
    assert "token_backward" in codes(entries)


def test_a_grant_to_one_that_did_not_wait_is_found(database: Database, clock: ManualClock) -> None:
    entries = story(database, clock)
    del entries[at(entries, "lease:queued")]
    assert codes(entries) == {"not_waiting"}


def test_a_grant_of_something_else_than_was_waited_for_is_found(database: Database, clock: ManualClock) -> None:
    entries = story(database, clock)
    place = at(entries, "lease:queued")
    entries[place] = changed(entries[place], resources=["env:b"])
    assert codes(entries) == {"not_waiting"}


@pytest.mark.parametrize("change", [{"actor": "mallory"}, {"token": 1}])
def test_a_release_by_a_stranger_is_found(database: Database, clock: ManualClock, change: dict[str, Any]) -> None:
    entries = story(database, clock)
    place = at(entries, "lease:released")
    entries[place] = entries[place]._replace(**change) if "actor" in change else changed(entries[place], **change)
    assert codes(entries) == {"stranger"}


def test_an_end_of_what_nobody_holds_is_found(database: Database, clock: ManualClock) -> None:
    entries = story(database, clock)
    again = entries[at(entries, "lease:released")]
    entries.append(again._replace(seq=entries[-1].seq + 1))
    assert codes(entries) == {"not_held"}


def test_what_takes_the_place_of_nothing_is_found(database: Database, clock: ManualClock) -> None:
    entries = story(database, clock)
    place = next(n for n, entry in enumerate(entries) if "instead_of" in entry.details)
    entries[place] = changed(entries[place], instead_of="L99")
    assert "replaces_nothing" in codes(entries)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(trace=traces)
def test_no_random_history_holds_what_cannot_be(database: Database, clock: ManualClock, trace: list[Step]) -> None:
    """Closing a lease is a run's doing and recorded there, so those steps are left out."""
    store = SqlLeaseStore(database, clock)
    store.reset()
    entries = recorded(database)
    follower = Follower(store)
    for pause, asked in trace:
        if not (isinstance(asked, tuple) and asked[0] == "close"):
            follower.follow(pause, asked)
    store.events()
    assert check([entry for entry in entries if entry.event.startswith("lease:")]).findings == []
