"""An approval as text for a terminal. Everything shown is escaped: what somebody wrote cannot move the cursor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.text import show

_WIDTH = 14


def line(approval: Mapping[str, Any]) -> str:
    """One line for a list."""
    return f"{approval['id']:<6} {approval['state']:<14} {show(approval['title'])}  ({_name(approval['requester'])})"


def card(approval: Mapping[str, Any]) -> str:
    """Everything that somebody needs to see before deciding."""
    lines = [f"{approval['id']}  {show(approval['title'])}", ""]
    facts = {
        "state": approval["state"],
        "asked by": _name(approval["requester"]),
        "reason": show(approval["reason"]) if approval.get("reason") else None,
        "policy": approval.get("policy") if isinstance(approval.get("policy"), str) else None,
        "still needed": missing(approval) or None,
        "resources": ", ".join(show(each) for each in approval.get("resources") or ()) or None,
        "decide until": approval.get("review_expires_at") if approval["state"] in ("SUBMITTED", "REVIEWING") else None,
        "revision": f"{approval['revision']}, digest {approval['digest']}" if approval.get("digest") else None,
    }
    lines += [f"  {label:<{_WIDTH}}{value}" for label, value in facts.items() if value is not None]
    for name, value in (approval.get("params") or {}).items():
        lines.append(f"  {show(name):<{_WIDTH}}{show(str(value))}")
    for each in approval.get("decisions") or ():
        lines.append(f"  {each['verdict']:<{_WIDTH}}{_name(each['by'])}{_said(each.get('comment'))}")
    lines += _output("checked", approval.get("validation") or ())
    preview = approval.get("preview")
    lines += _output("what would happen", [preview] if preview else ())
    lines += _run(approval.get("run"))
    return "\n".join(lines)


def missing(approval: Mapping[str, Any]) -> str:
    """Who still has to agree, in words; empty when nobody."""
    wanted = []
    for each in approval.get("requirements") or ():
        left = each["count"] - each["have"]
        if left > 0:
            wanted.append(f"{left} of {each['group']}" if each.get("group") else str(each.get("person")))
    return ", ".join(wanted)


def tail(approval: Mapping[str, Any]) -> str:
    """The end of what the run printed."""
    run = approval.get("run") or {}
    return str(show(run["output_tail"], multiline=True)) if run.get("output_tail") else ""


def _output(title: str, results: Any) -> list[str]:
    lines: list[str] = []
    for each in results:
        text = str(each.get("output") or "").rstrip("\n")
        lines.append(f"\n  {title} (exit {each.get('exit')}):")
        lines += [f"    | {show(row)}" for row in text.split("\n")] if text else ["    | (no output)"]
    return lines


def _work(work: Mapping[str, Any]) -> list[str]:
    """Which agent carries it out, and what it says, which is its claim."""
    if not work:
        return []
    lines = [f"  agent         {show(work['agent'] or 'none yet')}"]
    said = work["claims"]
    lines += [f"  it says       {show(said['progress'])}"] if said["progress"] else []
    return lines + [
        f"  it made       {show(str(each['name']))}  {show(str(each.get('url', '')))}" for each in said["artifacts"]
    ]


def _run(run: Mapping[str, Any] | None) -> list[str]:
    if not run:
        return []
    lines = [f"\n  run {run['id']}: {run['state']}" + (f", exit {run['exit']}" if run.get("exit") is not None else "")]
    lines += _work(run.get("work") or {})
    text = str(run.get("output_tail") or "").rstrip("\n")
    return lines + ([f"    | {show(row)}" for row in text.split("\n")] if text else [])


def _name(principal: Any) -> str:
    if isinstance(principal, Mapping):
        return str(show(f"{principal.get('name') or principal.get('id')} ({principal.get('id')})"))
    return str(show(str(principal)))


def _said(comment: str | None) -> str:
    return f": {show(comment)}" if comment else ""
