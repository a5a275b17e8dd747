"""The card of an approval: one pure picture, drawn from the Approval JSON, that every channel renders.

It is drawn from what is bound, never from the requester's story, which stands apart as a claim. Everything that
came from outside is escaped (`core.text.show`), and nothing is left out without saying how much.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

from core.approvals.states import ENDED, State
from core.clock import show_duration
from core.deep_link import deep_link
from core.text import show
from hub.contracts import Button, Card, Field
from hub.wording import command_line, moment, name_of, setting, speaker, summary_of

MOST_PREVIEW = 65_536
"""Characters of a preview on a card; the page has all of it."""

MOST_VALUE = 400
"""Characters of one value in the list of changes; JSON has all of it."""

_BUTTONS: Mapping[str, tuple[str, Literal["primary", "danger", "plain"]]] = {
    "approve": ("Approve", "primary"),
    "apply": ("Start now", "primary"),
    "reject": ("Reject", "danger"),
    "request-changes": ("Ask for changes", "plain"),
    "stop": ("Stop", "danger"),
    "rollback": ("Roll back", "danger"),
}


def live_choices(approval: Mapping[str, Any]) -> tuple[str, ...]:
    """What may be pressed in the approval's state; () once it ended."""
    match State(approval["state"]):
        case State.REVIEWING:
            return ("approve", "reject", "request-changes")
        case State.APPROVED:
            waits = approval.get("start") == "manual" and not approval.get("apply_asked_at")
            return ("apply", "stop") if waits else ("stop",)
        case State.APPLYING | State.ROLLING_BACK:
            return ("stop",)
        case _:
            return ("rollback",) if (approval.get("rollback") or {}).get("offered") else ()


def card(
    approval: Mapping[str, Any],
    *,
    public_url: str,
    tokens: Mapping[str, str] | None,
    now: datetime,
    preview_limit: int = MOST_PREVIEW,
) -> Card:
    """The picture of `approval` at `now`; buttons only for live choices that have a token."""
    state = State(approval["state"])
    url = deep_link(public_url, str(approval["id"]))
    deadline = _deadline(approval, state)
    over = deadline is not None and datetime.fromisoformat(deadline) <= now
    return Card(
        approval=approval["id"],
        version=int(approval.get("version") or approval["revision"]),
        digest=approval.get("digest"),
        state=state.value,
        title=("BREAK-GLASS: " if approval.get("glass") else "") + show(str(approval["title"])),
        summary=summary_of(approval, over=over),
        fields=tuple(_fields(approval)),
        claim=show(approval["reason"], multiline=True) if approval.get("reason") else None,
        preview=_preview(approval, url, preview_limit),
        footer=_footer(approval),
        url=url,
        expires_at=deadline,
        buttons=() if over else tuple(_buttons(approval, tokens or {})),
        final=state in ENDED,
        requester=name_of(approval["requester"]),
        risk=_risk(approval),
    )


def asked_for_others(picture: Card, absent: Sequence[str]) -> Card:
    """The picture as one sees it who is asked in place of `absent`, people who are away."""
    if not absent:
        return picture
    field = Field(
        label="Asked of you", value=f"for {', '.join(absent)}, who {'is' if len(absent) == 1 else 'are'} away"
    )
    return replace(picture, fields=(field, *picture.fields))


def _buttons(approval: Mapping[str, Any], tokens: Mapping[str, str]) -> Iterator[Button]:
    for choice in live_choices(approval):
        if choice in tokens:
            label, style = _BUTTONS[choice]
            confirm = approval["id"] if choice == "approve" and approval.get("confirm") == "typed" else None
            yield Button(label=label, choice=choice, token=tokens[choice], style=style, confirm=confirm)


def _deadline(approval: Mapping[str, Any], state: State) -> str | None:
    if state in (State.SUBMITTED, State.REVIEWING):
        return approval.get("review_expires_at")
    return approval.get("apply_expires_at") if state is State.APPROVED else None


def _risk(approval: Mapping[str, Any]) -> Literal["low", "medium", "high"]:
    if approval.get("glass"):
        return "high"
    seats = sum(int(each["count"]) for each in approval.get("requirements") or ())
    if seats == 0 and approval.get("allow"):
        return "low"
    if seats == 0:
        return "high"
    return "high" if seats > 1 else "medium"


