"""The receipt of one approval: one JSON object, and what can be concluded from it with a verifier key alone. Pure.

    {
      "interlock_receipt": 1,
      "approval": "A142",
      "bound": {…},                 everything that the digest covers
      "entries": [{"entry": <exact canonical text>, "values": [{"field", "salt", "value"}], "hashes": [hex]}],
      "checkpoint": <signed note>   C2SP tlog-checkpoint, Ed25519
    }

Every fact comes from an entry that is proved to stand in the log of the checkpoint (RFC 6962 2.1.1) or from a value
that such an entry commits to; the bound request is proved by its digest, which entries name. Nothing else is believed,
and a member that this version does not know is refused. A receipt cannot prove what it leaves out: entries after the
checkpoint, or ones that its maker did not put in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.approvals.digest import digest as digest_of
from core.audit.entry import Entry, commitment, decode
from core.audit.keys import VerifierKey
from core.audit.merkle import leaf_hash
from core.audit.note import Checkpoint, open_checkpoint
from core.audit.proof import Proof, verify_proof
from core.clock import rfc3339
from core.errors import Invalid

VERSION = 1
_MEMBERS = frozenset({"interlock_receipt", "approval", "bound", "entries", "checkpoint"})
_ENTRY_MEMBERS = frozenset({"entry", "values", "hashes"})
_VALUE_MEMBERS = frozenset({"field", "salt", "value"})
_MOST_ENTRIES = 10_000
_EVENTS = ("approval:", "apply:", "rollback:", "freeze:overridden")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """One verdict that was in force when the request was approved."""

    by: str
    on_behalf_of: str | None
    verdict: str
    at: str
    channel: str | None
    assurance: str
    evidence: Mapping[str, str]
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """One run: an apply or a rollback."""

    kind: str
    run: str
    token: int
    started_at: str
    ended: str | None
    """`finished`, `failed` or `unknown`; None when no entry of the receipt says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """What a receipt proves."""

    approval: str
    digest: str
    requester: str
    action: str
    policy: str
    params: Mapping[str, Any]
    commands: Mapping[str, Any]
    approved_at: str
    decisions: tuple[Decided, ...]
    runs: tuple[Ran, ...]
    origin: str
    tree_size: int
    entries: int


def verify(receipt: object, keys: Iterable[VerifierKey]) -> Conclusion:
    """What the receipt proves under one of `keys`.

    Raises Invalid: `bad_receipt` for its form, what it leaves out, and facts that do not fit together; the codes of
    `core.audit.proof.verify_proof` for the checkpoint and the proofs; `bad_entry`, `not_canonical` for an entry.
    """
    value = _object(receipt, _MEMBERS, "a receipt")
    if value["interlock_receipt"] != VERSION or type(value["interlock_receipt"]) is not int:
        raise _bad(f"this is no receipt of version {VERSION}")
    if type(value["approval"]) is not str or type(value["bound"]) is not dict or type(value["checkpoint"]) is not str:
        raise _bad("approval and checkpoint are text, bound is an object")
    checkpoint = open_checkpoint(value["checkpoint"], keys)
    entries = _entries(value["entries"], value["checkpoint"], checkpoint, list(keys))
    return _conclude(value["approval"], value["bound"], entries, checkpoint)


def _entries(given: object, note: str, checkpoint: Checkpoint, keys: Sequence[VerifierKey]) -> list[Entry]:
    """Every entry, proved to stand in the log, its opened values as committed to, in order."""
    if type(given) is not list or not 1 <= len(given) <= _MOST_ENTRIES:
        raise _bad("entries are a list, and never an empty one")
    entries: list[Entry] = []
    for each in given:
        member = _object(each, _ENTRY_MEMBERS, "an entry")
        if type(member["entry"]) is not str or type(member["hashes"]) is not list or type(member["values"]) is not list:
            raise _bad("an entry has its text, its hashes and its values")
        raw = member["entry"].encode()
        entry = decode(raw)
        proof = {
            "seq": entry.seq,
            "leaf_hash": leaf_hash(raw).hex(),
            "tree_size": checkpoint.size,
            "hashes": member["hashes"],
            "checkpoint": note,
        }
        verify_proof(Proof.from_json(proof), keys=keys, entry=raw)
        if entry.origin != checkpoint.origin:
            raise _bad(f"entry {entry.seq} is of another log")
        if entries and entry.seq <= entries[-1].seq:
            raise _bad("the entries are not in the order of the log")
        for stored in member["values"]:
            _open(entry, _object(stored, _VALUE_MEMBERS, "a value"))
        entries.append(entry)
    return entries


def _open(entry: Entry, value: Mapping[str, Any]) -> None:
    if any(type(each) is not str for each in value.values()):
        raise _bad("a value has its field, its salt in hex and its canonical text")
    try:
        salt = bytes.fromhex(value["salt"])
    except ValueError:
        raise _bad("a salt is hexadecimal") from None
    committed = entry.private.get(value["field"])
    if commitment(salt, entry.seq, value["field"], value["value"].encode()).hex() != committed:
        raise _bad(f"the value of {value['field'][:40]!r} is not what entry {entry.seq} commits to")


