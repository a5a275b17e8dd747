"""Bolt, between the wire and us: it routes and acknowledges, and what is acknowledged is durable first.

Its listeners never call Slack and never wait for work: one write, then the acknowledgement. `process_before_response`
spares the poll of 10 ms that Bolt makes by default.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltContext, AsyncBoltRequest
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

from adapters.slack import parse, render
from adapters.slack.parse import Heard
from core.errors import StoreError

_ANY = re.compile(r"[\s\S]*")
_HEARD, _FAILED, _SAID_AT = "interlock_heard", "interlock_failed", "interlock_said_at_us"

logger = logging.getLogger("interlock.slack")
_quiet = logging.getLogger("interlock.slack.bolt")
_quiet.setLevel(logging.CRITICAL)  # Bolt's own lines quote what a stranger sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """What Slack is told at once, and what is to be done after it was told."""

    status: int
    body: str
    content_type: str
    heard: Heard | None


class Listening:
    """One workspace's Bolt application. `keep` makes what was heard durable; False when it is done already."""

    def __init__(self, keep: Callable[[Heard, Mapping[str, Any], int | None], Awaitable[bool]]) -> None:
        self._keep = keep
        app = AsyncApp(
            logger=_quiet,
            process_before_response=True,
            signing_secret="checked before",  # noqa: S106 (the signature is checked over the raw bytes, in parse.prove)
            request_verification_enabled=False,
            ignoring_self_events_enabled=False,
            client=AsyncWebClient(logger=_quiet),
            authorize=_authorize,
        )
        for route in (app.command, app.action, app.event, app.options, app.shortcut, app.view_closed):
            route(_ANY)(self._take)
        app.view_submission(_ANY)(self._submitted)
        self._app = app

    async def take(
        self, body: str | dict[str, Any], *, content_type: str = "", said_at_us: int | None = None, mode: str = "http"
    ) -> Acknowledged:
        """The acknowledgement of one proved request."""
        request = AsyncBoltRequest(
            body=body, headers={"content-type": [content_type]}, context={_SAID_AT: said_at_us}, mode=mode
        )
        response = await self._app.async_dispatch(request)
        if request.context.get(_FAILED):
            return Acknowledged(status=503, body="", content_type="text/plain", heard=None)
        if response.status >= 500:  # Bolt reads parts of the payload itself, and does not expect them to be missing
            logger.warning("a proved request has a form that nobody knows")
            return Acknowledged(status=400, body="", content_type="text/plain", heard=None)
        return Acknowledged(
            status=response.status,
            body=response.body,
            content_type=response.first_headers().get("content-type", "text/plain"),
            heard=request.context.get(_HEARD),
        )

    async def _take(self, body: dict[str, Any], ack: AsyncAck, context: AsyncBoltContext) -> None:
        if await self._hear(body, context):
            await ack()

    async def _submitted(self, body: dict[str, Any], ack: AsyncAck, context: AsyncBoltContext) -> None:
        if await self._hear(body, context):
            await ack(response_action="update", view=render.notice_view("One moment", "It is being recorded …"))

    async def _hear(self, body: dict[str, Any], context: AsyncBoltContext) -> bool:
        """Whether it may be acknowledged: what must last is durable."""
        said_at_us = context.get(_SAID_AT)
        heard = parse.heard(body, said_at_us)
        if heard is None:
            return True
        try:
            fresh = not heard.lasting or await self._keep(heard, body, said_at_us)
        except Exception as error:
            if not isinstance(error, StoreError):
                logger.exception("a message could not be kept")
            context[_FAILED] = True
            return False
        if fresh:
            context[_HEARD] = heard
        return True


async def _authorize(**_: Any) -> AuthorizeResult:
    """One workspace, one token: nothing is asked of Slack before the acknowledgement."""
    return AuthorizeResult(enterprise_id=None, team_id=None, bot_id="B0", bot_user_id="U0", bot_token="xoxb-0")  # noqa: S106
