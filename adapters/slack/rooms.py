"""Channels of the workspace as Slack describes them now: their ids, whether they are shared, whether we are in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from adapters.slack.api import Api
from hub.contracts import DeliveryFailed

ID = re.compile(r"[CGD][A-Z0-9]+")
_FRESH_SECONDS = 300.0
_MOST_PAGES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """One channel."""

    id: str
    name: str
    shared: bool
    """With another company, or about to be."""
    member: bool
    archived: bool


class Rooms:
    """What is known of channels; each answer is kept for five minutes, and never a list at start-up."""

    def __init__(self, api: Api, allowed: Collection[str], now: Callable[[], float]) -> None:
        self._api = api
        self._allowed = frozenset(allowed)
        self._now = now
        self._rooms: dict[str, tuple[float, Room]] = {}
        self._ids: dict[str, str] = {}

    def forget(self, room: str) -> None:
        """It has changed: ask again."""
        self._rooms.pop(room, None)

    def names_of(self, room: str) -> list[str]:
        """The addresses by which `room` was asked for."""
        return [room, *(name for name, found in self._ids.items() if found == room)]

    async def id_of(self, address: str) -> str:
        """The id of `#name`, or the id itself. Raises DeliveryFailed."""
        if ID.fullmatch(address):
            return address
        if address not in self._ids:
            await self._look_for(address.removeprefix("#"))
        if address not in self._ids:
            raise DeliveryFailed(
                f"there is no channel {address[:80]} that the bot can see: invite it there (/invite), or write its id",
                permanent=True,
                address_is_dead=True,
            )
        return self._ids[address]

    async def _look_for(self, name: str) -> None:
        """The channel of that name is known, if there is one. The list is read page by page, only when it is needed."""
        cursor = ""
        for _ in range(_MOST_PAGES):
            answer = await self._api.call(
                "conversations.list",
                types="public_channel,private_channel",
                exclude_archived="true",
                limit=1000,
                cursor=cursor,
            )
            for each in answer.get("channels") or ():
                if each.get("name") == name:
                    self._ids[f"#{name}"] = self._ids[name] = each["id"]
                    return
            cursor = str((answer.get("response_metadata") or {}).get("next_cursor") or "")
            if not cursor:
                return

    async def room(self, room: str) -> Room:
        """The channel of that id. Raises DeliveryFailed."""
        at, known = self._rooms.get(room, (0.0, None))
        if known is not None and self._now() - at < _FRESH_SECONDS:
            return known
        answer = await self._api.call("conversations.info", channel=room)
        told = answer["channel"]
        found = Room(
            id=room,
            name=str(told.get("name") or room),
            shared=bool(told.get("is_ext_shared") or told.get("is_pending_ext_shared")),
            member=bool(told.get("is_member")),
            archived=bool(told.get("is_archived")),
        )
        self._rooms[room] = (self._now(), found)
        return found

    async def demand_ours(self, room: str) -> None:
        """Nothing, when cards may stand there. Raises DeliveryFailed for a channel that another company can read."""
        if room.startswith("D") or room in self._allowed:
            return
        if (await self.room(room)).shared:
            raise DeliveryFailed(
                f"the channel {room} is shared with another company, so no card is shown there; "
                "if that is meant, list it under shared_rooms",
                permanent=True,
                address_is_dead=True,
            )
