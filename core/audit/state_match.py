"""Whether the tables that the hub decides by say what the log says: the second verdict, beside "intact".

The log is read to its end and folded into the last state of every approval, decision, run, lease and key; then the
tables are read and compared. Whoever forges a row without an entry is found here, even where the log is intact.
Renewals are sampled in the log, so times are not compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import bindparam, func, select

from core.audit.backing_match import ToldBacking, again, chosen_in
from core.audit.verdict import Finding, Findings
from core.store import schema
from core.store.rows import Reader, Row
from core.store.statement import Statement

_PAGE = 2_000
_RETRIES = 20
_ENDS = frozenset({"lease:released", "lease:reclaimed", "lease:broken"})
_SCHEDULED = {"schedule:paused": "paused", "schedule:unpaused": "active", "schedule:ended": "ended"}
_NOUNS = (
    *("approval", "apply", "rollback", "lease", "key", "delegation", "freeze", "grant", "agent", "schedule"),
    "identity",
)
_PREFIXES = tuple(f"{noun}:" for noun in _NOUNS)

_L = schema.log.c
_TAIL = Statement(select(_L.seq, _L.entry).where(_L.seq > bindparam("after")).order_by(_L.seq).limit(bindparam("page")))
_SIZE = Statement(select(func.max(_L.seq).label("size")))
_APPROVALS = Statement(select(schema.approval.c.id, schema.approval.c.state, schema.approval.c.override_by))
_DECISIONS = Statement(select(schema.decision))
_RUNS = Statement(select(schema.run.c.id, schema.run.c.approval, schema.run.c.token, schema.run.c.ended_at))
_LEASES = Statement(select(schema.lease.c.id, schema.lease.c.state, schema.lease.c.token))
_KEYS = Statement(select(schema.api_key))
_DELEGATIONS = Statement(select(schema.delegation))
_FREEZES = Statement(select(schema.freeze))
_AGENTS = Statement(select(schema.agent))
_SCHEDULES = Statement(select(schema.schedule))
_LINKED = Statement(select(schema.linked))
_REALMS = Statement(select(schema.realm))
_VOICES = Statement(select(schema.rollback_voice.c.approval, schema.rollback_voice.c.person))


@dataclass(slots=True)
class Told:
    """What the log says so far; each maps an id to what the tables must hold."""

    seq: int = 0
    approvals: dict[str, str] = field(default_factory=dict)
    decisions: dict[tuple[str, int, str, str], tuple[str, str, str]] = field(default_factory=dict)
    runs: dict[str, tuple[str, int, bool]] = field(default_factory=dict)
    leases: dict[str, tuple[int, bool]] = field(default_factory=dict)
    keys: dict[str, tuple[str, bool, bool]] = field(default_factory=dict)
    delegations: dict[str, tuple[str, str | None, bool]] = field(default_factory=dict)
    freezes: dict[str, tuple[str, int, bool]] = field(default_factory=dict)
    schedules: dict[str, tuple[str, str, str, str]] = field(default_factory=dict)
    """Schedule -> its owner, its verb, when it comes and its state."""
    overrides: dict[str, tuple[str, int]] = field(default_factory=dict)
    backing: ToldBacking = field(default_factory=ToldBacking)
    voices: dict[str, set[str]] = field(default_factory=dict)
    """Approval -> who wants it rolled back."""
    agents: dict[str, str] = field(default_factory=dict)
    """`deploy-bot is paused` -> by whom."""
    linked: dict[str, str] = field(default_factory=dict)
    """`channel identity` -> whom it is linked to."""
    realms: dict[str, str] = field(default_factory=dict)
    """Channel -> where its bare identities belong."""

    def hear(self, entry: Mapping[str, Any]) -> None:
        """Take one entry into account."""
        event, subject, details = entry["event"], entry["subject"], entry["details"]
        if not event.startswith(_PREFIXES):
            return
        if "state" in details and subject is not None and subject.startswith("A"):
            self.approvals[subject] = details["state"]
        if details.get("revision", 0) > self.overrides.get(subject, ("", details.get("revision", 0)))[1]:
            del self.overrides[subject]  # an override is for one revision
        self.backing.hear(event, entry["actor"], subject, details)
        match event:
            case "approval:decided" if "glass" not in details:
                whose = subject, details["revision"], entry["actor"]
                for voice in details.get("replaces", ()):
                    self.decisions.pop((*whose, voice), None)
                voice = details.get("on_behalf_of") or entry["actor"]
                self.decisions[(*whose, voice)] = details["verdict"], details["digest"], again(details.get("grant"))
            case "apply:started" | "rollback:started":
                self.runs[details["run"]] = subject, details["token"], True
            case "apply:finished" | "apply:failed" | "apply:unknown" | "rollback:finished" | "rollback:failed":
                if details.get("run") in self.runs:
                    self.runs[details["run"]] = (*self.runs[details["run"]][:2], False)
            case "rollback:requested":
                self.voices.setdefault(subject, set()).add(entry["actor"])
            case "rollback:failed" if "run" not in details:
                self.voices.pop(subject, None)
            case "delegation:created":
                self.delegations[subject] = details["delegator"], details["delegate"], True
            case "delegation:ended" if subject in self.delegations:
                self.delegations[subject] = (*self.delegations[subject][:2], False)
            case "freeze:created" if not details.get("configured"):  # those of hub.yaml stand in no table
                self.freezes[subject] = ", ".join(details["resources"]), details["until"], True
            case "freeze:ended" if subject in self.freezes:
                self.freezes[subject] = (*self.freezes[subject][:2], False)
            case "freeze:overridden":
                self.overrides[subject] = entry["actor"], details["revision"]
            case "agent:paused" | "agent:suspended":
                self.agents[f"{subject} is {event.removeprefix('agent:')}"] = entry["actor"]
            case "agent:resumed":
                self.agents.pop(f"{subject} is {details['was']}", None)
            case "schedule:created":
                when = details["cron"] or details["at"]
                self.schedules[subject] = entry["actor"], details["verb"], str(when), "active"
            case "schedule:paused" | "schedule:unpaused" | "schedule:ended" if subject in self.schedules:
                self.schedules[subject] = (*self.schedules[subject][:3], _SCHEDULED[event])
            case "identity:linked":
                self.linked[f"{entry['channel']} {details['identity']}"] = details["principal"]
            case "identity:unlinked":
                self.linked.pop(f"{details['of']} {details['identity']}", None)
            case "identity:pinned":
                self.realms[entry["channel"]] = details["realm"]
            case "lease:acquired":
                self.leases[subject] = details["token"], True
            case "key:created":
                self.keys[details["prefix"]] = details["principal"], details["decide"], True
            case "key:revoked" if details["prefix"] in self.keys:
                self.keys[details["prefix"]] = (*self.keys[details["prefix"]][:2], False)
            case _ if event in _ENDS and subject in self.leases:
                self.leases[subject] = self.leases[subject][0], False


def match_state(reader: Reader) -> tuple[Finding, ...]:
    """Where the tables disagree with the log; () when they match. Also while the hub goes on.

    Every change of the tables appends an entry in its own transaction, so tables read while the log did not grow
    belong to exactly the log that was read before them.
    """
    told = Told()
    findings = Findings()
    for _ in range(_RETRIES):
        _listen(reader, told, findings)
        found = _compare(reader, told)
        row = reader.one(_SIZE)
        if row is None or (row["size"] or 0) <= told.seq:
            for message in found:
                findings.add("state_mismatch", None, message)
            return findings.all()
    findings.add("busy", None, "the log grew faster than the tables could be compared; stop the hub and try again")
    return findings.all()


def _listen(reader: Reader, told: Told, findings: Findings) -> None:
    while page := reader.all(_TAIL, after=told.seq, page=_PAGE):
        for row in page:
            told.seq = row["seq"]
            try:
                told.hear(orjson.loads(row["entry"]))
            except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
                findings.add("unreadable", row["seq"], "the entry cannot be read, so nothing can be held against it")


def _compare(reader: Reader, told: Told) -> list[str]:
    return [
        *_differences("approval", told.approvals, {f"A{row['id']}": row["state"] for row in reader.all(_APPROVALS)}),
        *_differences(
            "decision",
            told.decisions,
            {
                (f"A{row['approval']}", row["revision"], row["by"], row["on_behalf_of"] or row["by"]): (
                    row["verdict"],
                    row["digest"],
                    chosen_in(row),
                )
                for row in reader.all(_DECISIONS)
            },
        ),
        *_differences(
            "run",
            told.runs,
            {
                f"R{row['id']}": (f"A{row['approval']}", row["token"], row["ended_at"] is None)
                for row in reader.all(_RUNS)
            },
        ),
        *_leases(reader, told),
        *(line for pair in told.backing.pairs(reader) for line in _differences(*pair)),
        *_differences("delegation", told.delegations, dict(_delegation(row) for row in reader.all(_DELEGATIONS))),
        *_differences(
            "freeze",
            told.freezes,
            {
                f"F{row['id']}": (", ".join(orjson.loads(row["resources"])), row["ends_at"], row["ended_at"] is None)
                for row in reader.all(_FREEZES)
            },
        ),
        *_differences(
            "schedule",
            told.schedules,
            {
                f"S{row['id']}": (row["owner"], row["verb"], str(row["cron"] or row["once_at"]), row["state"])
                for row in reader.all(_SCHEDULES)
            },
        ),
        *_differences(
            "override of",
            {name: actor for name, (actor, _) in told.overrides.items()},
            {f"A{row['id']}": row["override_by"] for row in reader.all(_APPROVALS) if row["override_by"] is not None},
        ),
        *_differences(
            "wish to roll back",
            {f"{name} by {person}": True for name, people in told.voices.items() for person in people},
            {f"A{row['approval']} by {row['person']}": True for row in reader.all(_VOICES)},
        ),
        *_differences("agent", told.agents, dict(_agents(reader.all(_AGENTS)))),
        *_differences(
            "link of",
            told.linked,
            {f"{row['channel']} {row['identity']}": row["principal"] for row in reader.all(_LINKED)},
        ),
        *_differences("realm of", told.realms, {row["channel"]: row["realm"] for row in reader.all(_REALMS)}),
        *_differences(
            "key",
            told.keys,
            {
                row["prefix"]: (row["principal"], bool(row["decide"]), row["revoked_at"] is None)
                for row in reader.all(_KEYS)
            },
        ),
    ]


def _differences(what: str, told: Mapping[Any, Any], stored: Mapping[Any, Any]) -> list[str]:
    """What the log tells and the table does not hold, and the other way round."""
    found = [
        f"{what} {_name(key)}: the log says {_value(told[key])}, the table {_value(stored[key])}"
        for key in told.keys() & stored.keys()
        if told[key] != stored[key]
    ]
    found += [f"{what} {_name(key)}: in the table, never in the log" for key in stored.keys() - told.keys()]
    found += [f"{what} {_name(key)}: in the log, gone from the table" for key in told.keys() - stored.keys()]
    return sorted(found)


def _delegation(row: Row) -> tuple[str, tuple[str, str | None, bool]]:
    lends = row["kind"] != "away"
    return f"D{row['id']}", (row["delegator"], row["delegate"] if lends else None, row["ended_at"] is None)


def _agents(rows: Iterable[Row]) -> Iterator[tuple[str, str]]:
    for row in rows:
        for state in ("paused", "suspended"):
            if row[f"{state}_at"] is not None:
                yield f"{row['id']} is {state}", row[f"{state}_by"]


def _leases(reader: Reader, told: Told) -> list[str]:
    """Ended leases may be forgotten; those in force may neither appear nor vanish unrecorded."""
    stored = {f"L{row['id']}": row["token"] for row in reader.all(_LEASES) if row["state"] in ("held", "closed")}
    held = {name: token for name, (token, live) in told.leases.items() if live}
    return _differences("lease", held, stored)


def _name(key: Any) -> str:
    if isinstance(key, tuple):
        subject, revision, person, voice = key
        whom = f" for {voice}" if voice != person else ""
        return f"by {person}{whom} on {subject}, revision {revision}"
    return str(key)


def _value(value: Any) -> str:
    return ", ".join(str(each) for each in value) if isinstance(value, tuple) else str(value)