def _fields(approval: Mapping[str, Any]) -> Iterator[Field]:
    yield from _run(approval)  # once it ran, how that went is what its readers came for
    yield from _asked_nobody(approval)
    yield from _bound(approval)
    if approval.get("cause"):
        yield Field(label="By itself", value=_cause(str(approval["cause"])))
    yield from _earlier(approval)
    yield Field(label="Needs", value=_needed(approval))
    if approval.get("confirm") == "typed" and approval["state"] == State.REVIEWING:
        yield Field(
            label="To approve",
            value=f"{approval['id']} is typed as well: policy {show(approval['policy'])} asks for it",
        )
    yield from _again(approval)
    yield from _who(approval)
    if approval.get("escalated"):
        yield Field(label="Asked as well", value=show(", ".join(approval["escalated"])))
    yield from _frozen(approval)
    yield from _decided(approval)
    yield from _checks(approval)
    yield from _waiting(approval)


def _asked_nobody(approval: Mapping[str, Any]) -> Iterator[Field]:
    """That nobody was asked, and why, before anything else."""
    if approval.get("allow"):
        yield Field(label="NOBODY IS ASKED", value=f"policy {show(str(approval['policy']))} allows it (allow: true)")
    glass = approval.get("glass")
    if not glass:
        return
    yield Field(label="BREAK-GLASS", value=f"{name_of(glass['by'])} runs it with nobody asked")
    review = glass.get("review")
    if review:
        yield Field(label="REVIEW", value=_review(approval["id"], review))


def _review(name: str, review: Mapping[str, Any]) -> str:
    """The review that is owed, or what it said."""
    if review["verdict"] is None:
        when = (
            f"overdue since {moment(review['due_at'])}"
            if review["overdue"]
            else f"owed until {moment(review['due_at'])}"
        )
        return f"{when}: `review {name} ok because …` or `review {name} objected because …`"
    said = "was right" if review["verdict"] == "ok" else "OBJECTED"
    why = f": {show(review['comment'])}" if review.get("comment") else ""
    return f"{said}, says {name_of(review['by'])} at {moment(review['at'])}{why}"


def _bound(approval: Mapping[str, Any]) -> Iterator[Field]:
    """What would happen, exactly."""
    commands: Mapping[str, Any] = approval.get("commands") or {}
    for key, label in (("apply", "Runs"), ("rollback", "Undone by")):
        if key in commands:
            yield Field(label=label, value=command_line(commands[key]), code=True)
    params = approval.get("params") or {}
    if params:
        lines = (f"{show(str(name))} = {setting(value)}" for name, value in params.items())
        yield Field(label="Parameters", value="\n".join(lines), code=True)
    if approval.get("resources"):
        yield Field(label="Locks", value=show(", ".join(approval["resources"])), code=True)
    yield Field(label="Policy", value=show(str(approval["policy"])))


def _cause(by: str) -> str:
    """What made the hub ask in the requester's name."""
    kind, colon, name = by.partition(":")
    return f"the {kind} {show(name)} asked for it" if colon else f"the schedule {show(by)} asked for it"


def _earlier(approval: Mapping[str, Any]) -> Iterator[Field]:
    """What is different from the revision that people saw before, and how the last attempt ended."""
    changes = approval.get("changes") or ()
    if changes:
        lines = (f"{show(str(each['field']))}: {_value(each['before'])} → {_value(each['after'])}" for each in changes)
        why = f" ({show(approval['changed_why'])})" if approval.get("changed_why") else ""
        yield Field(label=f"Changed since revision {approval['changed_since']}{why}", value="\n".join(lines), code=True)
    if approval.get("preview_diff"):
        yield Field(label="The preview changed", value=approval["preview_diff"], code=True)
    if int(approval.get("attempt") or 1) > 1:
        last = approval.get("last_failure") or {}
        ended = f", which ended {last['state']}" if last.get("state") else ""
        why = f": {last['why']}" if last.get("why") else ""
        again = f"attempt {approval['attempt']}, after {approval.get('retry_of') or 'one that failed'}{ended}{why}"
        yield Field(label="Retry", value=show(again))
        if last.get("output_tail"):
            yield Field(label="The last attempt said", value=show(last["output_tail"], multiline=True), code=True)


def _value(value: Any) -> str:
    """A value before or after, never so long that it hides the next."""
    text = "nothing" if value is None else setting(value)
    if len(text) <= MOST_VALUE:
        return text
    return f"{text[:MOST_VALUE]}⟨{len(text) - MOST_VALUE:,} more characters⟩"


