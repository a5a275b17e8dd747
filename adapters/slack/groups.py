"""User groups of a workspace that hub.yaml takes members from: read now and then, and told to the hub."""

from __future__ import annotations

import logging
from collections.abc import Callable

from adapters.slack.accounts import Accounts
from adapters.slack.api import Api
from hub.contracts import DeliveryFailed, Hub

EVERY_SECONDS = 300.0
"""How often a group is read; the hub takes its members as fresh for three times as long."""
_MOST_PAGES = 100

logger = logging.getLogger("interlock.slack")


class Groups:
    """The user groups of one channel that matter here."""

    def __init__(
        self, *, channel: str, hub: Hub, api: Api, accounts: Accounts, now: Callable[[], float], home: str = ""
    ) -> None:
        self._channel = channel
        self._hub = hub
        self._api = api
        self._accounts = accounts
        self._now = now
        self._home = home
        self._read_at: dict[str, float] = {}

    async def refresh(self, *, now: bool = False) -> None:
        """What has not been read for a while, or with `now` everything, is read and told."""
        for group in self._hub.sources(self._channel):
            if group.rpartition("/")[0] != self._home:
                continue  # a group of another workspace
            if now or self._now() - self._read_at.get(group, float("-inf")) >= EVERY_SECONDS:
                await self._tell(group)

    async def _tell(self, group: str) -> None:
        try:
            users = await members(self._api, group.rpartition("/")[2])
        except DeliveryFailed as failed:
            logger.warning("the user group %s could not be read: %s", group, failed)
            await self._hub.tell_group(self._channel, group, None, str(failed)[:300])
            return
        self._read_at[group] = self._now()
        realms = [each for each in (self._accounts.team, self._accounts.enterprise) if each is not None]
        await self._hub.tell_group(self._channel, group, [f"{realm}/{each}" for each in users for realm in realms])


async def members(api: Api, group: str) -> list[str]:
    """The ids of everybody in a user group that is switched on, page by page. Raises DeliveryFailed."""
    found: list[str] = []
    cursor = ""
    for _ in range(_MOST_PAGES):
        more = {"cursor": cursor} if cursor else {}
        answer = await api.call("usergroups.users.list", usergroup=group, include_disabled="false", **more)
        found += [str(each) for each in answer.get("users") or ()]
        cursor = str((answer.get("response_metadata") or {}).get("next_cursor") or "")
        if not cursor:
            return found
    raise DeliveryFailed(f"the user group {group} has more pages than can be read")
