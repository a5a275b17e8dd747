"""Verbs that only look: show, queue, who, history, status, whoami."""

from __future__ import annotations

from typing import Any, Literal

import orjson
from sqlalchemy import bindparam, func, select

from commands.freezing import described
from commands.requesting import own
from commands.stopping import NoArgs
from commands.story import line
from commands.verb import Args, Call, Outcome, Permission, Verb
from core.approvals.approval import Approval
from core.approvals.flags import halted
from core.approvals.freeze import freezes, frozen, words
from core.approvals.listing import listing
from core.approvals.owed import all_owed
from core.approvals.reviews import OwedReview, owed_reviews
from core.approvals.shown import note_shown
from core.approvals.states import State
from core.approvals.view import principal_json, view_of
from core.approvals.whom import who
from core.audit.entry import decode
from core.clock import rfc3339
from core.moments import show_moment, zone_of
from core.people.directory import Kind
from core.schedules.schedule import living
from core.store import schema
from core.store.rows import Reader
from core.store.statement import Statement
from core.store.tx import Tx
from core.triggers.standing import standings

_LOG = schema.log
_HISTORY = Statement(
    select(_LOG.c.seq, _LOG.c.ts, _LOG.c.event, _LOG.c.actor, _LOG.c.channel, _LOG.c.entry)
    .where(_LOG.c.subject == bindparam("subject"))
    .order_by(_LOG.c.seq.desc())
    .limit(50)
)
_VALUES = Statement(
    select(schema.log_value.c.field, schema.log_value.c.value).where(schema.log_value.c.seq == bindparam("seq"))
)
_BY_STATE = Statement(select(schema.approval.c.state, func.count().label("n")).group_by(schema.approval.c.state))


class IdArgs(Args):
    """Which approval."""

    id: str


class QueueArgs(Args):
    """Mine (asked by me, or waiting for me), or all that is open."""

    which: Literal["mine", "all"] = "mine"


def _show(tx: Tx, call: Call, args: IdArgs, prepared: None) -> Outcome:
    approval = own(tx, call, args.id)
    if call.principal.kind is Kind.PERSON and approval.state is State.REVIEWING and call.may_decide:
        note_shown(tx, approval=approval.id, revision=approval.revision, person=call.principal.id)
    found = frozen(tx, call.world, approval) if approval.state in (State.REVIEWING, State.APPROVED) else []
    stops = f"; {words(found, approval.name)}" if found else ""
    return Outcome(text=f"{approval.name}: {approval.title} — {_state(approval)}{stops}", approval=approval.id)


def _state(approval: Approval) -> str:
    words = {
        State.REVIEWING: "waits for decisions",
        State.APPROVED: "approved, not yet started",
        State.APPLYING: "running",
        State.UNKNOWN: "nobody knows how it ended; a person must `resolve` it",
    }
    said = words.get(approval.state, str(approval.state).lower().replace("_", " "))
    return f"{said} ({approval.closed_why})" if approval.closed_why else said


def _queue(reader: Reader, call: Call, args: QueueArgs) -> Outcome:
    found = listing(reader, call.world, viewer=call.principal, state="open", mine=args.which == "mine", limit=50)
    lines = [f"{each.name}  {_state(each)}  {each.title}  (asked by {each.requester})" for each in found]
    reviews = owed_reviews(reader, call.world, call.principal, mine=args.which == "mine")
    lines = [*(_owed(call, reader.now_us, each) for each in reviews), *lines]
    empty = "Nothing waits for you." if args.which == "mine" else "Nothing is open."
    return Outcome(
        text="\n".join(lines) or empty,
        data={
            "items": [view_of(reader, call.world, each) for each in found],
            "reviews": [view_of(reader, call.world, each.approval) for each in reviews],
        },
    )


def _owed(call: Call, now_us: int, each: OwedReview) -> str:
    due = show_moment(each.owed.due_at, zone_of(call.principal, call.world.timezone))
    when = f"OVERDUE since {due}" if each.owed.due_at <= now_us else f"due {due}"
    name = each.approval.name
    could = ", ".join(each.could) or "nobody"
    return (
        f"{name}  BREAK-GLASS by {each.approval.requester}: its review is {when}  {each.approval.title}  "
        f"(`review {name} ok|objected because …`: {could})"
    )


def _who(reader: Reader, call: Call, args: IdArgs) -> Outcome:
    approval = own(reader, call, args.id)
    answer = who(reader, call.world, approval.id)
    return Outcome(text=f"{approval.name}: {answer['words']}", data=answer)


