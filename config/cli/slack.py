"""`interlock slack manifest`: the app of this hub, as Slack takes it."""

from __future__ import annotations

from typing import Annotated

import typer

from config.cli.exits import Exit, Failure
from config.cli.options import AsJson, ConfigPath, settings
from config.cli.output import answer

app = typer.Typer(help="Set up Slack.", no_args_is_help=True)


@app.callback()
def _of_slack() -> None:
    """Keeps `manifest` a command of its own."""


@app.command("manifest")
def print_manifest(
    channel: Annotated[
        str | None, typer.Argument(help="The channel in hub.yaml; the only Slack one by default.")
    ] = None,
    socket: Annotated[bool, typer.Option("--socket", help="For Socket Mode, before there is an app_token.")] = False,
    config: ConfigPath = None,
    as_json: AsJson = False,
) -> None:
    """Print the app manifest: Slack, Your Apps, Create New App, From a manifest."""
    import orjson

    from adapters.slack.install import redirect_url
    from adapters.slack.manifest import manifest
    from config.source import read

    given = read(settings(config=config).config).data
    public_url = str(given.get("public_url") or "")
    channels = given.get("channels") or {}
    found = {name: each for name, each in channels.items() if each.get("adapter") == "slack"}
    if channel is not None and channel not in found:
        raise Failure("no_channel", f"there is no Slack channel {channel} in hub.yaml", Exit.USAGE)
    if channel is None and len(found) > 1:
        raise Failure("which_channel", f"which one: {', '.join(found)}?", Exit.USAGE)
    name = channel or next(iter(found), "")
    chosen = found.get(name, {})
    sources = [str(each.get("from")) for each in (given.get("groups") or {}).values()]
    made = manifest(
        public_url=public_url,
        path=str(chosen.get("path") or "/slack/events"),
        command=str(chosen.get("command") or "/hub"),
        socket_mode=socket or "app_token" in chosen,
        groups=any(each.partition(":")[0] == name for each in sources),
        emails=chosen.get("match_email") is True,
        redirect=redirect_url(public_url, str(chosen.get("install_path") or "/slack/install"))
        if "client_id" in chosen
        else None,
    )
    if not made["settings"]["socket_mode_enabled"] and not public_url.startswith("https://"):
        raise Failure(
            "no_public_url",
            "Slack needs an https:// address that leads to this hub: set public_url, or use --socket",
            Exit.USAGE,
        )
    answer(orjson.dumps(made, option=orjson.OPT_INDENT_2).decode(), made, as_json=as_json)