def _conclude(approval: str, bound: Mapping[str, Any], entries: Sequence[Entry], checkpoint: Checkpoint) -> Conclusion:
    for entry in entries:
        if entry.subject != approval or not entry.event.startswith(_EVENTS):
            raise _bad(f"entry {entry.seq} is not about {approval}")
    digest = digest_of(bound)
    if bound.get("approval") != approval:
        raise _bad(f"the bound request is another's, not that of {approval}")
    shown = [e for e in entries if e.event in ("approval:submitted", "approval:reopened")]
    if not any(e.details.get("digest") == digest for e in shown):
        raise _bad("no entry says that this request came under review")
    approved = [e for e in entries if e.event == "approval:approved" and e.details.get("digest") == digest]
    if not approved:
        raise _bad(f"no entry says that {approval} was approved as it is here")
    decisions = _decisions(entries, digest, before=approved[-1].seq)
    for each in decisions:
        if each.by == bound.get("requester"):
            raise _bad(f"{each.by} asked for it and decided on it")
    people = frozenset(each.by for each in decisions)
    runs = _runs(entries, digest, after=approved[0].seq, people=people)
    policy = bound.get("policy")
    return Conclusion(
        approval=approval,
        digest=digest,
        requester=str(bound.get("requester")),
        action=str(bound.get("action")),
        policy=str(policy.get("name")) if isinstance(policy, Mapping) else "",
        params=_mapping(bound.get("params")),
        commands=_mapping(bound.get("commands")),
        approved_at=rfc3339(approved[-1].ts),
        decisions=tuple(decisions),
        runs=tuple(runs),
        origin=checkpoint.origin,
        tree_size=checkpoint.size,
        entries=len(entries),
    )


def _decisions(entries: Sequence[Entry], digest: str, before: int) -> list[Decided]:
    """The verdict of each voice on that digest that stood last before the approval."""
    standing: dict[tuple[str, str | None], Decided] = {}
    for entry in entries:
        details = entry.details
        if entry.event != "approval:decided" or details.get("digest") != digest or entry.seq > before:
            continue
        actor, voice = entry.actor or "", details.get("on_behalf_of")
        if "replaces" in details:  # they say something else now, and no longer what they had said, also for others
            standing = {key: each for key, each in standing.items() if key[0] != actor}
        standing[actor, voice] = Decided(
            by=actor,
            on_behalf_of=voice,
            verdict=str(details.get("verdict")),
            at=rfc3339(entry.ts),
            channel=entry.channel,
            assurance=str(details.get("assurance")),
            evidence={str(k): str(v) for k, v in _mapping(details.get("evidence")).items()},
            seq=entry.seq,
        )
    return [each for each in standing.values() if each.verdict == "approve"]


def _runs(entries: Sequence[Entry], digest: str, *, after: int, people: frozenset[str]) -> list[Ran]:
    runs: list[Ran] = []
    for entry in entries:
        kind, _, what = entry.event.partition(":")
        if what != "started" or kind not in ("apply", "rollback"):
            continue
        if entry.details.get("digest") != digest or entry.seq <= after:
            raise _bad(f"entry {entry.seq} says that something else ran, or before it was approved")
        if kind == "apply" and not people.issuperset(entry.details.get("by") or ()):
            raise _bad(f"entry {entry.seq} counts somebody whose approval is not here")
        name = str(entry.details.get("run"))
        ends = [
            e
            for e in entries
            if e.details.get("run") == name and e.event.endswith((":finished", ":failed", ":unknown"))
        ]
        runs.append(
            Ran(
                kind=kind,
                run=name,
                token=int(entry.details.get("token") or 0),
                started_at=rfc3339(entry.ts),
                ended=ends[-1].event.partition(":")[2] if ends else None,
            )
        )
    return runs


def lines(found: Conclusion) -> list[str]:
    """The conclusion in words, for a person."""
    told = [
        f"{found.approval}: {found.action}, asked for by {found.requester}, under policy {found.policy}",
        f"  digest   {found.digest}",
        f"  approved {found.approved_at}",
    ]
    for each in found.decisions:
        whom = f" for {each.on_behalf_of}" if each.on_behalf_of else ""
        proof = ", ".join(f"{key} {value}" for key, value in sorted(each.evidence.items())) or "no evidence recorded"
        told.append(f"  by       {each.by}{whom} in {each.channel} ({each.assurance}; {proof}), entry {each.seq}")
    if not found.decisions:
        told.append("  by       nobody: the policy allows it")
    told += [
        f"  {run.kind:<8} {run.run}, token {run.token}, began {run.started_at}, {run.ended or 'end unknown'}"
        for run in found.runs
    ]
    told.append(f"  proved by {found.entries} entries in a log of {found.tree_size}, origin {found.origin}")
    told.append(
        "  not proved: what happened after that checkpoint, and whether the policy's groups were as they should be"
    )
    return told


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _object(value: object, members: frozenset[str], what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict) or value.keys() != members:
        raise _bad(f"{what} has exactly {', '.join(sorted(members))}")
    return value


def _bad(why: str) -> Invalid:
    return Invalid("bad_receipt", f"this receipt proves nothing: {why}")