def _history(reader: Reader, call: Call, args: IdArgs) -> Outcome:
    approval = own(reader, call, args.id)
    rows = reader.all(_HISTORY, subject=approval.name)[::-1]
    zone = zone_of(call.principal, call.world.timezone)
    items: list[dict[str, Any]] = [
        {
            "seq": row["seq"],
            "ts": rfc3339(row["ts"]),
            "event": row["event"],
            "actor": row["actor"],
            "channel": row["channel"],
            "text": line(decode(bytes(row["entry"])), _values(reader, row["seq"]), call.world, zone),
        }
        for row in rows
    ]
    lines = [f"Times in {zone.key}", *(f"{each['text']}  [{each['event']}]" for each in items)]
    return Outcome(text="\n".join(lines), data={"items": items, "timezone": zone.key}, approval=approval.id)


def _values(reader: Reader, seq: int) -> dict[str, Any]:
    """The private values of an entry that were not erased."""
    return {row["field"]: orjson.loads(bytes(row["value"])) for row in reader.all(_VALUES, seq=seq)}


def _status(reader: Reader, call: Call, args: NoArgs) -> Outcome:
    counts = {row["state"]: int(row["n"]) for row in reader.all(_BY_STATE)}
    why = halted(reader)
    words = ", ".join(f"{count} {state.lower()}" for state, count in sorted(counts.items())) or "no requests yet"
    text = f"Everything is stopped ({why}); `resume` ends that. {words}" if why else f"Running. {words}"
    frozen = freezes(reader, call.world)
    zone = zone_of(call.principal, call.world.timezone)
    owed = all_owed(reader)
    late = sum(each.due_at <= reader.now_us for each in owed)
    lines = [f"Reviews owed after break-glass: {len(owed)}, {late} of them overdue; see `queue all`"] if owed else []
    scheduled, switched_off = living(reader), _switched_off(reader, call)
    lines += [f"Scheduled: {len(scheduled)}; see `schedules`"] if scheduled else []
    lines += [f"The trigger {name} is switched off by {by}" for name, by in switched_off.items()]
    lines += [f"Frozen by {each.name}: {described(each, zone)}" for each in frozen]
    return Outcome(
        text="\n".join([text, *lines]),
        data={
            "approvals": counts,
            "halted": why,
            "reviews_owed": len(owed),
            "reviews_overdue": late,
            "freezes": [each.as_json() for each in frozen],
            "schedules": len(scheduled),
            "triggers_off": sorted(switched_off),
            "config": call.world.version,
        },
    )


def _switched_off(reader: Reader, call: Call) -> dict[str, str]:
    """The triggers that somebody switched off, with who did."""
    places = standings(reader)
    found = ((name, places[name].disabled_by) for name in call.world.triggers if name in places)
    return {name: by for name, by in found if by is not None}


def _whoami(tx: Tx, call: Call, args: NoArgs, prepared: None) -> Outcome:
    me = call.principal
    groups = ", ".join(sorted(me.groups)) or "no group"
    return Outcome(
        text=f"{me.name} ({me.id}, {me.kind.value}), in {groups}; proved as {call.assurance.word} by {call.channel}",
        data={
            **principal_json(call.world, me.id),
            "groups": sorted(me.groups),
            "assurance": call.assurance.word,
            "may_decide": me.kind is Kind.PERSON and call.may_decide,
        },
    )


VERBS = (
    Verb(
        name="show",
        args=IdArgs,
        run=_show,
        permission=Permission.READ,
        positional=("id",),
        usage="show <id>",
        summary="The card of one request.",
    ),
    Verb(
        name="queue",
        args=QueueArgs,
        look=_queue,
        permission=Permission.READ,
        positional=("which",),
        usage="queue [mine|all]",
        summary="What waits for you, or everything open.",
    ),
    Verb(
        name="who",
        args=IdArgs,
        look=_who,
        permission=Permission.READ,
        positional=("id",),
        usage="who <id>",
        summary="What is missing, who could give it, who cannot and why.",
    ),
    Verb(
        name="history",
        args=IdArgs,
        look=_history,
        permission=Permission.READ,
        positional=("id",),
        usage="history <id>",
        summary="What happened to a request, from the log.",
    ),
    Verb(
        name="status",
        args=NoArgs,
        look=_status,
        permission=Permission.READ,
        usage="status",
        summary="How the hub is doing.",
    ),
    Verb(
        name="whoami",
        args=NoArgs,
        run=_whoami,
        permission=Permission.KNOWN,
        usage="whoami",
        summary="Who you are here, and how strongly that is proved.",
    ),
)
