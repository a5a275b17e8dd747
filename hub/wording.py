"""An approval in words: names, times, values and the one sentence that says where it stands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from core.approvals.states import State
from core.text import show

_PLAIN = re.compile(r"[\w.:/@+-]+", re.ASCII)
_ANOTHER = re.compile(r"true|false|null|[+-]?[\d.]+(?:[eE][+-]?\d+)?")
"""A plain text that could be taken for a value of another type; versions like 1.2.3 cannot."""

_VERSION = re.compile(r"\d+(?:\.\d+){2,}")


def name_of(principal: Any) -> str:
    """The name of a principal, as JSON gives it (`{id, kind, name}`, or an id alone)."""
    if isinstance(principal, Mapping):
        return show(str(principal.get("name") or principal.get("id") or "somebody"))
    return show(str(principal))


def speaker(decision: Mapping[str, Any]) -> str:
    """Who decided, and for whom: `Bo Lind for Ana Ruiz`."""
    whose = decision.get("on_behalf_of")
    return name_of(decision["by"]) + (f" for {name_of(whose)}" if whose else "")


def moment(at: str) -> str:
    """`2026-01-01 14:05 UTC` of an RFC 3339 time in UTC."""
    return datetime.fromisoformat(at).strftime("%Y-%m-%d %H:%M UTC")


def setting(value: Any) -> str:
    """A parameter's value so that it cannot look like another one: plain where that is certain, else as JSON."""
    if (
        isinstance(value, str)
        and _PLAIN.fullmatch(value)
        and (_VERSION.fullmatch(value) or not _ANOTHER.fullmatch(value))
    ):
        return value
    return show(orjson.dumps(value).decode())


def command_line(operation: Any) -> str:
    """A bound operation as one line: an argument list quoted as a shell would need it, or `POST https://…`."""
    if isinstance(operation, Mapping):
        if "command" in operation:
            return command_line(operation["command"])
        if "agent" in operation:
            return show(f"an agent with {', '.join(operation['agent']['labels']) or 'any labels'}")
        call = operation.get("http") or operation
        body = f" {orjson.dumps(call['body']).decode()}" if call.get("body") is not None else ""
        return show(f"{call.get('method', 'POST')} {call.get('url')}{body}")
    if isinstance(operation, Sequence) and not isinstance(operation, str):
        return show(shlex.join(str(each) for each in operation))
    return show(str(operation))


def summary_of(approval: Mapping[str, Any], *, over: bool = False) -> str:
    """One plain sentence: what is asked, or what happened. An approved request is never called done."""
    glass = approval.get("glass")
    mark = f"BREAK-GLASS by {name_of(glass['by'])}, with nobody asked. " if glass else ""
    return mark + _standing(approval, over)


def _standing(approval: Mapping[str, Any], over: bool) -> str:
    match State(approval["state"]):
        case State.DRAFT:
            why = approval.get("why")
            if why and approval.get("frozen"):
                return f"Kept as a draft: {show(str(why))}, or `submit {approval['id']}` once it is over."
            return _sent_back(approval) if why else "A draft; nobody has been asked yet."
        case State.SUBMITTED:
            return "Being checked; nobody has been asked yet."
        case State.REVIEWING:
            return _reviewing(approval, over)
        case State.APPROVED:
            return _approved(approval, over)
        case State.APPLYING:
            return f"Approved by {_approvers(approval)}; running now."
        case State.COMPLETED:
            return f"Done: approved by {_approvers(approval)}, and the operation ended well."
        case State.FAILED:
            return f"Approved by {_approvers(approval)}, and the operation failed{_exit(approval)}."
        case State.UNKNOWN:
            return (
                f"Nobody can know how it ended, so what it locks stays closed. Look, then say "
                f"`resolve {approval['id']} completed|failed because …`."
            )
        case State.REJECTED:
            return f"Rejected{_last(approval, 'reject')}; nothing ran."
        case State.WITHDRAWN:
            return "Taken back; nothing ran."
        case State.EXPIRED:
            why = approval.get("why")
            return f"Expired{f': {show(str(why))}' if why else ''}; nothing ran."
        case State.ROLLING_BACK:
            return "Being rolled back now; what it locks stays locked until then."
        case State.ROLLED_BACK:
            return "Rolled back."
        case State.ROLLBACK_FAILED:
            return "The rollback failed; somebody has to look."


