"""Slack's Web API: one call at a time, and what its errors mean for a copy of a card."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from hub.contracts import DeliveryFailed

API_URL = "https://slack.com/api/"
_TIMEOUT_SECONDS = 10
_PATIENCE_SECONDS = 20.0
"""How long an answer to a person waits for Slack's leave before it is given up."""

_READING = frozenset(
    {
        *("auth.test", "users.info", "users.lookupByEmail", "conversations.info", "conversations.list"),
        *("usergroups.list", "usergroups.users.list", "oauth.v2.access"),
    }
)
"""Methods that take a form only; the others take JSON."""
_PLACE = {
    "not_in_channel": "the bot is not in that channel: invite it there (/invite)",
    "channel_not_found": "there is no such channel, or it is private and the bot is not in it: invite it there",
    "is_archived": "the channel is archived",
    "user_not_found": "there is no such person in the workspace",
    "users_not_found": "there is no such person in the workspace, or it is a guest or a stranger",
    "user_disabled": "that account is deactivated",
    "user_not_visible": "the bot may not see that person",
    "cannot_dm_bot": "that account is a bot",
    "messages_tab_disabled": "the app's Messages tab is off: switch it on under App Home",
    "restricted_action": "the workspace does not let the bot write there",
    "restricted_action_read_only_channel": "the channel is read-only",
    "restricted_action_thread_only_channel": "the channel takes replies only",
    "restricted_action_non_threadable_channel": "the channel takes no replies",
    "channel_is_limited_access": "the channel is open to some people only",
    "is_inactive": "the channel is frozen",
}
_OAUTH = {
    "invalid_client_id": "Slack does not know the client_id",
    "bad_client_secret": "the client_secret is not this app's",
    "invalid_code": "the code is none, or was used",
    "bad_redirect_uri": "the app's redirect URL is another one: it must be public_url and install_path with /done",
    "invalid_refresh_token": "the refresh token was used by somebody else: install the app there again",
    "token_rotation_not_enabled": "token rotation is off for the app",
}
_GROUP = {
    "no_such_subteam": "there is no such user group in the workspace",
    "subteam_not_found": "there is no such user group in the workspace",
    "plan_upgrade_required": "the workspace's plan has no user groups",
}
_TOKEN = {
    "invalid_auth": "Slack does not know the bot token",
    "not_authed": "no bot token was sent",
    "account_inactive": "the bot's account is deactivated",
    "token_revoked": "the bot token was revoked",
    "token_expired": "the bot token has expired",
    "not_allowed_token_type": "the token is of another kind than the bot's",
    "ekm_access_denied": "the organisation's administrators hold messages back",
    "access_denied": "the workspace denies the bot access",
    "missing_scope": "the bot lacks a scope",
    "no_permission": "the bot lacks a permission",
    "org_login_required": "the workspace is being moved to an organisation",
    "team_access_not_granted": "the app is not installed in that workspace",
}
_FINAL = {
    "message_not_found": "the message was deleted",
    "cant_update_message": "the message is not ours to change",
    "edit_window_closed": "the workspace lets nobody change a message of that age",
    "expired_trigger_id": "the three seconds in which a dialog may open were over",
    "exchanged_trigger_id": "a dialog was opened for that press already",
    "invalid_trigger_id": "Slack does not know that press any more",
}
_FORM = {
    "invalid_blocks": "Slack does not take the message's form",
    "invalid_blocks_format": "Slack does not take the message's form",
    "invalid_metadata_format": "Slack does not take the message's metadata",
    "msg_too_long": "Slack does not take a message of that length",
    "msg_blocks_too_long": "Slack does not take a message of that length",
}


class WrongForm(DeliveryFailed):
    """Slack takes no message of that form, and would take another one."""


