"""Random histories of leases, and the comparison of a store with the rules after every step of one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from core.clock import SECOND
from core.errors import Refusal
from core.leases.lease import Lease, Ticket
from core.leases.operations import (
    Break,
    Cancel,
    Close,
    Convert,
    EndRun,
    Entry,
    Event,
    Extend,
    Forgive,
    Heartbeat,
    Operation,
    Poll,
    Release,
    Reopen,
    Result,
    State,
    Tick,
    Transfer,
)
from core.leases.request import Acquire
from core.leases.rules import step
from core.leases.terms import PLAIN, RUN
from core.testing.lease_store import LeaseStore

RESOURCES = ("r:a", "r:a/x", "r:a/x/1", "r:ab", "r:b", "q:c")
PRINCIPALS = ("ana", "bo")

Choice = tuple[str, int, int]
"""A verb, which entry (modulo how many there are), and a number that the verb uses."""
Step = tuple[float, Acquire | Choice]

_requests = st.builds(
    Acquire,
    principal=st.sampled_from(PRINCIPALS),
    resources=st.lists(st.sampled_from(RESOURCES), min_size=1, max_size=3).map(tuple),
    mode=st.sampled_from(["exclusive", "exclusive", "shared"]),
    ttl_seconds=st.sampled_from([1.0, 5.0, 30.0, 60.0]),
    wait_seconds=st.sampled_from([0.0, 3.0, 100.0, 1000.0, 1000.0]),
    max_hold_seconds=st.sampled_from([60.0, 3600.0]),
    rank_class=st.sampled_from([PLAIN, PLAIN, PLAIN, PLAIN - 1, RUN]),
    holder=st.sampled_from([None, "h1", "h2", "h3"]),
    request_key=st.sampled_from([None, None, None, None, "k1"]),
    lock_delay_seconds=st.sampled_from([0.0, 0.0, 0.0, 2.0, 40.0]),
    kind=st.sampled_from(["lease", "lease", "lease", "lock"]),
    approval=st.sampled_from([None, None, 7]),
)
_verbs = st.sampled_from(
    [
        *["heartbeat", "release", "poll", "tick", "convert"] * 2,
        "transfer",
        "extend",
        "break",
        "cancel",
        "close",
        "reopen",
        "end",
        "forgive",
    ]
)
_choices = st.tuples(_verbs, st.integers(0, 30), st.integers(0, 9))
_pauses = st.sampled_from([0.0, 0.0, 0.0, 0.5, 1.0, 3.0, 10.0, 31.0, 61.0, 700.0])

traces = st.lists(
    st.tuples(_pauses, st.one_of(_requests, _requests, _choices, _choices, _choices)), min_size=8, max_size=60
)
"""Lists of (seconds that pass before it, what somebody asks)."""


def operation_of(state: State, asked: Acquire | Choice) -> Operation | None:
    """The operation that a choice means in `state`; None when there is nothing to choose from."""
    if isinstance(asked, Acquire):
        return _without_changed_key(state, asked)
    verb, which, number = asked
    if verb == "tick":
        return Tick(limit=number % 3 + 1)
    if verb == "forgive":
        return Forgive(stalled_us=(number + 1) * SECOND)
    if not state.entries:
        return None
    entry = list(state.entries.values())[which % len(state.entries)]
    principal = entry.principal if number else PRINCIPALS[which % 2]
    token = (entry.token or 1) + (number == 9)
    by_verb: dict[str, Callable[[], Operation]] = {
        "heartbeat": lambda: Heartbeat(principal=principal, number=entry.number, token=token),
        "release": lambda: Release(principal=principal, number=entry.number, token=token),
        "convert": lambda: Convert(
            principal=principal,
            number=entry.number,
            token=token,
            mode="exclusive" if number % 3 else "shared",
            wait_us=number // 3 * 100 * SECOND,
        ),
        "transfer": lambda: Transfer(
            actor=principal,
            number=entry.number,
            to=PRINCIPALS[number % 2],
            token=token,
            holder=(None, "h1")[number % 2],
        ),
        "extend": lambda: Extend(principal=principal, number=entry.number, by_us=(10, 100_000)[number == 9] * SECOND),
        "break": lambda: Break(number=entry.number),
        "poll": lambda: Poll(principal=principal, number=entry.number),
        "cancel": lambda: Cancel(principal=principal, number=entry.number),
        "close": lambda: Close(number=entry.number),
        "reopen": lambda: Reopen(number=entry.number),
        "end": lambda: EndRun(number=entry.number),
    }
    return by_verb[verb]()


def _without_changed_key(state: State, request: Acquire) -> Acquire | None:
    """None for a key that already stands for another request: that is refused as Invalid, before any rule."""
    for entry in state.entries.values():
        if request.request_key and (entry.principal, entry.key) == (request.principal, request.request_key):
            return request if (entry.resources, entry.mode) == (request.resources, request.mode) else None
    return request


@dataclass(slots=True)
class Follower:
    """Carries the same steps to the rules and to a store, and compares what both say."""

    store: LeaseStore
    state: State = field(default_factory=State)
    lock_ids: dict[int, str] = field(default_factory=dict)
    tickets: dict[int, str] = field(default_factory=dict)

    def follow(self, pause: float, asked: Acquire | Choice) -> None:
        """Take one step in both. AssertionError where they differ."""
        self.store.clock.advance(pause)
        operation = operation_of(self.state, asked)
        if operation is None:
            return
        self.state, expected, events = step(self.state, operation, self.store.clock.wall_us())
        try:
            answer, code = self._carry_out(operation), "ok"
        except Refusal as refusal:
            answer, code = refusal, refusal.code
        assert code == expected.code, f"{operation}: the store says {code}, the rules say {expected.code}"
        if isinstance(answer, Lease | Ticket) and expected.entry is not None:
            self._learn(answer, expected.entry)
        self._compare(operation, answer, expected)
        self._compare_events(operation, events)

    def _learn(self, answer: Lease | Ticket, entry: Entry) -> None:
        self.lock_ids[entry.number] = answer.lock_id
        if isinstance(answer, Ticket):
            self.tickets[entry.number] = answer.id

    def _carry_out(self, operation: Operation) -> Any:
        store = self.store
        match operation:
            case Acquire():
                return store.acquire(operation)
            case Heartbeat(principal=principal, number=number, token=token):
                return store.heartbeat(principal, self.lock_ids[number], token)
            case Release(principal=principal, number=number, token=token):
                return store.release(principal, self.lock_ids[number], token)
            case Convert(principal=principal, number=number, token=token, mode=mode, wait_us=wait_us):
                return store.convert(principal, self.lock_ids[number], token, mode, wait_us / SECOND)
            case Transfer(actor=actor, number=number, to=to, token=token, holder=holder):
                return store.transfer(actor, self.lock_ids[number], to, token, holder)
            case Extend(principal=principal, number=number, by_us=by_us):
                return store.extend(principal, self.lock_ids[number], by_us / SECOND)
            case Break(number=number):
                return store.break_("dee", self.lock_ids[number], "because")
            case Poll(principal=principal, number=number):
                return store.poll(principal, self.tickets.get(number, "T999999"))
            case Cancel(principal=principal, number=number):
                return store.cancel(principal, self.tickets.get(number, "T999999"))
            case Close(number=number):
                return store.close_for_run(int(self.lock_ids[number][1:]))
            case Reopen(number=number):
                return store.reopen_for_run(int(self.lock_ids[number][1:]))
            case EndRun(number=number):
                return store.end_for_run(int(self.lock_ids[number][1:]))
            case Tick(limit=limit):
                return store.tick(limit)
            case Forgive(stalled_us=stalled_us):
                return store.forgive(stalled_us)

    def _compare(self, operation: Operation, answer: Any, expected: Result) -> None:
        if isinstance(answer, Ticket):
            expected_seconds = None if expected.expected_us is None else expected.expected_us / SECOND
            at, ought = (answer.position, answer.expected_seconds), (expected.position, expected_seconds)
            assert at == ought, f"{operation}: at {at}, not {ought}"
        if isinstance(answer, Lease | Ticket) and expected.entry is not None:
            entry = expected.entry
            lease = answer.lease if isinstance(answer, Ticket) else answer
            waits = isinstance(answer, Ticket) and answer.state == "waiting"
            said = (
                "waiting" if waits else "ended" if lease is None else lease.state,
                lease.ended if lease else None if waits else getattr(answer, "state", None),
                lease.token if lease else None,
                answer.expires_at if lease is None else lease.expires_at,
            )
            ruled = (entry.state, entry.ended, entry.token, entry.expires_at)
            assert said == ruled, f"{operation}: the store says {said}, the rules say {ruled}"
        elif isinstance(operation, Tick):
            assert answer == expected.deadline, f"{operation}: next at {answer}, not {expected.deadline}"
        elif isinstance(operation, Reopen | EndRun):
            assert answer == expected.done
        elif isinstance(answer, Refusal) and "held_by" in answer.data:
            assert len(answer.data["held_by"]) == len(expected.held_by)

    def _compare_events(self, operation: Operation, events: list[Event]) -> None:
        ruled = [(name, self.lock_ids[number]) for name, number in events]
        said = self.store.events()
        assert said == ruled, f"{operation}: the log says {said}, the rules say {ruled}"