def _frozen(approval: Mapping[str, Any]) -> Iterator[Field]:
    """What stops it for now, and who let it go on all the same."""
    lines = [
        f"{show(', '.join(each['resources']))} by {show(each['id'])} until {moment(each['until'])}: {show(each['reason'])}"
        for each in approval.get("frozen") or ()
    ]
    if lines:
        could = ", ".join(name_of(each) for each in approval.get("could_override") or ()) or "nobody"
        lines.append(f"could let it go on (`override {approval['id']} because …`): {could}")
        yield Field(label="FROZEN", value="\n".join(lines))
    override = approval.get("override")
    if override:
        told = f"{name_of(override['by'])} at {moment(override['at'])}: {show(override['reason'] or '')}"
        yield Field(label="FREEZE OVERRIDDEN", value=told)


def _needed(approval: Mapping[str, Any]) -> str:
    """`1 of 2 of sre (Bo Lind); 0 of 1 of security`; that nobody is asked, under a policy that allows."""
    names = {
        each["by"]["id"]: each["by"] for each in approval.get("decisions") or () if isinstance(each["by"], Mapping)
    }
    parts = []
    for each in approval.get("requirements") or ():
        by = ", ".join(name_of(names.get(person, person)) for person in each.get("by") or ())
        whose = f"of {show(each['group'])}" if each.get("group") else show(str(each.get("person")))
        parts.append(f"{each['have']} of {each['count']} {whose}{f' ({by})' if by else ''}")
    policy = show(str(approval["policy"]))
    if approval.get("glass"):
        return f"nobody now, by break-glass; policy {policy} asks for {'; '.join(parts)}"
    nobody = (
        f"nobody: policy {policy} allows it" if approval.get("allow") else f"policy {policy} is no longer configured"
    )
    return "; ".join(parts) or nobody


def _again(approval: Mapping[str, Any]) -> Iterator[Field]:
    """By which grant it was approved, and what may run again without being asked for."""
    used = approval.get("by_grant")
    if used:
        by = ", ".join(name_of(each) for each in used["by"])
        yield Field(label="BY GRANT", value=f"{used['id']}, chosen on {used['approval']} by {by}")
    lines = [_granted(each) for each in approval.get("grants") or ()]
    lines += [
        f"{speaker(each)} also allows the same {_times(each['grant']['times'])} within "
        f"{show_duration(each['grant']['seconds'])}"
        for each in approval.get("decisions") or ()
        if each.get("grant") and not lines
    ]
    if not lines and approval.get("grant_offered"):
        lines.append(f"`grant {approval['id']} for 30m times 3` approves it, and allows the same 3 times within 30m")
    if lines:
        yield Field(label="The same again", value="\n".join(lines))


def _granted(grant: Mapping[str, Any]) -> str:
    ended = f"ended: {show(grant['ended'])}" if grant.get("ended") else f"until {moment(grant['until'])}"
    return f"{grant['id']}: {grant['used']} of {_times(grant['times'])}, {ended}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _who(approval: Mapping[str, Any]) -> Iterator[Field]:
    """Who could decide now, what rejects it, and who may end it alone; the first few names, `who` has all."""
    if approval["state"] != State.REVIEWING:
        return
    could = [name_of(each) for each in approval.get("could") or ()]
    could += [speaker(each) for each in approval.get("delegations") or ()]
    lines = [f"{', '.join(could)}; `who {approval['id']}` says more"] if could else []
    rejections = approval.get("rejections") or {}
    if int(rejections.get("count") or 1) > 1:
        lines.append(f"{rejections['have']} of the {rejections['count']} rejections that end it")
    if approval.get("veto"):
        lines.append(f"each of {show(', '.join(approval['veto']))} may reject alone")
    if lines:
        yield Field(label="Who", value="\n".join(lines))


def _decided(approval: Mapping[str, Any]) -> Iterator[Field]:
    """Who decided, where, when and why."""
    words = {"approve": "approved", "reject": "rejected", "request-changes": "asked for changes"}
    lines = []
    for each in approval.get("decisions") or ():
        who = speaker(each)
        verdict = words.get(each["verdict"], each["verdict"])
        line = f"{who} {verdict} in {show(each['channel'])} ({each['assurance']}) at {moment(each['at'])}"
        lines.append(line + (f": {show(each['comment'])}" if each.get("comment") else ""))
    if lines:
        yield Field(label="Decided", value="\n".join(lines))