def _sent_back(approval: Mapping[str, Any]) -> str:
    """Why it is a draft again, and what its requester can do."""
    name = show(str(approval["id"]))
    said = [each for each in approval.get("decisions") or () if each["verdict"] == "request-changes"]
    comment = f" ({show(said[-1]['comment'])})" if said and said[-1].get("comment") else ""
    why = show(str(approval["why"]))
    return f"Sent back: {why}{comment}. Change it with `edit {name} key=value`, then `submit {name}`."


def _reviewing(approval: Mapping[str, Any], over: bool) -> str:
    asker = name_of(approval["requester"])
    if over:
        return f"{asker} asked; the time to decide is over."
    missing = []
    for each in approval.get("requirements") or ():
        lacking = int(each["count"]) - int(each["have"])
        if lacking > 0:
            missing.append(
                f"{lacking} of {show(each['group'])}" if each.get("group") else show(str(each.get("person")))
            )
    needs = f"{asker} asks; it needs {' and '.join(missing) or 'one more decision'}"
    return f"{needs}; {_frozen(approval)}, so nobody can approve it yet." if approval.get("frozen") else f"{needs}."


def _frozen(approval: Mapping[str, Any]) -> str:
    """What the freeze that lasts longest freezes, and until when."""
    last = max(approval["frozen"], key=lambda each: str(each["until"]))
    return f"{show(', '.join(last['resources']))} is frozen by {show(last['id'])} until {moment(last['until'])}"


def _approved(approval: Mapping[str, Any], over: bool) -> str:
    by = f"Approved by {_approvers(approval)}"
    if over:
        return f"{by}, but the time to start it is over; it has not run."
    if approval.get("frozen"):
        return f"{by}; {_frozen(approval)}, so it has not run yet."
    if approval.get("waiting_for"):
        first = approval["waiting_for"][0]
        return f"{by}; it waits for {show(first['resource'])} and has not run yet."
    if approval.get("start") == "manual" and not approval.get("apply_asked_at"):
        return f"{by}; it waits for somebody to start it and has not run yet."
    if approval.get("hold_until"):
        return f"{by}; it can be stopped until {moment(approval['hold_until'])} and has not run yet."
    return f"{by}; it is about to start and has not run yet."


def _approvers(approval: Mapping[str, Any]) -> str:
    """Who approved, and where."""
    said = [each for each in approval.get("decisions") or () if each["verdict"] == "approve"]
    used = approval.get("by_grant")
    if used:
        by = ", ".join(name_of(each) for each in used["by"])
        return f"grant {used['id']}, which {by} chose on {used['approval']}"
    if approval.get("glass"):
        return "nobody"
    if not said:
        return f"policy {show(str(approval['policy']))}"
    return ", ".join(f"{speaker(each)} in {show(each['channel'])}" for each in said)


def _last(approval: Mapping[str, Any], verdict: str) -> str:
    said = [each for each in approval.get("decisions") or () if each["verdict"] == verdict]
    if not said:
        return f" ({show(str(approval['why']))})" if approval.get("why") else ""
    why = f": {show(said[-1]['comment'])}" if said[-1].get("comment") else ""
    return f" by {speaker(said[-1])} in {show(said[-1]['channel'])}{why}"


def _exit(approval: Mapping[str, Any]) -> str:
    run = approval.get("run") or {}
    return f" with exit {run['exit']}" if run.get("exit") is not None else ""
