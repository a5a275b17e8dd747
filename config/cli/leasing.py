"""`lease acquire|release|list|run`: the right to resources, for scripts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from config.cli.exits import Exit, Failure
from config.cli.options import AsJson, DataPath, settings
from config.cli.output import answer, progress

if TYPE_CHECKING:
    from config.cli.client import Client

app = typer.Typer(help="Hold resources, so that nobody else changes them meanwhile.", no_args_is_help=True)

Resources = Annotated[str, typer.Argument(metavar="RES[,RES]", help="Such as env:prod or repo:web/src.")]
Ttl = Annotated[float, typer.Option(help="Seconds after which it ends without a heartbeat.")]
Wait = Annotated[float, typer.Option(help="Seconds to wait for it when it is held.")]
Purpose = Annotated[str | None, typer.Option("--purpose", "--because", "-b", help="What for; others will see it.")]

_POLL_SECONDS = 25


@app.command()
def acquire(
    resources: Resources,
    ttl: Ttl = 300.0,
    wait: Wait = 0.0,
    purpose: Purpose = None,
    shared: Annotated[bool, typer.Option("--shared", help="Together with other shared leases.")] = False,
    data: DataPath = None,
    as_json: AsJson = False,
) -> None:
    """Take resources, all or none; prints lock id and token."""
    from config.cli.client import Client

    with Client(settings(data=data)) as client:
        lease = take(client, resources, ttl=ttl, wait=wait, purpose=purpose, mode="shared" if shared else "exclusive")
    answer(f"{lease['lock_id']} {lease['token']}", lease, as_json=as_json)


@app.command()
def release(
    lock_id: Annotated[str, typer.Argument(metavar="L7")],
    token: Annotated[int, typer.Argument(help="What acquire printed.")],
    data: DataPath = None,
    as_json: AsJson = False,
) -> None:
    """Give resources back."""
    from config.cli.client import Client

    with Client(settings(data=data)) as client:
        released = client.post(f"/v1/leases/{lock_id}/release", {"token": token})
    answer(f"{lock_id} is released", released, as_json=as_json)


@app.command("list")
def list_leases(data: DataPath = None, as_json: AsJson = False) -> None:
    """List what is held, and by whom."""
    from config.cli.client import Client

    with Client(settings(data=data)) as client:
        found = client.get("/v1/leases")
    lines = [
        f"{each['lock_id']:<6} {', '.join(each['resources'])}  {each['holder']}  until {each['expires_at']}"
        + (f"  {each['purpose']}" if each.get("purpose") else "")
        for each in found["items"]
    ]
    answer("\n".join(lines) or "nothing is held", found, as_json=as_json)


@app.command()
def run(
    resources: Resources,
    command: Annotated[list[str], typer.Argument(help="-- and the command to run while holding them.")],
    ttl: Ttl = 30.0,
    wait: Wait = 0.0,
    purpose: Purpose = None,
    data: DataPath = None,
    as_json: Annotated[bool, typer.Option("--json", help="Problems as JSON; the output is the command's.")] = False,
) -> None:
    """Hold resources around a command; the command gets the token as INTERLOCK_FENCE, and dies with the lease."""
    from config.cli.client import Client
    from config.cli.holding import hold_around

    chosen = settings(data=data)
    with Client(chosen) as client:
        lease = take(client, resources, ttl=ttl, wait=wait, purpose=purpose or " ".join(command)[:200])
        status = hold_around(command, lease, client=client, heart=lambda: Client(chosen), environ=chosen.environ)
    raise typer.Exit(status)


def take(
    client: Client,
    resources: str,
    *,
    ttl: float,
    wait: float,
    purpose: str | None,
    mode: str = "exclusive",
) -> Mapping[str, Any]:
    """A granted lease. Raises Failure: 3 when it is held or refused, 5 when the wait was in vain."""
    import secrets

    body = {
        "resources": [each.strip() for each in resources.split(",") if each.strip()],
        "mode": mode,
        "ttl_seconds": ttl,
        "wait_seconds": wait,
        "purpose": purpose,
        "holder": secrets.token_hex(8),
    }
    lease: Mapping[str, Any] = client.post("/v1/leases/acquire", body, once=secrets.token_hex(16))
    if "ticket" not in lease or "lock_id" in lease:
        return lease
    try:
        return _await(client, str(lease["ticket"]), lease)
    except KeyboardInterrupt:
        _cancel(client, str(lease["ticket"]))
        raise


def _await(client: Client, ticket: str, state: Mapping[str, Any]) -> Mapping[str, Any]:
    place = None
    while True:
        if state.get("position") != place:
            place = state.get("position")
            progress(f"{ticket} waits; place {place}")
        state = client.get(f"/v1/leases/tickets/{ticket}", wait=_POLL_SECONDS)
        match state["state"]:
            case "granted":
                lease: Mapping[str, Any] = state["lease"]
                return lease
            case "waiting":
                continue
            case "refused":
                raise Failure(
                    str(state.get("code", "refused")), str(state.get("detail") or f"{ticket} was refused"), data=state
                )
            case ended:
                raise Failure(
                    "wait_over", f"{ticket} is {ended}: the resources did not become free in time", Exit.EXPIRED
                )


def _cancel(client: Client, ticket: str) -> None:
    try:
        client.delete(f"/v1/leases/tickets/{ticket}")
    except Failure as failure:
        progress(failure.message)
