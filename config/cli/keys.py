"""`key create|revoke|list` and `login-link`: how people, agents and services get in."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from config.cli.options import AsJson, ConfigPath, DataPath, settings
from config.cli.output import answer, progress

app = typer.Typer(help="API keys of people, agents and services.", no_args_is_help=True)


@app.command()
def create(
    principal: Annotated[str, typer.Argument(help="A person, agent or service of hub.yaml.")],
    no_decide: Annotated[bool, typer.Option("--no-decide", help="It may ask, and never decide.")] = False,
    config: ConfigPath = None,
    data: DataPath = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it, alone on the last line; it is shown this once."""
    from config.cli.desk import client_or_none

    chosen = settings(config=config, data=data)
    with client_or_none(chosen) as client:
        if client is not None:
            made: dict[str, Any] = client.post("/v1/keys", {"principal": principal, "decide": not no_decide})
        else:
            from config.offline import create_key

            key = create_key(chosen, principal, decide=not no_decide)
            made = {"key": key, "prefix": key[4:12], "principal": principal}
    progress(f"A key of {principal}. Keep it now: it is stored hashed, and cannot be shown again.")
    answer(made["key"], made, as_json=as_json)


@app.command()
def revoke(
    prefix: Annotated[str, typer.Argument(help="The key's first characters, as `key list` shows them.")],
    config: ConfigPath = None,
    data: DataPath = None,
    as_json: AsJson = False,
) -> None:
    """End a key, and every session that began with it."""
    from config.cli.desk import client_or_none

    chosen = settings(config=config, data=data)
    with client_or_none(chosen) as client:
        if client is not None:
            ended: dict[str, Any] = client.delete(f"/v1/keys/{prefix}")
        else:
            from config.offline import revoke_key

            key = revoke_key(chosen, prefix)
            ended = {"prefix": key.prefix, "principal": key.principal}
    answer(f"the key {ended['prefix']}… of {ended['principal']} is revoked", ended, as_json=as_json)


@app.command("list")
def list_keys(config: ConfigPath = None, data: DataPath = None, as_json: AsJson = False) -> None:
    """List every key, without its text."""
    from config.cli.desk import client_or_none

    chosen = settings(config=config, data=data)
    with client_or_none(chosen) as client:
        items: list[dict[str, Any]] = _offline(chosen) if client is None else _all(client)
    lines = [
        f"{each['prefix']}…  {each['principal']:<16} {'decides' if each['decide'] else 'asks':<8}"
        f" made {each['created_at']} by {each['created_by']}"
        + (f"  REVOKED {each['revoked_at']}" if each.get("revoked_at") else "")
        for each in items
    ]
    answer("\n".join(lines) or "there are no keys", {"items": items}, as_json=as_json)


def _all(client: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = client.get("/v1/keys", cursor=cursor)
        items += page["items"]
        cursor = page.get("next")
        if not cursor:
            return items


def _offline(chosen: Any) -> list[dict[str, Any]]:
    from config.offline import list_keys as stored
    from core.clock import rfc3339

    return [
        {
            "prefix": key.prefix,
            "principal": key.principal,
            "decide": key.decide,
            "created_at": rfc3339(key.created_at),
            "created_by": key.created_by,
            "used_at": None if key.used_at is None else rfc3339(key.used_at),
            "revoked_at": None if key.revoked_at is None else rfc3339(key.revoked_at),
        }
        for key in stored(chosen)
    ]


def login_link(
    person: Annotated[str, typer.Argument(help="A person of hub.yaml.")],
    config: ConfigPath = None,
    data: DataPath = None,
    as_json: AsJson = False,
) -> None:
    """Print a sign-in link for a person: good once, for a quarter of an hour."""
    from config.cli.desk import client_or_none

    chosen = settings(config=config, data=data)
    with client_or_none(chosen) as client:
        if client is not None:
            link: dict[str, Any] = client.post("/v1/login-links", {"principal": person})
        else:
            from config.hub import read_config
            from config.offline import login_link as make

            path = make(chosen, person)
            link = {"url": read_config(chosen).world.public_url.rstrip("/") + path, "path": path, "principal": person}
    answer(link["url"], link, as_json=as_json)
