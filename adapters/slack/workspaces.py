"""The workspaces of a channel: one by its token, or each in which the app was installed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from adapters.slack.installations import Installations
from adapters.slack.parse import Heard
from adapters.slack.settings import Settings
from adapters.slack.workspace import Workspace
from core.errors import Refusal
from hub.contracts import DeliveryFailed, Hub

logger = logging.getLogger("interlock.slack")


class Workspaces:
    """Finds the workspace of an address and of what was heard. `installed` is None where there is one by its token."""

    def __init__(self, *, channel: str, hub: Hub, settings: Settings, installed: Installations | None) -> None:
        self._channel = channel
        self._hub = hub
        self._settings = settings
        self._installed = installed
        self._open: dict[str, Workspace] = {}
        self._stack = AsyncExitStack()
        self._lock = asyncio.Lock()
        self._lost: str | None = None
        if settings.bot_token is not None:
            token = settings.bot_token.get_secret_value()
            self._open[""] = Workspace(channel=channel, hub=hub, settings=settings, token=token)

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """They are open inside this context."""
        async with self._stack:
            for each in self._open.values():
                await self._stack.enter_async_context(each.api)
            yield

    @property
    def problem(self) -> str | None:
        """Why one of them does not work; None when all do."""
        return self._lost or next((each.problem for each in self._open.values() if each.problem is not None), None)

    async def look(self) -> None:
        """Every installation is known, and each workspace looked after."""
        if self._installed is not None:
            try:
                homes = await self._installed.every()
            except Refusal as refusal:
                self._lost = f"the tokens of the workspaces cannot be read: {refusal.message}"
                return
            self._lost = None if homes else f"installed in no workspace yet: open {self._settings.install_path}"
            for home in self._open.keys() - homes.keys():
                del self._open[home]
            for home in homes:
                await self._opened(home)
        for each in list(self._open.values()):
            try:
                await each.look()
            except DeliveryFailed as failed:
                each.problem = str(failed)

    async def of_address(self, address: str) -> Workspace:
        """The workspace that an address is in. Raises DeliveryFailed."""
        if self._installed is None:
            return self._open[""]
        home = address.partition("/")[0]
        found = self._open.get(home) or next(
            (each for each in self._open.values() if each.accounts.enterprise == home), None
        )
        return found or await self._newly(home)

    async def of(self, heard: Heard) -> Workspace:
        """The workspace in which something was heard. Raises DeliveryFailed."""
        if self._installed is None:
            return self._open[""]
        return self._open.get(heard.home) or await self._newly(heard.home)

    async def _newly(self, home: str) -> Workspace:
        """Installed through another node, or not at all. Raises DeliveryFailed."""
        assert self._installed is not None
        if await self._installed.find(home) is None:
            raise DeliveryFailed(
                f"the app is not installed in {home[:20] or 'a workspace that the address names'}: install it under "
                f"{self._settings.install_path}, and write addresses like T0123ABCD/#prod",
                permanent=True,
                address_is_dead=True,
            )
        found = await self._opened(home)
        await found.look()
        return found

    async def _opened(self, home: str) -> Workspace:
        async with self._lock:
            found = self._open.get(home)
            if found is None:
                found = self._made(home)
                await self._stack.enter_async_context(found.api)
                self._open[home] = found
            return found

    def _made(self, home: str) -> Workspace:
        installed = self._installed
        assert installed is not None

        async def token() -> str:
            return (await installed.fresh(home)).token

        return Workspace(channel=self._channel, hub=self._hub, settings=self._settings, token=token, home=home)

    async def removed(self, home: str) -> None:
        """The app was uninstalled, or its tokens revoked: copies there are dead, and those they asked are asked elsewhere."""
        why = "the app was uninstalled from the workspace, or its tokens were revoked: install it again"
        if self._installed is None:
            self._open[""].problem = why
            await self._hub.gone(self._channel, "", why)
            return
        if await self._installed.remove(home):
            self._open.pop(home, None)
            await self._hub.gone(self._channel, f"{home}/", why)
