"""One workspace at work: its token, and everything that is known of it and done in it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from adapters.slack.accounts import Accounts
from adapters.slack.api import Api
from adapters.slack.desk import Desk
from adapters.slack.groups import Groups
from adapters.slack.posting import Posting
from adapters.slack.rooms import Rooms
from adapters.slack.settings import Settings
from core.errors import Refusal
from hub.contracts import DeliveryFailed, Hub, Post

_GREETING_SECONDS = 15.0
"""How long a copy waits for the first answer to who we are, before it is tried again later."""

logger = logging.getLogger("interlock.slack")


class Workspace:
    """What one token reaches. `home` begins its addresses where there are several: `T0123/#prod`."""

    def __init__(
        self, *, channel: str, hub: Hub, settings: Settings, token: str | Callable[[], Awaitable[str]], home: str = ""
    ) -> None:
        self.home = home
        self._channel = channel
        self._hub = hub
        self.api = Api(token, settings.api_url)
        self.accounts = Accounts(self.api, time.monotonic)
        self._rooms = Rooms(self.api, settings.shared_rooms, time.monotonic)
        self._posting = Posting(self.api, self._rooms, self.accounts)
        self._groups = Groups(
            channel=channel, hub=hub, api=self.api, accounts=self.accounts, now=time.monotonic, home=home
        )
        self.desk = Desk(
            channel=channel,
            hub=hub,
            api=self.api,
            accounts=self.accounts,
            rooms=self._rooms,
            posting=self._posting,
            groups=self._groups,
            match_email=settings.match_email,
            command=settings.command,
            home=home,
        )
        self.problem: str | None = None
        """Why it does not work at the moment."""

    async def look(self) -> None:
        """Who we are is known, whether the token stands, and who is in the groups that matter."""
        try:
            await self._greet()
        finally:
            self.accounts.greeted.set()
        await self._groups.refresh()

    async def _greet(self) -> None:
        """Our workspace is known. Once a token works (again), every address may be tried again."""
        try:
            told = await self.api.call("auth.test")
        except DeliveryFailed as failed:
            self.problem = str(failed)
            logger.warning("channel %s %s: %s", self._channel, self.home, failed)
            return
        first = self.accounts.team is None or self.problem is not None
        team = str(told.get("team_id") or "")
        if not self.home:
            try:
                await self._hub.pin(self._channel, team)
            except Refusal as refusal:
                self.problem = self.accounts.barred = refusal.message
                logger.error("channel %s: %s", self._channel, refusal.message)
                return
        self.accounts.barred = None
        self.accounts.team = team or None
        self.accounts.enterprise = told.get("enterprise_id") or None
        self.desk.bot_user = told.get("user_id") or None
        self.problem = None
        if first:
            await self._hub.takes_again(self._channel)

    async def post(self, post: Post) -> str:
        """The reference of a new copy. Raises DeliveryFailed."""
        await self._demand_ours()
        return await self._posting.post(post)

    async def update(self, reference: str, post: Post) -> str:
        """The copy shows `post`. Raises DeliveryFailed."""
        await self._demand_ours()
        return await self._posting.update(reference, post)

    async def message(self, address: str, text: str) -> None:
        """The words stand at the address. Raises DeliveryFailed."""
        await self._demand_ours()
        await self._posting.message(address, text)

    async def remind(self, reference: str, post: Post) -> str:
        """Those who can still act are told in the copy's thread. Raises DeliveryFailed."""
        await self._demand_ours()
        return await self._posting.remind(reference, post)

    async def _demand_ours(self) -> None:
        """Nothing, once it is known that the token is of the workspace that hub.yaml means. Raises DeliveryFailed."""
        if not self.accounts.greeted.is_set():
            self.api.demand_open()
            try:
                async with asyncio.timeout(_GREETING_SECONDS):
                    await self.accounts.greeted.wait()
            except TimeoutError:
                raise DeliveryFailed("Slack has not said yet which workspace this is") from None
        if self.accounts.barred is not None:
            raise DeliveryFailed(self.accounts.barred, permanent=True, address_is_dead=True)
