"""Workspaces in which the app is installed: slack-sdk's installation store, on what the hub keeps sealed.

slack-sdk's own SQLAlchemy store writes tokens as plain text, beside the hub's one writer and without an entry in the
log (docs/decisions/0006-installations-in-the-vault.md). One workspace or organisation has one installation, its last.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from logging import Logger
from typing import Any

import orjson
from slack_sdk.oauth.installation_store.async_installation_store import AsyncInstallationStore
from slack_sdk.oauth.installation_store.models.bot import Bot
from slack_sdk.oauth.installation_store.models.installation import Installation

from adapters.slack.api import Api
from hub.contracts import DeliveryFailed, Hub, Said

ROTATE_SECONDS = 7200
"""How long before its end a token is exchanged, as slack-sdk does."""
_CLAIM_SECONDS, _LOOK_SECONDS = 30.0, 0.2
_KNOWN_SECONDS = 60.0
_START = "workspace:"

logger = logging.getLogger("interlock.slack")


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """One installation, and which version of it."""

    installation: Installation
    version: int

    @property
    def token(self) -> str:
        return str(self.installation.bot_token or "")

    def lasts(self, now: float) -> bool:
        """Whether its token needs no exchange yet."""
        ends = self.installation.bot_token_expires_at
        return ends is None or not self.installation.bot_refresh_token or ends - now > ROTATE_SECONDS


class Installations(AsyncInstallationStore):
    """The installations of one app. Keyed by organisation where it was installed in a whole one, else by team."""

    def __init__(
        self, *, channel: str, hub: Hub, api: Api, client_id: str, client_secret: str, now: Callable[[], float]
    ) -> None:
        self._channel = channel
        self._hub = hub
        self._api = api
        self._client_id = client_id
        self._client_secret = client_secret
        self._now = now
        self._known: dict[str, tuple[float, Installed]] = {}

    @property
    def logger(self) -> Logger:
        return logger

    async def every(self) -> dict[str, Installed]:
        """Team or organisation -> its installation."""
        found = await self._hub.kept(self._channel)
        return {
            name.removeprefix(_START): Installed(installation=_read(value), version=version)
            for name, (value, version) in found.items()
            if name.startswith(_START)
        }

    async def find(self, home: str) -> Installed | None:
        """The installation of a team or organisation."""
        return (await self.every()).get(home)

    async def exchange(self, code: str, redirect_uri: str) -> Installation:
        """What Slack gives for the code of a finished installation. Raises DeliveryFailed."""
        answer = await self._access(code=code, redirect_uri=redirect_uri, grant_type="authorization_code")
        team, enterprise = answer.get("team") or {}, answer.get("enterprise") or {}
        if answer.get("token_type") != "bot" or not str(answer.get("access_token") or "").startswith("xox"):
            raise DeliveryFailed("Slack gave no bot token: the app asks for no bot scopes", permanent=True)
        return Installation(
            app_id=answer.get("app_id"),
            enterprise_id=enterprise.get("id"),
            team_id=team.get("id"),
            team_name=team.get("name"),
            bot_token=answer["access_token"],
            bot_user_id=answer.get("bot_user_id"),
            bot_scopes=str(answer.get("scope") or ""),
            bot_refresh_token=answer.get("refresh_token"),
            bot_token_expires_at=self._end(answer),
            user_id=str((answer.get("authed_user") or {}).get("id") or ""),
            is_enterprise_install=bool(answer.get("is_enterprise_install")),
            token_type="bot",  # noqa: S106 (a kind of token)
        )

    async def async_save(self, installation: Installation, actor: str | None = None) -> None:
        home = home_of(installation.enterprise_id, installation.team_id, installation.is_enterprise_install)
        self._known.pop(home, None)
        said = Said(event="workspace:installed", actor=actor, details={"workspace": home})
        await self._hub.keep(self._channel, _START + home, _written(installation), said=said)

    async def async_find_installation(
        self,
        *,
        enterprise_id: str | None,
        team_id: str | None,
        user_id: str | None = None,
        is_enterprise_install: bool | None = False,
    ) -> Installation | None:
        found = await self.find(home_of(enterprise_id, team_id, is_enterprise_install))
        return None if found is None else found.installation

    async def async_find_bot(
        self, *, enterprise_id: str | None, team_id: str | None, is_enterprise_install: bool | None = False
    ) -> Bot | None:
        found = await self.async_find_installation(
            enterprise_id=enterprise_id, team_id=team_id, is_enterprise_install=is_enterprise_install
        )
        return None if found is None else found.to_bot()

    async def async_delete_installation(
        self, *, enterprise_id: str | None, team_id: str | None, user_id: str | None = None
    ) -> None:
        await self.remove(home_of(enterprise_id, team_id, team_id is None))

    async def async_delete_bot(self, *, enterprise_id: str | None, team_id: str | None) -> None:
        await self.remove(home_of(enterprise_id, team_id, team_id is None))

    async def remove(self, home: str) -> bool:
        """The app is not installed there any more; whether it was."""
        self._known.pop(home, None)
        said = Said(event="workspace:removed", details={"workspace": home})
        return await self._hub.take(self._channel, _START + home, said=said) is not None

    async def fresh(self, home: str) -> Installed:
        """The installation with a token that lasts; of several nodes one exchanges it. Raises DeliveryFailed."""
        at, known = self._known.get(home, (0.0, None))
        if known is not None and self._now() - at < _KNOWN_SECONDS and known.lasts(self._now()):
            return known
        found = await self._fresh(home)
        self._known[home] = (self._now(), found)
        return found

    async def _fresh(self, home: str) -> Installed:
        while True:
            found = await self.find(home)
            if found is None:
                raise DeliveryFailed(
                    f"the app is not installed in {home}: install it under /slack/install",
                    permanent=True,
                    address_is_dead=True,
                )
            if found.lasts(self._now()):
                return found
            if await self._hub.claim(self._channel, _START + home, found.version, _CLAIM_SECONDS):
                return await self._rotate(home, found)
            if (found.installation.bot_token_expires_at or 0) > self._now():
                return found  # another node is at it, and this token still works
            await asyncio.sleep(_LOOK_SECONDS)

    async def _rotate(self, home: str, found: Installed) -> Installed:
        """The next token is kept before it is used: the one that it came for is worth nothing now."""
        before = found.installation
        answer = await self._access(grant_type="refresh_token", refresh_token=str(before.bot_refresh_token))
        after = Installation(**before.to_dict_for_copying())
        after.bot_token, after.bot_refresh_token = str(answer["access_token"]), answer.get("refresh_token")
        after.bot_token_expires_at = self._end(answer)
        said = Said(event="workspace:rotated", details={"workspace": home})
        if not await self._hub.keep(
            self._channel, _START + home, _written(after), after=found.version, said=said
        ):  # it was installed anew meanwhile
            return await self._fresh(home)
        return Installed(installation=after, version=found.version + 1)

    async def _access(self, **given: str) -> Any:
        return await self._api.call(
            "oauth.v2.access", client_id=self._client_id, client_secret=self._client_secret, **given
        )

    def _end(self, answer: Any) -> int | None:
        seconds = answer.get("expires_in")
        return None if seconds is None else int(self._now()) + int(seconds)


def home_of(enterprise: str | None, team: str | None, is_enterprise_install: bool | None) -> str:
    """What an installation is known by: on an organisation's own one Slack names no team."""
    return str((enterprise if is_enterprise_install or not team else team) or "")


def _written(installation: Installation) -> str:
    return orjson.dumps(installation.to_dict_for_copying()).decode()


def _read(text: str) -> Installation:
    return Installation(**orjson.loads(text))
