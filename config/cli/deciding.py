"""`show`, `approve`, `reject`, `queue`, `who`, `stop`, `resume`: what people do with requests."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from config.cli.asking import finish
from config.cli.exits import Exit, Failure
from config.cli.options import AsJson, Because, DataPath, settings
from config.cli.output import answer, progress

ApprovalId = Annotated[str, typer.Argument(metavar="A142", help="The id of a request.")]
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
    approval: ApprovalId,
    because: Because = None,
    yes: Yes = False,
    digest: Digest = None,
    data: DataPath = None,
    as_json: AsJson = False,
) -> None:
    """Agree to a request, after looking at it."""
    _decide("approve", approval, because, yes=yes, digest=digest, data=data, as_json=as_json)


def reject(
    approval: ApprovalId,
    because: Because = None,
    yes: Yes = False,
    digest: Digest = None,
    data: DataPath = None,
    as_json: AsJson = False,
) -> None:
    """Refuse a request."""
    _decide("reject", approval, because, yes=yes, digest=digest, data=data, as_json=as_json)


def _decide(
    verdict: str, approval: str, because: str | None, *, yes: bool, digest: str | None, data: Any, as_json: bool
) -> None:
    """Send the verdict on exactly the revision that was shown (P2)."""
    from config.cli.client import Client
    from config.cli.picture import card

    with Client(settings(data=data)) as client:
        seen: Mapping[str, Any] = client.get(f"/v1/approvals/{approval}")
        if digest is None:
            progress(card(seen))
            if seen.get("digest") is None:
                raise Failure("not_in_review", f"{seen['id']} is {seen['state']}; there is nothing to decide yet")
            if not yes:
                _confirm(verdict, seen)
            digest = str(seen["digest"])
        after = client.post(f"/v1/approvals/{approval}/{verdict}", {"digest": digest, "comment": because})
    answer(f"{after['id']} is {after['state']}", after, as_json=as_json)


def _confirm(verdict: str, seen: Mapping[str, Any]) -> None:
    if not sys.stdin.isatty():
        raise Failure("not_confirmed", f"nobody is there to ask; add --yes to {verdict} what is shown", Exit.USAGE)
    progress("")
    if not typer.confirm(f"{verdict.capitalize()} {seen['id']}?", err=True):
        raise Failure("not_confirmed", f"{seen['id']} is as it was")


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
