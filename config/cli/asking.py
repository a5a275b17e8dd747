"""`ask` and `say`: request an operation and wait for it, or give any command as it would be typed in a channel."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from config.cli.exits import OF_STATE, Exit, Failure, usage
from config.cli.options import AsJson, Because, DataPath, settings
from config.cli.output import answer, progress

if TYPE_CHECKING:
    from config.cli.client import Client

_POLL_SECONDS = 30
_PATIENCE_SECONDS = 60.0
"""How long a hub that went away while we wait may take to come back."""


def say(
    text: Annotated[list[str], typer.Argument(help='A command: "approve A142", "queue", "deploy web v1.2.0 prod".')],
    data: DataPath = None,
    as_json: AsJson = False,
) -> None:
    """Give one command, as it is typed in every channel."""
    from config.cli.client import Client

    with Client(settings(data=data)) as client:
        reply = client.say(" ".join(text))
    finish(reply, as_json=as_json)


def finish(reply: Mapping[str, Any], *, as_json: bool) -> None:
    """Print a Reply; a refusal ends the command with its exit code."""
    if reply.get("ok"):
        url = (reply.get("card") or {}).get("url")
        if url:
            progress(str(url))
        answer(str(reply.get("text", "")), reply, as_json=as_json)
        return
    data = {name: value for name, value in reply.items() if name not in ("ok", "code", "text")}
    raise Failure(str(reply.get("code") or "refused"), str(reply.get("text", "refused")), Exit.REFUSED, data=data)


def ask(
    action: Annotated[str, typer.Argument(help="An action of hub.yaml.")],
    params: Annotated[list[str] | None, typer.Argument(help="Its parameters, as name=value.")] = None,
    because: Because = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds to wait; it goes on without you after that.")] = None,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Only request it.")] = False,
    data: DataPath = None,
    as_json: AsJson = False,
) -> None:
    """Request an operation and wait until it has run, or will not."""
    import secrets

    from config.cli.client import Client

    body = {"action": action, "params": _params(params or []), "reason": because}
    with Client(settings(data=data)) as client:
        approval = client.post("/v1/approvals", body, once=secrets.token_hex(16))
        progress(f"{approval['id']} requested: {approval['title']}")
        if approval.get("url"):
            progress(f"{approval['id']} on the page: {approval['url']}")
        if no_wait:
            answer(approval["id"], approval, as_json=as_json)
            return
        try:
            approval = _wait(client, approval, timeout)
        except KeyboardInterrupt:
            progress(
                f"\n{approval['id']} goes on without you. See it: interlock show {approval['id']}   "
                f"Take it back: interlock say withdraw {approval['id']}"
            )
            raise
    conclude(approval, as_json=as_json)


def _params(words: list[str]) -> dict[str, str]:
    params: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise usage(f"{word!r} is no parameter; write name=value, as in service=web")
        if name in params:
            raise usage(f"{name} is given twice")
        params[name] = value
    return params


def _wait(client: Client, approval: dict[str, Any], timeout: float | None) -> dict[str, Any]:
    """The approval once it has ended. Raises Failure (`timed_out`, exit 5)."""
    deadline = None if timeout is None else time.monotonic() + timeout
    told = ""
    while True:
        told = _tell(approval, told)
        if approval["state"] in OF_STATE or _needs_its_requester(approval):
            return approval
        left = _POLL_SECONDS if deadline is None else min(_POLL_SECONDS, deadline - time.monotonic())
        if left <= 0:
            raise Failure(
                "timed_out",
                f"{approval['id']} is {approval['state']} after {timeout:g} s and goes on; "
                f"see it with: interlock show {approval['id']}",
                Exit.EXPIRED,
                data={"approval": approval},
            )
        approval = _next(client, approval, left)


def _next(client: Client, approval: dict[str, Any], seconds: float) -> dict[str, Any]:
    """The approval when it changed, or as it is after `seconds`; a hub that starts again is waited for.

    Raises Failure (exit 8) when it does not come back.
    """
    tag = f"{approval['id'][1:]}-{approval['version']}"
    gone_at: float | None = None
    while True:
        try:
            changed: dict[str, Any] = client.get(
                f"/v1/approvals/{approval['id']}/wait", after=tag, until="change", timeout=seconds
            )
            return changed
        except Failure as failure:
            now = time.monotonic()
            if gone_at is None and failure.exit is Exit.UNREACHABLE:
                progress(f"{failure.message}; waiting for it to come back")
                gone_at = now
            if gone_at is None or failure.exit is not Exit.UNREACHABLE or now - gone_at > _PATIENCE_SECONDS:
                raise
            time.sleep(0.5)


def _needs_its_requester(approval: Mapping[str, Any]) -> bool:
    """Whether nobody but the requester can carry it on: it was sent back."""
    return str(approval["state"]) == "DRAFT"


def _tell(approval: Mapping[str, Any], told: str) -> str:
    from config.cli.picture import missing

    state = approval["state"]
    words = {
        "SUBMITTED": "being checked",
        "REVIEWING": f"waits for {missing(approval) or 'a decision'}",
        "APPROVED": "approved; not yet done"
        if not approval.get("waiting_for")
        else "approved; waits for its resources",
        "APPLYING": "running",
        "DRAFT": "was sent back to you",
    }.get(state, state.lower().replace("_", " "))
    if approval.get("start") == "manual" and state == "APPROVED":
        words = f"approved; start it with: interlock say apply {approval['id']}"
    line = f"{approval['id']} {words}"
    if line != told:
        progress(line)
    return line


def conclude(approval: Mapping[str, Any], *, as_json: bool) -> None:
    """Print how a request ended, and end with its exit code."""
    from config.cli.picture import card, tail

    if approval["state"] == "DRAFT":
        reason = approval.get("why") or "it was sent back"
        answer(card(approval), approval, as_json=as_json)
        raise Failure(
            "sent_back", f"{approval['id']} was not accepted as it is ({reason}); change it and submit it again"
        )
    answer(tail(approval).rstrip("\n"), approval, as_json=as_json)
    code = OF_STATE[approval["state"]]
    if code is not Exit.DONE:
        why = f": {approval['why']}" if approval.get("why") else ""
        progress(f"{approval['id']} ended {approval['state']}{why}")
        raise typer.Exit(code)
