"""`lease acquire|release|list|run`: the right to resources, for scripts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from config.cli.exits import Exit, Failure
from config.cli.options import AsJson, DataPath, settings
from config.cli.output import answer, progress
from core.errors import Invalid

app = typer.Typer(help="Hold resources, so that nobody else changes them meanwhile.", no_args_is_help=True)

Resources = Annotated[str, typer.Argument(metavar="RES[,RES]", help="Such as env:prod or repo:web/src.")]
Ttl = Annotated[float, typer.Option(help="Seconds after which it ends without a heartbeat.")]
Wait = Annotated[float, typer.Option(help="Seconds to wait for it when it is held.")]
Shared = Annotated[bool, typer.Option("--shared", help="Together with other shared leases.")]
Purpose = Annotated[str | None, typer.Option("--purpose", "--because", "-b", help="What for; others will see it.")]


@app.command()
def acquire(
    resources: Resources,
    ttl: Ttl = 300.0,
    wait: Wait = 0.0,
    purpose: Purpose = None,
    shared: Shared = False,
    data: DataPath = None,
    as_json: AsJson = False,
) -> None:
    """Take resources, all or none; prints lock id and token. Nothing renews it: it lives for its ttl."""
    from config.cli.holding import ended_by_signals
    from config.cli.programs import failing, whereabouts
    from hub.client.acquiring import Acquiring, Want
    from hub.client.address import address_of
    from hub.client.client import PATIENCE_SECONDS
    from hub.client.exchange import drive

    chosen = settings(data=data)
    want = Want(
        resources=_names(resources),
        wait=wait,
        ttl=ttl,
        mode="shared" if shared else "exclusive",
        purpose=purpose,
        on_place=_Place(),
    )
    acquiring = Acquiring(want, PATIENCE_SECONDS if wait else 0.0)
    with failing(chosen), ended_by_signals(), address_of(**whereabouts(chosen)).connect() as http:
        try:
            lease = drive(acquiring.run(), http)
        except (KeyboardInterrupt, SystemExit):
            drive(acquiring.undo(), http)
            raise
    answer(f"{lease.lock_id} {lease.token}", lease.raw, as_json=as_json)


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
        f"{each['lock_id']:<6} {', '.join(each['resources'])}  {each['principal']}  "
        + (f"until {each['expires_at']}" if each["expires_at"] else "closed: how its run ended is unknown")
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
    shared: Shared = False,
    max_hold: Annotated[float | None, typer.Option(help="Seconds after which it ends in spite of heartbeats.")] = None,
    data: DataPath = None,
    as_json: Annotated[bool, typer.Option("--json", help="Problems as JSON; the output is the command's.")] = False,
) -> None:
    """Hold resources around a command; the command gets the token as INTERLOCK_FENCE, and dies with the lease.

    Exits with the command's status, 128 + n when signal n ended it. Otherwise: 2 no such command, 3 held or refused,
    5 not free in time, 6 the lease was lost and the command killed, 8 no hub.
    """
    from config.cli.holding import ended_by_signals, hold_around
    from config.cli.programs import failing, whereabouts
    from hub.client.client import PATIENCE_SECONDS, Client

    chosen = settings(data=data)
    with (
        failing(chosen),
        ended_by_signals(),
        Client(**whereabouts(chosen), patience=PATIENCE_SECONDS if wait else 0.0) as client,
        client.lease(
            *_names(resources),
            wait=wait,
            ttl=ttl,
            shared=shared,
            max_hold=max_hold,
            purpose=purpose or " ".join(command)[:200],
            on_place=_Place(),
        ) as lease,
    ):
        status = hold_around(command, lease, chosen.environ)
    raise typer.Exit(status)


def _names(resources: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in resources.split(",") if each.strip())


class _Place:
    """Says on stderr where the request stands, each time that has changed."""

    def __init__(self) -> None:
        self._said: object = None

    def __call__(self, ticket: Mapping[str, Any]) -> None:
        from core.clock import show_duration

        position = ticket.get("position")
        if ticket["state"] == "waiting" and position != self._said:
            self._said = position
            expected = ticket.get("expected_seconds")
            about = f", about {show_duration(max(60, round(expected / 60) * 60))}" if expected else ""
            progress(f"{ticket['ticket']} waits; place {position}{about}")


@app.command("check-history")
def check_history(
    file: Annotated[Path, typer.Argument(help="A log that `audit export` wrote.")],
    as_json: AsJson = False,
) -> None:
    """Check that no two leases in a log ever conflicted, and that tokens only grew; exit 1 on anything that cannot be."""
    from core.leases.history import check, read_export

    try:
        with file.open("rb") as lines:
            history = check(read_export(lines))
    except OSError as error:
        raise Failure("unreadable", f"{file} cannot be read: {error.strerror}", Exit.USAGE) from None
    except Invalid as error:
        raise Failure(error.code, f"{file}: {error.message}", Exit.USAGE) from None
    found = [f"entry {each.seq}: {each.text}" for each in history.findings]
    said = found or [f"{history.entries} entries of leases, {history.grants} grants: nothing that cannot be"]
    findings = [{"code": each.code, "seq": each.seq, "text": each.text} for each in history.findings]
    data = {"entries": history.entries, "grants": history.grants, "findings": findings}
    answer("\n".join(said), data, as_json=as_json)
    if findings:
        raise typer.Exit(Exit.PROBLEM)