class Api:
    """The Web API of one workspace, by one token or by the one that is in force at each call. Used inside `async with`."""

    def __init__(self, token: str | Callable[[], Awaitable[str]] | None, url: str | None) -> None:
        self._token = token
        self._url = url or API_URL
        self._session: aiohttp.ClientSession | None = None
        self._client: AsyncWebClient | None = None
        self._waits: dict[str, float] = {}

    async def __aenter__(self) -> Api:
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
        self._session = aiohttp.ClientSession(timeout=timeout, trust_env=False)
        self._client = AsyncWebClient(
            token=self._token if isinstance(self._token, str) else None,
            base_url=self._url,
            session=self._session,
            timeout=_TIMEOUT_SECONDS,
            retry_handlers=[],
        )
        return self

    async def __aexit__(self, *exc: object) -> None:
        session, self._session, self._client = self._session, None, None
        if session is not None:
            await session.close()

    def demand_open(self) -> None:
        """Nothing, while it is used inside its context. Raises DeliveryFailed."""
        if self._client is None:
            raise DeliveryFailed("the channel is not open")

    @property
    def session(self) -> aiohttp.ClientSession:
        """The one HTTP session. Raises DeliveryFailed while closed."""
        if self._session is None:
            raise DeliveryFailed("the channel is not open")
        return self._session

    async def call(self, method: str, *, place: str = "", **arguments: Any) -> Mapping[str, Any]:
        """What Slack answered. `place` is what a limit counts for. Raises DeliveryFailed."""
        self.demand_open()
        assert self._client is not None
        limited = f"{method} {place}"
        wait = self._waits.get(limited, 0.0) - asyncio.get_running_loop().time()
        if wait > 0:
            raise _throttled(wait, "Slack has asked us to wait")
        if callable(self._token):
            self._client.token = await self._token()
        try:
            if method in _READING:
                response = await self._client.api_call(method, data=arguments)
            else:
                response = await self._client.api_call(method, json=arguments)
        except SlackApiError as error:
            raise self._failed(limited, error) from None
        except (SlackClientError, aiohttp.ClientError, TimeoutError, OSError) as error:
            raise DeliveryFailed(f"Slack could not be reached: {type(error).__name__}") from error
        data = response.data
        if not isinstance(data, dict):
            raise DeliveryFailed("Slack gave no answer that can be read")
        scopes = (response.headers or {}).get("x-oauth-scopes")
        return data if scopes is None else {**data, "scopes": scopes}

    async def insist(self, method: str, **arguments: Any) -> Mapping[str, Any]:
        """The same for an answer that somebody waits for: a limit or a short failure is sat out, three times."""
        for attempt in range(3):
            try:
                return await self.call(method, **arguments)
            except DeliveryFailed as failed:
                wait = failed.retry_after_seconds or 0.5 * (attempt + 1)
                if failed.permanent or wait > _PATIENCE_SECONDS:
                    raise
                await asyncio.sleep(wait)
        return await self.call(method, **arguments)

    async def answer(self, url: str, body: Mapping[str, Any]) -> None:
        """Post to the address that came with a command or a press. Raises DeliveryFailed."""
        try:
            async with self.session.post(url, json=dict(body), allow_redirects=False) as response:
                if response.status >= 300:
                    raise DeliveryFailed(f"Slack took no answer ({response.status})")
        except (aiohttp.ClientError, TimeoutError) as error:
            raise DeliveryFailed(f"Slack took no answer: {type(error).__name__}") from error

    def _failed(self, limited: str, error: SlackApiError) -> DeliveryFailed:
        """What a failed call means. An answer of 200 that is not `ok` is a failure too."""
        response: Any = error.response
        status, headers = int(response.status_code), response.headers or {}
        data = response.data if isinstance(response.data, dict) else {}
        code = str(data.get("error") or "")
        if status == 429 or code in ("ratelimited", "rate_limited"):
            seconds = _seconds(headers.get("retry-after") or headers.get("Retry-After"))
            self._waits[limited] = asyncio.get_running_loop().time() + seconds
            return _throttled(seconds, f"Slack asks us to wait {seconds:.0f} s")
        if code in _PLACE:
            return DeliveryFailed(f"{_PLACE[code]} ({code})", permanent=True, address_is_dead=True)
        if code in _TOKEN:
            needed = f"; it needs {str(data['needed'])[:100]}" if data.get("needed") else ""
            words = f"{_TOKEN[code]} ({code}){needed}; see docs/slack.md"
            return DeliveryFailed(words, permanent=True, address_is_dead=True)
        if code in _OAUTH:
            return DeliveryFailed(f"{_OAUTH[code]} ({code})", permanent=True)
        if code in _GROUP:
            return DeliveryFailed(f"{_GROUP[code]} ({code})", permanent=True)
        if code in _FINAL:
            return DeliveryFailed(f"{_FINAL[code]} ({code})", permanent=True)
        if code in _FORM:
            return WrongForm(f"{_FORM[code]} ({code})", permanent=True)
        return DeliveryFailed(f"Slack answered {status} {code[:60]}".rstrip())


def _throttled(seconds: float, words: str) -> DeliveryFailed:
    return DeliveryFailed(words, throttled=True, retry_after_seconds=seconds, only_here=True)


def _seconds(text: Any) -> float:
    """Seconds of a Retry-After header, at most an hour; 1 for none or nonsense."""
    given = str(text or "")
    return min(3600.0, max(1.0, float(given))) if given.isdigit() and len(given) < 9 else 1.0