def _checks(approval: Mapping[str, Any]) -> Iterator[Field]:
    """The checks that failed; those that passed are counted in one line."""
    results = approval.get("validation") or ()
    passed = [each for each in results if each.get("exit") == 0]
    for each in results:
        if each.get("exit") != 0:
            output = show(each.get("output") or "", multiline=True)
            told = f"{command_line(each['command'])}\nexit {each.get('exit')}\n{output}"
            yield Field(label="Check failed", value=told.rstrip(), code=True)
    if passed:
        yield Field(label="Checks", value=f"{len(passed)} of {len(results)} passed")


def _waiting(approval: Mapping[str, Any]) -> Iterator[Field]:
    lines = []
    for each in approval.get("waiting_for") or ():
        held = each.get("held_by") or ()
        holders = held if isinstance(held, list | tuple) else (held,)
        by = ", ".join(_holder(holder) for holder in holders)
        lines.append(f"{show(each['resource'])}, place {each['position']}{f', held by {by}' if by else ''}")
    if lines:
        yield Field(label="Waits for", value="\n".join(lines))


def _holder(holder: Any) -> str:
    if not isinstance(holder, Mapping):
        return show(str(holder))
    text = name_of(holder.get("principal") or holder.get("holder") or holder)
    if holder.get("expires_at"):
        text += f" until {moment(holder['expires_at'])}"
    return f"{text} ({show(holder['purpose'])})" if holder.get("purpose") else text


def _run(approval: Mapping[str, Any]) -> Iterator[Field]:
    for key, label, said in (("run", "Run", "Output"), ("rollback_run", "Rollback", "Rollback output")):
        run = approval.get(key)
        if not run:
            continue
        ended = f", exit {run['exit']}" if run.get("exit") is not None else ""
        why = f" ({show(run['why'])})" if run.get("why") else ""
        yield Field(label=label, value=f"{run['id']} {str(run['state']).lower()}{ended}{why}")
        yield from _work(run.get("work") or {})
        if run.get("output_tail"):
            yield Field(label=said, value=show(run["output_tail"], multiline=True), code=True)
    yield from _rollback(approval.get("rollback") or {})


def _work(work: Mapping[str, Any]) -> Iterator[Field]:
    """Which agent carries it out, and what it says of it, which is its claim."""
    if not work or (work["state"] == "ended" and not work["agent"]):
        return
    labels = ", ".join(work["labels"]) or "any labels"
    yield Field(label="Agent", value=show(work["agent"] or f"none yet; it waits for one with {labels}"))
    said = work["claims"]
    lines = [show(said["progress"])] if said["progress"] else []
    lines += [show(" ".join(str(each[key]) for key in ("name", "url") if each.get(key))) for each in said["artifacts"]]
    if lines:
        yield Field(label=f"{show(str(work['agent']))} says", value="\n".join(lines))


def _rollback(rollback: Mapping[str, Any]) -> Iterator[Field]:
    """What a rollback would do, and who wants it so far."""
    preview = rollback.get("preview")
    if preview:
        yield Field(label="A rollback would", value=show(preview.get("output") or "", multiline=True), code=True)
    if rollback.get("by"):
        wanted = ", ".join(
            show(each["person"]) + (f": {show(each['comment'])}" if each.get("comment") else "")
            for each in rollback["by"]
        )
        missing = ", ".join(
            f"{each['count']} of {each.get('group') or each.get('person')}" for each in rollback["missing"]
        )
        still = f"; still needed: {show(missing)}" if missing and not rollback.get("asked_at") else ""
        yield Field(label="Rollback wanted by", value=f"{wanted}{still}")


def _preview(approval: Mapping[str, Any], url: str, limit: int) -> str | None:
    preview = approval.get("preview")
    if not preview:
        return None
    whole = show(preview.get("output") or "", multiline=True)
    if preview.get("exit"):
        whole = f"(the preview ended with exit {preview['exit']})\n{whole}"
    if len(whole) <= limit:
        return whole
    return f"{whole[:limit]}\n⟨{len(whole) - limit:,} more characters are not shown here; all of it: {url}⟩"


def _footer(approval: Mapping[str, Any]) -> str:
    parts = [f"asked by {name_of(approval['requester'])}"]
    if approval.get("requirements"):
        parts.append(_needed(approval))
    parts.append(f"revision {approval['revision']}")
    if approval.get("digest"):
        parts.append(f"digest {approval['digest'][:12]}")
    return " · ".join(parts)
