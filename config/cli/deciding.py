"""`show`, `approve`, `reject`, `queue`, `who`, `stop`, `resume`: what people do with requests."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from config.cli.asking import finish
from config.cli.exits import Exit, Failure
from config.cli.options import AsJson, Because, DataPath, settings
from config.cli.output import answer, progress
from config.cli.picking import Chosen

ApprovalId = Annotated[str, typer.Argument(metavar="A142", help="The id of a request.")]
ApprovalIds = Annotated[
    list[str] | None, typer.Argument(metavar="[A142…]", help="The ids of requests.", show_default=False)
]
From = Annotated[str | None, typer.Option("--from", help="All that wait for you from this requester.")]
ForAction = Annotated[str | None, typer.Option("--action", help="All that wait for you for this action.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be decided on, and decide nothing.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask: decide on what is shown now.")]
Digest = Annotated[
    str | None, typer.Option(help="Decide only if this is still its digest; nothing is asked.", show_default=False)
]


def show(approval: ApprovalId, data: DataPath = None, as_json: AsJson = False) -> None:
    """Show one request: what it would do, who agreed, how it went."""
    from config.cli.client import Client
    from config.cli.picture import card

    with Client(settings(data=data)) as client:
        found = client.get(f"/v1/approvals/{approval}")
    answer(card(found), found, as_json=as_json)


def approve(
    approvals: ApprovalIds = None,
    because: Because = None,
    yes: Yes = False,
    digest: Digest = None,
    requester: From = None,
    action: ForAction = None,
    dry_run: DryRun = False,
    data: DataPath = None,
    as_json: AsJson = False,
) -> None:
    """Agree to requests, after looking at them: by their ids, or all that wait for you from somebody or for an action."""
    named = Chosen(ids=tuple(approvals or ()), requester=requester, action=action, digest=digest)
    _decide("approve", named, because, yes=yes, dry_run=dry_run, data=data, as_json=as_json)


def reject(
    approvals: ApprovalIds = None,
    because: Because = None,
    yes: Yes = False,
    digest: Digest = None,
    requester: From = None,
    action: ForAction = None,
    dry_run: DryRun = False,
    data: DataPath = None,
    as_json: AsJson = False,
) -> None:
    """Refuse requests: by their ids, or all that wait for you from somebody or for an action."""
    named = Chosen(ids=tuple(approvals or ()), requester=requester, action=action, digest=digest)
    _decide("reject", named, because, yes=yes, dry_run=dry_run, data=data, as_json=as_json)


def _decide(
    verdict: str, named: Chosen, because: str | None, *, yes: bool, dry_run: bool, data: Any, as_json: bool
) -> None:
    """Send the verdict on exactly the revisions that were shown (P2), each decided for itself."""
    from config.cli.client import Client
    from config.cli.picture import card

    with Client(settings(data=data)) as client:
        seen = named.look(client)
        if named.digest is None or dry_run:
            for each in seen:
                progress(card(each))
        if dry_run:
            names = " ".join(str(each["id"]) for each in seen)
            answer(f"would {verdict} {names or 'nothing'}", {"ok": True, "items": seen}, as_json=as_json)
            return
        for each in seen if named.digest is None else ():
            if each.get("digest") is None:
                raise Failure("not_in_review", f"{each['id']} is {each['state']}; there is nothing to decide yet")
        if named.digest is None and seen and not yes:
            _confirm(verdict, [str(each["id"]) for each in seen])
        if len(named.ids) == 1:
            digest = named.digest or str(seen[0]["digest"])
            word = {"digest": digest, "confirm": named.ids[0], "comment": because}
            after = client.post(f"/v1/approvals/{named.ids[0]}/{verdict}", word)
            answer(f"{after['id']} is {after['state']}", after, as_json=as_json)
            return
        # What was typed here are the ids that were named; those that were found were not typed.
        typed = {each.upper() for each in named.ids}
        items = [
            {"id": each["id"], "digest": each["digest"], **({"confirm": each["id"]} if each["id"] in typed else {})}
            for each in seen
        ]
        done = (
            client.post("/v1/approvals/batch", {"verdict": verdict, "items": items, "comment": because})
            if items
            else {}
        )
    _answered(done.get("items", []), as_json=as_json)


def _answered(items: list[dict[str, Any]], *, as_json: bool) -> None:
    """Say what became of each; exit 3 when one was refused."""
    lines = [f"{each['id']} is {each['state']}" if each["ok"] else f"{each['id']}: {each['detail']}" for each in items]
    ok = all(each["ok"] for each in items)
    answer("\n".join(lines) or "Nothing like that waits for you.", {"ok": ok, "items": items}, as_json=as_json)
    if not ok:
        raise typer.Exit(Exit.REFUSED)


def _confirm(verdict: str, names: list[str]) -> None:
    if not sys.stdin.isatty():
        raise Failure("not_confirmed", f"nobody is there to ask; add --yes to {verdict} what is shown", Exit.USAGE)
    progress("")
    if not typer.confirm(f"{verdict.capitalize()} {', '.join(names)}?", err=True):
        raise Failure("not_confirmed", f"{', '.join(names)}: as before")


def queue(
    which: Annotated[
        str, typer.Argument(metavar="[mine|all]", help="What waits for you, or everything open.")
    ] = "mine",
    data: DataPath = None,
    as_json: AsJson = False,
) -> None:
    """List the requests that wait."""
    _say(f"queue {which}", data, as_json=as_json)


def who(approval: ApprovalId, data: DataPath = None, as_json: AsJson = False) -> None:
    """Say what a request still needs, who could give it, and who cannot and why."""
    _say(f"who {approval}", data, as_json=as_json)


def stop(
    target: Annotated[str, typer.Argument(metavar="R9|A142|all", help="A run, a request, or everything.")],
    because: Because = None,
    data: DataPath = None,
    as_json: AsJson = False,
) -> None:
    """Stop a run or everything, now."""
    _say(f"stop {target} because {because or 'stopped from the shell'}", data, as_json=as_json)


def resume(data: DataPath = None, as_json: AsJson = False) -> None:
    """Let operations start again after `stop all`."""
    _say("resume", data, as_json=as_json)


def _say(text: str, data: Any, *, as_json: bool) -> None:
    from config.cli.client import Client

    with Client(settings(data=data)) as client:
        finish(client.say(text), as_json=as_json)
