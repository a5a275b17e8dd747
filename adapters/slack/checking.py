"""What `doctor` tells of a workspace: token, scopes, address, channels; each with what to do."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from adapters.slack.api import Api
from adapters.slack.groups import members
from adapters.slack.manifest import scopes_for
from adapters.slack.rooms import Rooms
from adapters.slack.settings import Settings
from hub.contracts import DeliveryFailed, Hub

_HERE = ("localhost", "127.0.0.1", "::1", "0.0.0.0")  # noqa: S104 (a name to warn of)


async def check(name: str, settings: Settings, hub: Hub) -> list[str]:
    """One plain line a problem; [] when all is well."""
    problems = []
    where = f"channels.{name}"
    if not settings.socket_mode:
        url = urlsplit(hub.public_url)
        if url.scheme != "https" or url.hostname in _HERE:
            problems.append(
                f"{where}: Slack cannot reach {hub.public_url or 'a hub without public_url'}: set public_url to an "
                "https:// address that leads here, or add an app_token for Socket Mode"
            )
    if settings.bot_token is None:
        problems += await _installed(where, settings)
    else:
        problems += await _workspace(where, settings.bot_token.get_secret_value(), name, settings, hub)
    if settings.app_token is not None:
        problems += await _socket(where, settings.app_token.get_secret_value(), settings.api_url)
    return problems


async def _workspace(where: str, token: str, name: str, settings: Settings, hub: Hub) -> list[str]:
    """What is wrong with the token and in its workspace."""
    problems = []
    async with Api(token, settings.api_url) as api:
        try:
            told = await api.call("auth.test")
        except DeliveryFailed as failed:
            return [f"{where}.bot_token: {failed}"]
        if "scopes" in told:
            wanted = scopes_for(groups=bool(hub.sources(name)), emails=settings.match_email)
            missing = sorted(set(wanted) - {each.strip() for each in str(told["scopes"]).split(",")})
            if missing:
                problems.append(
                    f"{where}: the bot lacks {', '.join(missing)}: add it under OAuth & Permissions, and reinstall"
                )
        rooms = Rooms(api, settings.shared_rooms, time.monotonic)
        for address in hub.places(name):
            problems += await _room(f"{where}: {address}", address, rooms)
        for group in hub.sources(name):
            try:
                await members(api, group)
            except DeliveryFailed as failed:
                problems.append(f"{where}: the user group {group} cannot be read, so nobody counts as in it: {failed}")
    return problems


async def _installed(where: str, settings: Settings) -> list[str]:
    """Whether Slack knows the app's own id and secret: a code that is none must be all that it complains of."""
    client, secret = settings.client_id, settings.client_secret
    assert client is not None
    assert secret is not None
    async with Api(None, settings.api_url) as api:
        try:
            await api.call("oauth.v2.access", client_id=client, client_secret=secret.get_secret_value(), code="none")
        except DeliveryFailed as failed:
            if "invalid_code" in str(failed):
                return []
            return [f"{where}.client_secret: {failed}; both stand under Basic Information"]
    return []


async def _socket(where: str, token: str, url: str | None) -> list[str]:
    async with Api(token, url) as api:
        try:
            await api.call("apps.connections.open")
        except DeliveryFailed as failed:
            return [f"{where}.app_token: {failed}; make one with connections:write under Basic Information"]
    return []


async def _room(where: str, address: str, rooms: Rooms) -> list[str]:
    if "/" in address:
        return []
    try:
        room = await rooms.room(await rooms.id_of(address))
        await rooms.demand_ours(room.id)
    except DeliveryFailed as failed:
        return [f"{where}: {failed}"]
    if room.archived:
        return [f"{where}: the channel is archived: name another"]
    return [] if room.member else [f"{where}: the bot is not in that channel: invite it there (/invite)"]
