"""Copies of cards in Slack: posted, brought up to date, and told of the run in their thread."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from adapters.slack import render
from adapters.slack.accounts import Accounts
from adapters.slack.api import Api, WrongForm
from adapters.slack.rooms import Rooms
from hub.contracts import Card, DeliveryFailed, Post

_MOST_KNOWN = 10_000

logger = logging.getLogger("interlock.slack")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Where a copy stands, and what its thread was told last."""

    channel: str
    ts: str
    told: str = ""

    @property
    def text(self) -> str:
        return orjson.dumps([self.channel, self.ts, self.told]).decode()

    @classmethod
    def of(cls, text: str) -> Reference:
        """Raises DeliveryFailed for none of ours."""
        try:
            channel, ts, told = orjson.loads(text)
        except ValueError:
            raise DeliveryFailed("where the copy stands is not known any more", permanent=True) from None
        return cls(channel=str(channel), ts=str(ts), told=str(told))


class Posting:
    """The copies of one workspace. Each message is written by one at a time, and never set back to an older version."""

    def __init__(self, api: Api, rooms: Rooms, accounts: Accounts) -> None:
        self._api = api
        self._rooms = rooms
        self._accounts = accounts
        self._locks: OrderedDict[str, asyncio.Lock] = OrderedDict()
        self._shown: OrderedDict[str, int] = OrderedDict()

    async def post(self, post: Post) -> str:
        """The reference of a new copy. Raises DeliveryFailed."""
        place = await self._place(post.address)
        quiet = {"unfurl_links": False, "unfurl_media": False}
        answer = await self._send("chat.postMessage", post, place=place, channel=place, **quiet)
        said = Reference(channel=str(answer["channel"]), ts=str(answer["ts"]))
        self._note(said.channel, said.ts, post.card.version)
        return (await self._tell(said, post)).text

    async def update(self, reference: str, post: Post) -> str:
        """The copy shows `post`. Raises DeliveryFailed."""
        said = Reference.of(reference)
        async with self._lock(said.channel, said.ts):
            await self._send("chat.update", post, place=said.channel, channel=said.channel, ts=said.ts)
            self._note(said.channel, said.ts, post.card.version)
        return (await self._tell(said, post)).text

    async def remind(self, reference: str, post: Post) -> str:
        """Those who can still act are named in the copy's thread, which tells them; an edited card tells nobody."""
        assert post.reminder is not None
        said = Reference.of(reference)
        message = render.reminder_message(post.card, post.reminder)
        quiet = {"unfurl_links": False, "unfurl_media": False}
        await self._call(
            "chat.postMessage", message, place=said.channel, channel=said.channel, thread_ts=said.ts, **quiet
        )
        return reference

    async def message(self, address: str, text: str) -> None:
        """A plain message stands there. Raises DeliveryFailed."""
        place = await self._place(address)
        quiet = {"unfurl_links": False, "unfurl_media": False}
        await self._call("chat.postMessage", render.plain_message(text), place=place, channel=place, **quiet)

    async def _send(self, method: str, post: Post, **where: Any) -> Mapping[str, Any]:
        """The card is there, or a line in its place that says where to see it, when Slack does not take its form."""
        message = render.card_message(post.card)
        try:
            return await self._call(method, message, metadata=_metadata(post), **where)
        except WrongForm as wrong:
            logger.error("Slack took no card of %s, so a line stands in its place: %s", post.card.approval, wrong)
            return await self._call(method, render.bare_message(post.card), **where)

    async def _call(self, method: str, message: render.Message, **where: Any) -> Mapping[str, Any]:
        return await self._api.call(method, text=message.text, blocks=list(message.blocks), **where)

    async def strip(self, channel: str, ts: str, url: str, card: Card) -> None:
        """The pressed message has no button left, unless it shows something as new already."""
        async with self._lock(channel, ts):
            if self._shown.get(f"{channel} {ts}", -1) >= card.version:
                return
            message = render.card_message(replace(card, buttons=()))
            body = {"replace_original": True, "text": message.text, "blocks": list(message.blocks)}
            await self._api.answer(url, body)
            self._note(channel, ts, card.version)

    async def _tell(self, said: Reference, post: Post) -> Reference:
        """The thread knows how the run stands, each news once."""
        news = render.progress(post.card, post.approval)
        if news is None or news[0] == said.told:
            return said
        name, message = news
        quiet = {"unfurl_links": False, "unfurl_media": False}
        await self._call(
            "chat.postMessage", message, place=said.channel, channel=said.channel, thread_ts=said.ts, **quiet
        )
        return replace(said, told=name)

    async def _place(self, address: str) -> str:
        """The id that Slack is given for an address: a person's, or a channel's that may show cards."""
        team, slash, user = address.partition("/")
        if slash and team[:1] in "TE":
            if user[:1] in ("U", "W"):
                return user
            address = user
        if "@" in address[1:]:
            return await self._accounts.by_email(address)
        if not address:
            raise DeliveryFailed("no channel is named", permanent=True)
        room = await self._rooms.id_of(address)
        await self._rooms.demand_ours(room)
        return room

    def _lock(self, channel: str, ts: str) -> asyncio.Lock:
        lock = self._locks.setdefault(f"{channel} {ts}", asyncio.Lock())
        self._locks.move_to_end(f"{channel} {ts}")
        while len(self._locks) > _MOST_KNOWN and not next(iter(self._locks.values())).locked():
            self._locks.popitem(last=False)
        return lock

    def _note(self, channel: str, ts: str, version: int) -> None:
        self._shown[f"{channel} {ts}"] = version
        self._shown.move_to_end(f"{channel} {ts}")
        if len(self._shown) > _MOST_KNOWN:
            self._shown.popitem(last=False)


def _metadata(post: Post) -> dict[str, object]:
    """What recognises a card that Slack took although it did not say so."""
    payload = {"approval": post.card.approval, "version": post.card.version, "copy": post.key}
    return {"event_type": "interlock_card", "event_payload": payload}
