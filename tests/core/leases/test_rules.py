"""The rules themselves: what holds after every step of any history."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given, settings

from core.clock import SECOND
from core.leases.desk import Desk
from core.leases.operations import Entry, Event, Heartbeat, Poll, Release, State, Tick
from core.leases.request import Acquire
from core.leases.resource import overlap
from core.leases.rules import step
from core.testing.lease_traces import Step, operation_of, traces

MOVED = {("lease:deadlock", ended) for ended in (None, "cancelled", "expired", "released", "reclaimed", "broken")}
START = 1_767_225_600 * SECOND


def clash(one: Entry, other: Entry) -> bool:
    return "exclusive" in (one.mode, other.mode) and overlap(one.resources, other.resources)


def check_one_holder(state: State, now: int) -> None:
    desk = Desk(state, now)
    holding = [entry for entry in state.entries.values() if entry.state == "held" and desk.alive(entry)]
    for one, other in combinations(holding, 2):
        assert not clash(one, other), f"{one} and {other} are held at once"


def check_nobody_is_forgotten(state: State, now: int) -> None:
    """Whoever waits has a reason: somebody in the way, or something whose time is over and that a tick removes."""
    desk = Desk(state, now)
    for entry in state.entries.values():
        if entry.state == "waiting" and desk.alive(entry) and not desk.in_the_way(entry):
            over = [e for e in state.entries.values() if e.state in ("held", "waiting") and not desk.alive(e)]
            assert any(clash(entry, other) for other in over), f"{entry} waits for nothing"


def check_grants(before: State, after: State, events: list[Event], now: int) -> None:
    tokens = [after.entries[number].token or 0 for name, number in events if name == "lease:acquired"]
    assert all(token > before.last_token for token in tokens)
    assert tokens == sorted(set(tokens))
    desk = Desk(after, now)
    for name, number in events:
        granted = after.entries[number]
        if name == "lease:acquired" and granted.state == "held" and granted.replaces is None:
            overtaken = [
                other
                for other in after.entries.values()
                if other.state == "waiting"
                and desk.alive(other)
                and other.rank < granted.rank
                and clash(other, granted)
            ]
            assert not overtaken


def check_each_transition_is_recorded(before: State, after: State, events: list[Event]) -> None:
    """What replaces a lease records the end of both; a waiter that is moved changes its rank and no state."""
    changed = [
        number
        for number, entry in after.entries.items()
        if (number not in before.entries or before.entries[number].state != entry.state)
        and entry.state != "closed"
        and entry.ended not in ("converted", "transferred")
    ]
    recorded = [
        number
        for name, number in events
        if name != "lease:renewed"
        and (name, after.entries[number].ended) not in MOVED
        and not (name == "lease:queued" and ("lease:acquired", number) in events)
    ]
    assert sorted(recorded) == sorted(changed)


@settings(max_examples=300, deadline=None)
@given(trace=traces)
def test_the_promises_hold_after_every_step(trace: list[Step]) -> None:
    state, now = State(), START
    for pause, asked in trace:
        now += int(pause * SECOND)
        operation = operation_of(state, asked)
        if operation is None:
            continue
        before = state
        state, _, events = step(state, operation, now)
        check_one_holder(state, now)
        check_nobody_is_forgotten(state, now)
        check_grants(before, state, events, now)
        check_each_transition_is_recorded(before, state, events)


@settings(max_examples=150, deadline=None)
@given(trace=traces)
def test_a_waiter_that_keeps_asking_is_granted_once_everybody_before_it_is_gone(trace: list[Step]) -> None:
    state, now = State(), START
    for pause, asked in trace:
        now += int(pause * SECOND)
        operation = operation_of(state, asked)
        if operation is not None:
            state, _, _ = step(state, operation, now)
    last = Acquire(principal="zoe", resources=("r:a", "r:b", "q:c"), wait_seconds=10_000)
    state, answer, _ = step(state, last, now)
    if answer.entry is None or answer.entry.state == "held":
        return
    number = answer.entry.number
    for _ in range(300):
        now += 20 * SECOND
        state, _, _ = step(state, Poll(principal="zoe", number=number), now)
        state, _, _ = step(state, Tick(), now)
        if state.entries[number].state != "waiting":
            break
    closed = [e for e in state.entries.values() if e.state == "closed" and clash(e, state.entries[number])]
    assert closed or state.entries[number].token is not None


def test_a_refused_step_changes_nothing() -> None:
    state, _, _ = step(State(), Acquire(principal="ana", resources=("r:a",)), START)
    for operation, code in (
        (Acquire(principal="bo", resources=("r:a/x",)), "held"),
        (Heartbeat(principal="ana", number=1, token=1), "lease_lost"),
        (Release(principal="bo", number=1, token=1), "not_found"),
    ):
        after, result, events = step(state, operation, START)
        assert (after, result.code, events) == (state, code, [])
