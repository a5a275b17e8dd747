"""What happened to a request as people tell it: who did what, when, where and why, one line an entry. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from core.audit.entry import Entry
from core.audit.events import MEANINGS
from core.clock import from_us
from core.text import show
from core.world import World

_VERDICTS = {"approve": "approved", "reject": "rejected", "request-changes": "asked for changes to"}
_PLAIN = {
    "approval:requested": "asked for it",
    "approval:commented": "commented",
    "approval:withdrawn": "took it back",
    "approval:reminded": "reminded whoever has not decided",
    "approval:escalated": "asked more people",
    "apply:offered": "offers the run to an agent",
    "apply:claimed": "took the run",
    "apply:requeued": "waits for another agent: the one that had the run was lost",
    "apply:stopped": "asked for the run to be stopped",
    "grant:used": "let a grant approve it",
    "freeze:overridden": "let it go on although what it needs is frozen",
    "rollback:finished": "it was rolled back",
}
_QUOTED = ("comment", "reason")


def line(entry: Entry, values: Mapping[str, Any], world: World, zone: ZoneInfo) -> str:
    """`Fri 2026-11-27 18:00:05  Bo Lind approved it, revision 2, in slack (chat): “fine”`, in the reader's zone."""
    at = from_us(entry.ts).astimezone(zone).strftime("%a %Y-%m-%d %H:%M:%S")
    where = f", in {show(entry.channel)}" if entry.channel else ""
    proof = f" ({entry.details['assurance']})" if entry.channel and "assurance" in entry.details else ""
    said = next((str(values[field]) for field in _QUOTED if values.get(field)), None)
    quoted = f": “{show(said)}”" if said else ""
    return f"{at}  {_name(world, entry.actor)} {_deed(entry, world)}{where}{proof}{quoted}"


def _deed(entry: Entry, world: World) -> str:
    told = _TOLD.get(entry.event)
    if told is not None:
        return told(entry.details, world)
    return _PLAIN.get(entry.event) or MEANINGS[entry.event].rstrip(".").lower()


def _name(world: World, principal: str | None) -> str:
    found = world.people.find(principal or "")
    return (
        show(found.name) if found is not None else "Interlock" if principal in (None, "hub") else show(str(principal))
    )


def _decided(details: Mapping[str, Any], world: World) -> str:
    whom = details.get("on_behalf_of")
    spoken = f" for {_name(world, whom)}" if whom else ""
    return f"{_VERDICTS.get(details['verdict'], details['verdict'])} it{spoken}, revision {details['revision']}"


def _submitted(details: Mapping[str, Any], world: World) -> str:
    if details["state"] == "REVIEWING":
        return f"checked it: it waits for decisions under policy {details.get('policy')}"
    return "handed it in" + (f", revision {details['revision']}" if details.get("revision", 1) > 1 else "")


def _approved(details: Mapping[str, Any], world: World) -> str:
    ground = details.get("ground", {})
    people = [_name(world, vote["by"]) for vote in ground.get("votes", ()) if vote.get("verdict") == "approve"]
    by = {"grant": f"by grant {ground.get('grant')}", "glass": "by break-glass, with nobody asked"}
    how = by.get(ground.get("kind", ""), f"by {', '.join(people)}" if people else "with nobody asked")
    return f"made it approved, {how}"


def _because(words: str) -> Callable[[Mapping[str, Any], World], str]:
    def told(details: Mapping[str, Any], world: World) -> str:
        why = details.get("why") or ", ".join(details.get("changed", ()))
        return f"{words} ({show(str(why))})" if why else words

    return told


def _run(words: str) -> Callable[[Mapping[str, Any], World], str]:
    def told(details: Mapping[str, Any], world: World) -> str:
        run = f"run {details['run']} " if details.get("run") else "the run "
        return f"{words.format(run=run)}" + (f", exit {details['exit']}" if details.get("exit") is not None else "")

    return told


_TOLD: Mapping[str, Callable[[Mapping[str, Any], World], str]] = {
    "approval:decided": _decided,
    "approval:submitted": _submitted,
    "approval:approved": _approved,
    "approval:drafted": _because("sent it back as a draft"),
    "approval:reopened": _because("sent it back to review"),
    "approval:revised": _because("made a new revision; earlier decisions no longer count"),
    "approval:rejected": _because("ended it as rejected"),
    "approval:expired": _because("let it expire"),
    "apply:started": _run("started {run}"),
    "apply:finished": _run("saw {run}end well"),
    "apply:failed": _run("saw {run}fail"),
    "apply:unknown": _run("could not see how {run}ended"),
    "apply:resolved": _run("said how {run}ended"),
    "rollback:started": _run("started {run}to roll it back"),
    "rollback:failed": _run("saw the rollback, {run}fail"),
}
