"""Checking what a log says about leases: it finds what no correct store can have done.

One pass in the order of the log, sorted first: O(n log n), however long. Nothing of the hub is needed but the
entries, so an exported log is checked on any machine. A hold lasts from its `lease:acquired` to the entry of its end,
because a store records the end of a lapsed lease before it grants what that had.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from core.audit.entry import decode
from core.errors import Invalid
from core.leases.resource import footprint
from core.people.directory import HUB

_ENDS = frozenset({"lease:released", "lease:reclaimed", "lease:broken"})


class Entry(Protocol):
    """An entry of the log, decoded."""

    @property
    def seq(self) -> int: ...
    @property
    def event(self) -> str: ...
    @property
    def actor(self) -> str | None: ...
    @property
    def subject(self) -> str | None: ...
    @property
    def details(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that cannot be, at an entry. `code` is stable; `text` is for people."""

    code: str
    seq: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A lease in force, or closed."""

    lock_id: str
    token: int
    principal: str
    resources: tuple[str, ...]
    shared: bool
    approval: str | None = None
    closed: bool = False


@dataclass(slots=True)
class _Name:
    """Who holds a resource itself, and who something below it; each by whether they share."""

    here: dict[bool, set[str]] = field(default_factory=lambda: {True: set(), False: set()})
    below: dict[bool, set[str]] = field(default_factory=lambda: {True: set(), False: set()})

    def other(self, leaf: bool, shared: bool) -> str | None:
        """Somebody there who cannot stand beside such a hold; None for nobody."""
        for held in (self.here, self.below) if leaf else (self.here,):
            for sharing in (False,) if shared else (False, True):
                if held[sharing]:
                    return next(iter(held[sharing]))
        return None


class History:
    """Holds and waiters as the entries so far make them, and what was found."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.grants = 0
        self.entries = 0
        self._last_token = 0
        self._holds: dict[str, Hold] = {}
        self._names: dict[str, _Name] = {}
        self._waiting: dict[str, Entry] = {}
        self._seen: set[str] = set()
        self._ended: dict[str, Hold] = {}
        """Runs' leases that lapsed or were broken: they may still close."""

    def add(self, entry: Entry) -> None:
        """Take the next entry in."""
        event, subject = entry.event, entry.subject or ""
        if event == "log:restored":
            self._forget()
        elif event == "apply:unknown":
            self._close(subject)
        elif event.startswith("lease:"):
            self.entries += 1
            if event == "lease:queued":
                self._queued(entry, subject)
            elif event == "lease:acquired":
                self._acquired(entry, subject)
            elif event == "lease:renewed":
                self._by_its_holder(entry, subject)
            elif event in _ENDS:
                self._ended_at(entry, subject)
            elif event == "lease:cancelled" or entry.details.get("why") != "moved":
                self._left(entry, subject)

    def _forget(self) -> None:
        """After a restore only tokens are known: they go on above every one that was seen."""
        self._holds.clear()
        self._names.clear()
        self._waiting.clear()
        self._seen.clear()
        self._ended.clear()

    def _find(self, code: str, entry: Entry, text: str) -> None:
        self.findings.append(Finding(code=code, seq=entry.seq, text=text))

    def _queued(self, entry: Entry, subject: str) -> None:
        if subject in self._seen:
            self._find("queued_twice", entry, f"{subject} began to wait though it was there before")
        self._seen.add(subject)
        self._waiting[subject] = entry

    def _left(self, entry: Entry, subject: str) -> None:
        self._seen.add(subject)
        waited = self._waiting.pop(subject, None) is not None
        if not waited and entry.event == "lease:cancelled":
            self._find("not_waiting", entry, f"{subject} gave up a place that it did not have")

    def _acquired(self, entry: Entry, subject: str) -> None:
        self.grants += 1
        details = entry.details
        hold = Hold(
            lock_id=subject,
            token=details["token"],
            principal=details.get("principal") or entry.actor or "",
            resources=tuple(details["resources"]),
            shared=details["mode"] == "shared",
            approval=details.get("approval"),
        )
        if hold.token <= self._last_token:
            self._find(
                "token_backward",
                entry,
                f"{subject} got the token {hold.token}, and {self._last_token} was given before",
            )
        self._last_token = max(self._last_token, hold.token)
        self._check_turn(entry, hold)
        self._make_room(entry, hold)
        for name, leaf in footprint(hold.resources).items():
            other = self._names[name].other(bool(leaf), hold.shared) if name in self._names else None
            if other is not None:
                self._find(
                    "two_holders", entry, f"{subject} was granted {name} while {other} held what conflicts with it"
                )
                break
        self._put(hold)

    def _check_turn(self, entry: Entry, hold: Hold) -> None:
        """Whoever waited was waiting for just this; whoever did not is new."""
        waited = self._waiting.pop(hold.lock_id, None)
        ticket = entry.details.get("ticket")
        held = self._holds.get(hold.lock_id)
        fresh = hold.lock_id not in self._seen or (held is not None and held.closed)
        if ticket is not None and waited is None and fresh is False:
            self._find("not_waiting", entry, f"{hold.lock_id} was granted to {ticket}, which did not wait any more")
        elif ticket is not None and waited is None:
            self._find("not_waiting", entry, f"{hold.lock_id} was granted to {ticket}, which never waited")
        elif waited is not None and (ticket, hold.resources) != (
            waited.details.get("ticket"),
            tuple(waited.details["resources"]),
        ):
            self._find("not_waiting", entry, f"{hold.lock_id} was granted something else than it waited for")
        elif ticket is None and waited is None and not fresh:
            self._find("granted_twice", entry, f"{hold.lock_id} was granted though it had been before")
        self._seen.add(hold.lock_id)

    def _make_room(self, entry: Entry, hold: Hold) -> None:
        """What the grant takes the place of is held no longer."""
        closed = self._holds.get(hold.lock_id)
        if closed is not None and closed.closed:
            self._take_away(closed)
        former = entry.details.get("instead_of")
        if former is None:
            return
        replaced = self._holds.get(former)
        if replaced is None:
            self._find("replaces_nothing", entry, f"{hold.lock_id} took the place of {former}, which was not held")
        else:
            self._take_away(replaced)

    def _by_its_holder(self, entry: Entry, subject: str) -> Hold | None:
        """The hold that the entry is about, once its token and its holder are the entry's."""
        hold = self._holds.get(subject)
        if hold is None:
            self._find("not_held", entry, f"{subject} was not held any more")
            return None
        if entry.details.get("token", hold.token) != hold.token:
            self._find("stranger", entry, f"{subject} is held with another token than {entry.details['token']}")
        elif entry.actor not in (hold.principal, HUB.id) and entry.event != "lease:broken":
            self._find(
                "stranger", entry, f"{subject} of {hold.principal} was not {entry.actor}'s to give back or renew"
            )
        return hold

    def _ended_at(self, entry: Entry, subject: str) -> None:
        hold = self._by_its_holder(entry, subject)
        if hold is None:
            return
        self._take_away(hold)
        if hold.approval is not None and entry.event != "lease:released":
            self._ended[hold.approval] = hold

    def _close(self, approval: str) -> None:
        """The run's outcome is unknown: what it holds stays closed, and what it had lost closes again."""
        for hold in [each for each in self._holds.values() if each.approval == approval]:
            self._holds[hold.lock_id] = _closed(hold)
        lost = self._ended.pop(approval, None)
        if lost is not None:
            self._put(_closed(lost))

    def _put(self, hold: Hold) -> None:
        self._holds[hold.lock_id] = hold
        for name, leaf in footprint(hold.resources).items():
            there = self._names.setdefault(name, _Name())
            (there.here if leaf else there.below)[hold.shared].add(hold.lock_id)

    def _take_away(self, hold: Hold) -> None:
        self._holds.pop(hold.lock_id, None)
        for name, leaf in footprint(hold.resources).items():
            there = self._names.get(name)
            if there is not None:
                (there.here if leaf else there.below)[hold.shared].discard(hold.lock_id)


def _closed(hold: Hold) -> Hold:
    return Hold(
        lock_id=hold.lock_id,
        token=hold.token,
        principal=hold.principal,
        resources=hold.resources,
        shared=hold.shared,
        approval=hold.approval,
        closed=True,
    )


def check(entries: Iterable[Entry]) -> History:
    """The history of these entries, whatever order they come in; its `findings` are empty when all of it can be."""
    history = History()
    for entry in sorted(entries, key=lambda each: each.seq):
        history.add(entry)
    return history


def read_export(lines: Iterable[bytes]) -> Iterator[Entry]:
    """The entries of an export's lines (see core.audit.export). Raises Invalid (`bad_export`) at the first bad line."""
    for number, line in enumerate(lines, 1):
        try:
            value = orjson.loads(line)
            if "checkpoint" in value:
                continue
            entry = decode(value["entry"].encode())
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, Invalid):
            raise Invalid("bad_export", f"line {number} is no entry of an exported log") from None
        yield entry
