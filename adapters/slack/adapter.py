"""The wire of Slack: events in over HTTP or Socket Mode, cards and answers out over the Web API."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import orjson
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from adapters.slack import parse
from adapters.slack.api import Api
from adapters.slack.checking import check
from adapters.slack.install import Install
from adapters.slack.installations import Installations
from adapters.slack.manifest import scopes_for
from adapters.slack.parse import MOST_BYTES, Heard
from adapters.slack.settings import settings_of
from adapters.slack.workspaces import Workspaces
from core.errors import Refusal, StoreError, TooLarge, Unproven
from core.world import Channel
from hub.contracts import Adapter, DeliveryFailed, Hub, Post, Powers

if TYPE_CHECKING:
    from adapters.slack.listening import Listening

logger = logging.getLogger("interlock.slack")

_WATCH_SECONDS = 60.0
_IN_HAND_SECONDS = 30.0


class SlackAdapter:
    """One configured workspace."""

    def __init__(self, channel: Channel, hub: Hub) -> None:
        self._name = channel.name
        self._hub = hub
        self._settings = settings_of(channel)
        self._app = Api(None, self._settings.api_url)
        """The app itself, in no workspace: it exchanges codes and tokens."""
        self._installations = self._by_oauth()
        self._workspaces = Workspaces(
            channel=self._name, hub=hub, settings=self._settings, installed=self._installations
        )
        self._listening: Listening | None = None
        self._works: dict[str, asyncio.Task[None]] = {}
        self._in_hand: dict[str, float] = {}
        """Key -> since when this process means to do it; the sweep leaves it alone for so long."""
        self._socket_problem: str | None = None
        self.powers = Powers(addresses_people=True, login=f"{self._settings.command} login")

    def _by_oauth(self) -> Installations | None:
        client, secret = self._settings.client_id, self._settings.client_secret
        if client is None or secret is None:
            return None
        return Installations(
            channel=self._name,
            hub=self._hub,
            api=self._app,
            client_id=client,
            client_secret=secret.get_secret_value(),
            now=time.time,
        )

    @property
    def problem(self) -> str | None:
        """Why it does not work at the moment."""
        return self._workspaces.problem or self._socket_problem

    def routes(self) -> list[BaseRoute]:
        pages = self._install(self._installations).routes() if self._installations is not None else []
        if self._settings.socket_mode:
            return pages
        return [*pages, Route(self._settings.path, self._receive, methods=["POST"], name=f"slack:{self._name}")]

    def _install(self, installations: Installations) -> Install:
        async def installed(home: str) -> None:
            await self._workspaces.look()
            await self._hub.takes_again(self._name)

        return Install(
            channel=self._name,
            hub=self._hub,
            settings=self._settings,
            installations=installations,
            scopes=lambda: scopes_for(groups=bool(self._hub.sources(self._name)), emails=self._settings.match_email),
            installed=installed,
        )

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        from adapters.slack.listening import Listening  # Bolt takes half a second to import

        self._listening = Listening(self._keep)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._app)
            await stack.enter_async_context(self._workspaces.run())
            background = [asyncio.create_task(self._watch())]
            if self._settings.app_token is not None:
                from adapters.slack.socket import Socket

                socket = Socket(
                    token=self._settings.app_token.get_secret_value(),
                    url=self._settings.api_url,
                    take=self._listening,
                    begin=self._begin,
                    told=self._told_by_socket,
                )
                background.append(asyncio.create_task(socket.run()))
            try:
                yield
            finally:
                works = list(self._works.values())
                for task in [*background, *works]:
                    task.cancel()
                await asyncio.gather(*background, *works, return_exceptions=True)
                self._listening = None

    # --- in ---

    async def _receive(self, request: Request) -> Response:
        """The acknowledgement of one request; what it asks for is done after the answer has left."""
        try:
            body = await _body_of(request)
            said_at_us = parse.prove(self._settings.secrets, request.headers, body, self._hub.clock.wall_us())
            text = body.decode()
        except TooLarge:
            return Response(status_code=413)
        except Unproven as refusal:
            self._hub.unproven(self._name, refusal.code)
            return Response(status_code=401)
        except UnicodeDecodeError:
            return Response(status_code=400)
        if self._listening is None:
            return Response(status_code=503)
        content_type = request.headers.get("content-type", "")
        done = await self._listening.take(text, content_type=content_type, said_at_us=said_at_us)
        after = BackgroundTask(self._begin_later, done.heard) if done.heard is not None else None
        return Response(done.body, done.status, media_type=done.content_type, background=after)

    async def _keep(self, heard: Heard, payload: Mapping[str, Any], said_at_us: int | None) -> bool:
        """It is durable; whether it is still to be done, or to be answered again."""
        self._in_hand[heard.key] = time.monotonic()
        raw = orjson.dumps({"payload": payload, "said_at_us": said_at_us})
        tries = await self._hub.keep_received(self._name, heard.key, raw)
        return tries > 0 or heard.answer_url is not None

    async def _begin_later(self, heard: Heard) -> None:
        self._begin(heard)

    def _begin(self, heard: Heard) -> None:
        """It is being done by a task of ours; what arrives again meanwhile is answered again after that."""
        before = self._works.get(heard.key)
        if before is not None and heard.answer_url is None:
            return
        task = asyncio.create_task(self._do(heard, before))
        self._works[heard.key] = task
        task.add_done_callback(lambda done: self._ended(heard.key, done))

    def _ended(self, key: str, task: asyncio.Task[None]) -> None:
        if self._works.get(key) is task:
            del self._works[key]

    async def _do(self, heard: Heard, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        outcome = "done"
        try:
            if heard.kind == "uninstalled":
                await self._workspaces.removed(heard.home)
            else:
                await (await self._workspaces.of(heard)).desk.do(heard)
        except StoreError:
            logger.exception("what was said in %s could not be done yet; it is tried again", self._name)
            return
        except DeliveryFailed as failed:
            outcome = "unanswered"
            logger.warning("an answer in %s could not be given: %s", self._name, failed)
        except Exception:
            outcome = "failed"
            logger.exception("what was said in %s could not be answered", self._name)
        self._in_hand.pop(heard.key, None)
        if heard.lasting:
            try:
                await self._hub.settle_received(self._name, heard.key, outcome, forget=True)
            except (StoreError, Refusal):
                logger.exception("the end of a message could not be noted; it is looked at again")

    async def _watch(self) -> None:
        """For ever: learn who we are, see whether the token stands, take up what was left behind."""
        while True:
            try:
                await self._workspaces.look()
                await self._take_up()
            except Exception:
                logger.exception("the watch over %s failed; it goes on", self._name)
            await asyncio.sleep(_WATCH_SECONDS)

    async def _take_up(self) -> None:
        """What was acknowledged and never done is done now: by a process that ended, or while the database failed."""
        before = time.monotonic() - _IN_HAND_SECONDS
        self._in_hand = {key: since for key, since in self._in_hand.items() if since > before}
        for key, raw in await self._hub.left_received(self._name):
            if key in self._in_hand:
                continue
            kept = orjson.loads(raw)
            heard = parse.heard(kept["payload"], kept["said_at_us"])
            if heard is not None:
                self._begin(heard)

    def _told_by_socket(self, problem: str | None) -> None:
        self._socket_problem = problem

    # --- out ---

    async def post(self, post: Post) -> str:
        return await (await self._workspaces.of_address(post.address)).post(post)

    async def message(self, address: str, text: str, key: str) -> None:
        await (await self._workspaces.of_address(address)).message(address, text)

    async def update(self, reference: str, post: Post) -> str:
        return await (await self._workspaces.of_address(post.address)).update(reference, post)

    async def remind(self, reference: str, post: Post) -> str:
        return await (await self._workspaces.of_address(post.address)).remind(reference, post)

    def address_of(self, identities: Mapping[str, str], email: str | None) -> str | None:
        identity = identities.get(self._name)
        if identity is None:
            return email if self._settings.match_email and not self._settings.by_oauth else None
        return identity if "/" in identity else None

    async def check(self) -> list[str]:
        return await check(self._name, self._settings, self._hub)


def adapter(channel: Channel, hub: Hub) -> Adapter:
    """The entry point `interlock.adapters: slack`."""
    return SlackAdapter(channel, hub)


async def _body_of(request: Request) -> bytes:
    """The bytes as received. Raises TooLarge before more than the bound is held, Unproven when the sender went away."""
    length = request.headers.get("content-length", "0")
    if not length.isdigit() or len(length) > 12 or int(length) > MOST_BYTES:
        raise TooLarge("too_large", f"a request may have {MOST_BYTES:,} bytes")
    parts: list[bytes] = []
    size = 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > MOST_BYTES:
                raise TooLarge("too_large", f"a request may have {MOST_BYTES:,} bytes")
            parts.append(part)
    except ClientDisconnect:
        raise Unproven("bad_signature", "the request broke off") from None
    return b"".join(parts)
