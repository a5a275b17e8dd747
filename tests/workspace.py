"""A small Slack of ours: the Web API and Socket Mode as documented, for one workspace, judging what it is sent.

It refuses what Slack refuses (a token it does not know, JSON for a method that takes forms, blocks past a limit),
fails as told, and signs its own requests with slack-sdk's signer.
"""

from __future__ import annotations

import asyncio
import html
import itertools
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httpx
from blocks import check_message, check_view, texts_of
from serving import serving
from slack_sdk.signature import SignatureVerifier
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

CLIENT_SECRET = "c" * 32
TEAM, BOT, APP_TOKEN, BOT_TOKEN, SECRET = "T1", "UBOT", "xapp-1-test", "xoxb-test", "8f742231b10e8888abcd99yyyzzz85a5"
FORMS = {
    *("auth.test", "users.info", "users.lookupByEmail", "conversations.info", "conversations.list"),
    *("usergroups.users.list", "oauth.v2.access"),
}
SCOPES = "app_mentions:read,channels:read,chat:write,commands,groups:read,im:history,im:write,users:read,"
SCOPES += "usergroups:read,users:read.email"


@dataclass(kw_only=True)
class Shown:
    """A message as everybody sees it now."""

    channel: str
    ts: str
    text: str
    blocks: list[dict[str, Any]]
    thread: str | None = None
    private_to: str | None = None
    edits: int = 0

    @property
    def words(self) -> str:
        """Everything that can be read in it, as it looks."""
        return html.unescape("\n".join(each["text"] for each in texts_of(self.blocks)) or self.text)

    @property
    def buttons(self) -> list[dict[str, Any]]:
        return [button for block in self.blocks if block["type"] == "actions" for button in block["elements"]]

    @property
    def tokens(self) -> tuple[str, ...]:
        """What the buttons that act carry."""
        acting = ("interlock.press", "interlock.reason", "interlock.typed")
        return tuple(each["value"] for each in self.buttons if each["action_id"].startswith(acting))

    def button(self, label: str) -> dict[str, Any]:
        return next(each for each in self.buttons if each["text"]["text"].startswith(label))


@dataclass(kw_only=True)
class Workspace:
    """The far side. `failures` of a method are used up one a call: an error's name, a status, or seconds to wait."""

    url: str = ""
    messages: list[Shown] = field(default_factory=list)
    views: dict[str, dict[str, Any]] = field(default_factory=dict)
    homes: dict[str, dict[str, Any]] = field(default_factory=dict)
    answers: list[dict[str, Any]] = field(default_factory=list)
    """What came to response URLs."""
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    failures: dict[str, list[str | int | float]] = field(default_factory=dict)
    users: dict[str, dict[str, Any]] = field(default_factory=lambda: {"U1": {}, "U2": {}, "U3": {}})
    rooms: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {"C1": {"name": "prod", "is_member": True}, "C2": {"name": "ops", "is_member": True}}
    )
    groups: dict[str, list[str]] = field(default_factory=dict)
    """User group -> its members; pages of two."""
    team: str = TEAM
    installs: dict[str, str] = field(default_factory=dict)
    """Further bot tokens -> the team that each is of."""
    codes: dict[str, str] = field(default_factory=dict)
    """Code of a finished installation -> the team that was chosen; each is good once."""
    refreshes: dict[str, str] = field(default_factory=dict)
    """Refresh token -> its team; each is good once."""
    expires_in: int | None = None
    """Seconds that a token from OAuth lasts; None without rotation."""
    bad: list[str] = field(default_factory=list)
    """What was sent that Slack would not take."""
    held: asyncio.Event | None = None
    links: list[WebSocket] = field(default_factory=list)
    acks: dict[str, dict[str, Any]] = field(default_factory=dict)
    refuse_links: int = 0
    _numbers: Any = field(default_factory=lambda: itertools.count(1))
    _acked: asyncio.Event = field(default_factory=asyncio.Event)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/api/{method}", self._method, methods=["POST"]),
                Route("/respond/{channel}/{ts}", self._respond, methods=["POST"]),
                WebSocketRoute("/link", self._link),
            ]
        )

    @property
    def api_url(self) -> str:
        return f"{self.url}/api/"

    def times(self, method: str) -> int:
        return sum(each == method for each, _ in self.calls)

    def cards(self, channel: str | None = None) -> list[Shown]:
        """Messages that stand in a channel by themselves."""
        return [each for each in self.messages if each.thread is None and channel in (None, each.channel)]

    def thread(self, ts: str) -> list[Shown]:
        return [each for each in self.messages if each.thread == ts]

    # --- the Web API ---

    async def _method(self, request: Request) -> Response:
        method = request.path_params["method"]
        form = "json" not in request.headers.get("content-type", "")
        body = await request.body()
        arguments = dict(parse_qsl(body.decode())) if form else json.loads(body or b"{}")
        self.calls.append((method, arguments))
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        self.team = self.installs.get(token, self.team if token == BOT_TOKEN else TEAM)
        known = {APP_TOKEN} if method == "apps.connections.open" else {BOT_TOKEN, *self.installs}
        if token not in known and method != "oauth.v2.access":
            return JSONResponse({"ok": False, "error": "invalid_auth"})
        if not form and method in FORMS:
            self.bad.append(f"{method} takes a form, not JSON")
            return JSONResponse({"ok": False, "error": "invalid_arguments"})
        failed = await self._fail(method)
        if failed is not None:
            return failed
        if self.held is not None and method.startswith("chat."):
            await self.held.wait()
        try:
            answer = getattr(self, f"_{method.replace('.', '_')}")(arguments)
        except (AssertionError, ValueError) as error:
            self.bad.append(f"{method}: {error!r}")
            return JSONResponse({"ok": False, "error": "invalid_blocks"})
        except Exception as error:
            self.bad.append(f"{method}: {error!r}")
            return JSONResponse({"ok": False, "error": "invalid_arguments"})
        if isinstance(answer, str):
            return JSONResponse({"ok": False, "error": answer})
        return JSONResponse({"ok": True, **answer}, headers={"x-oauth-scopes": SCOPES})

    async def _fail(self, method: str) -> Response | None:
        planned = self.failures.get(method)
        if not planned:
            return None
        match planned.pop(0):
            case float(seconds):
                await asyncio.sleep(seconds)
                return None
            case 429:
                return JSONResponse({"ok": False, "error": "ratelimited"}, 429, {"retry-after": "1"})
            case int(status):
                return PlainTextResponse("upstream connect error", status)
            case error:
                return JSONResponse({"ok": False, "error": error})

    def _auth_test(self, given: Mapping[str, Any]) -> Any:
        return {"team_id": self.team, "user_id": BOT, "bot_id": "B1", "url": "https://example.slack.com/"}

    def _oauth_v2_access(self, given: Mapping[str, Any]) -> Any:
        if (given["client_id"], given["client_secret"]) != ("1.2", CLIENT_SECRET):
            return "bad_client_secret"
        if given.get("grant_type") == "refresh_token":
            team = self.refreshes.pop(given["refresh_token"], None)
        else:
            team = self.codes.pop(given["code"], None)
        if team is None:
            return "invalid_refresh_token" if "refresh_token" in given else "invalid_code"
        number = next(self._numbers)
        token = f"xoxb-{team}-{number}"
        self.installs[token] = team
        answer = {
            "access_token": token,
            "token_type": "bot",
            "scope": SCOPES,
            "bot_user_id": BOT,
            "app_id": "A1",
            "team": {"id": team, "name": f"Workspace {team}"},
            "enterprise": None,
            "authed_user": {"id": "U1"},
            "is_enterprise_install": False,
        }
        if self.expires_in is not None:
            self.refreshes[f"xoxe-1-{number}"] = team
            answer |= {"refresh_token": f"xoxe-1-{number}", "expires_in": self.expires_in}
        return answer

    def _users_info(self, given: Mapping[str, Any]) -> Any:
        if given["user"] not in self.users:
            return "user_not_found"
        return {"user": {"id": given["user"], "team_id": self.team, **self.users[given["user"]]}}

    def _users_lookupByEmail(self, given: Mapping[str, Any]) -> Any:
        """Guests and strangers are not found, as Slack has it."""
        for user, facts in self.users.items():
            outside = any(facts.get(key) for key in ("is_restricted", "is_ultra_restricted", "is_stranger", "deleted"))
            if facts.get("profile", {}).get("email") == given["email"] and not outside:
                return {"user": {"id": user, "team_id": self.team, **facts}}
        return "users_not_found"

    def _usergroups_users_list(self, given: Mapping[str, Any]) -> Any:
        if given["usergroup"] not in self.groups:
            return "no_such_subteam"
        users, at = self.groups[given["usergroup"]], int(given.get("cursor") or 0)
        return {
            "users": users[at : at + 2],
            "response_metadata": {"next_cursor": str(at + 2) if at + 2 < len(users) else ""},
        }

    def _conversations_info(self, given: Mapping[str, Any]) -> Any:
        room = self.rooms.get(given["channel"])
        return "channel_not_found" if room is None else {"channel": {"id": given["channel"], **room}}

    def _conversations_list(self, given: Mapping[str, Any]) -> Any:
        ids = sorted(each for each, room in self.rooms.items() if room.get("team", TEAM) == self.team)
        at = int(given.get("cursor") or 0)
        found = [{"id": each, **self.rooms[each]} for each in ids[at : at + 1]]
        return {"channels": found, "response_metadata": {"next_cursor": str(at + 1) if at + 1 < len(ids) else ""}}

    def _stands(self, channel: str) -> str | None:
        """Why nothing can be written there."""
        room = self.rooms.get(channel)
        if channel.startswith("D"):
            return None
        if channel.startswith("U"):
            return None if channel in self.users else "user_not_found"
        if room is None:
            return "channel_not_found"
        if room.get("is_archived"):
            return "is_archived"
        return None if room.get("is_member") else "not_in_channel"

    def _chat_postMessage(self, given: Mapping[str, Any]) -> Any:
        why = self._stands(given["channel"])
        if why is not None:
            return why
        assert given["unfurl_links"] is False and given["unfurl_media"] is False
        check_message(given["text"], given["blocks"])
        channel = f"D{given['channel'][1:]}" if given["channel"].startswith("U") else given["channel"]
        thread = given.get("thread_ts")
        assert thread is None or not any(each.ts == thread and each.thread for each in self.messages)
        return self._stand(channel, given, thread=thread)

    def _stand(self, channel: str, given: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        ts = f"{1_700_000_000 + next(self._numbers)}.000100"
        self.messages.append(Shown(channel=channel, ts=ts, text=given["text"], blocks=given["blocks"], **more))
        return {"channel": channel, "ts": ts}

    def _chat_postEphemeral(self, given: Mapping[str, Any]) -> Any:
        why = self._stands(given["channel"])
        if why is not None:
            return why
        check_message(given["text"], given["blocks"])
        self._stand(given["channel"], given, thread=given.get("thread_ts"), private_to=given["user"])
        return {"message_ts": self.messages[-1].ts}

    def _chat_update(self, given: Mapping[str, Any]) -> Any:
        check_message(given["text"], given["blocks"])
        for message in self.messages:
            if (message.channel, message.ts, message.private_to) == (given["channel"], given["ts"], None):
                message.text, message.blocks = given["text"], given["blocks"]
                message.edits += 1
                return {"channel": given["channel"], "ts": given["ts"]}
        return "message_not_found"

    def _views_open(self, given: Mapping[str, Any]) -> Any:
        assert given["trigger_id"]
        check_view(given["view"])
        name = f"V{next(self._numbers)}"
        self.views[name] = given["view"]
        return {"view": {"id": name}}

    def _views_update(self, given: Mapping[str, Any]) -> Any:
        check_view(given["view"])
        if given["view_id"] not in self.views:
            return "not_found"
        self.views[given["view_id"]] = given["view"]
        return {"view": {"id": given["view_id"]}}

    def _views_publish(self, given: Mapping[str, Any]) -> Any:
        check_view(given["view"])
        assert given["view"]["type"] == "home"
        self.homes[given["user_id"]] = given["view"]
        return {}

    async def _respond(self, request: Request) -> Response:
        given = await request.json()
        check_message(given["text"], given["blocks"])
        channel, ts = request.path_params["channel"], request.path_params["ts"]
        self.answers.append(given)
        if given.get("replace_original"):
            for message in self.messages:
                if (message.channel, message.ts) == (channel, ts):
                    message.text, message.blocks = given["text"], given["blocks"]
        return PlainTextResponse("ok")

    # --- Socket Mode ---

    def _apps_connections_open(self, given: Mapping[str, Any]) -> Any:
        if self.refuse_links:
            self.refuse_links -= 1
            return "internal_error"
        return {"url": f"{self.url.replace('http', 'ws', 1)}/link"}

    async def _link(self, socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_json({"type": "hello", "num_connections": len(self.links) + 1})
        self.links.append(socket)
        try:
            while True:
                frame = await socket.receive_json()
                self.acks[frame["envelope_id"]] = frame
                self._acked.set()
        except (WebSocketDisconnect, RuntimeError):
            pass
        finally:
            if socket in self.links:
                self.links.remove(socket)

    async def deliver(self, payload: Mapping[str, Any], kind: str, envelope: str, link: int = 0) -> dict[str, Any]:
        """The acknowledgement of one envelope over one of the connections."""
        self.acks.pop(envelope, None)
        frame = {"envelope_id": envelope, "type": kind, "payload": payload, "accepts_response_payload": True}
        await self.links[link].send_json(frame)
        async with asyncio.timeout(5):
            while envelope not in self.acks:
                self._acked.clear()
                await self._acked.wait()
        return self.acks[envelope]

    # --- what its people do ---

    def command(self, text: str, *, user: str = "U1", trigger: str = "t1", **more: Any) -> dict[str, Any]:
        return {
            "token": "old",
            "team_id": TEAM,
            "team_domain": "example",
            "channel_id": "C1",
            "channel_name": "prod",
            "user_id": user,
            "user_name": "somebody",
            "command": "/hub",
            "text": text,
            "api_app_id": "A1",
            "is_enterprise_install": "false",
            "response_url": f"{self.url}/respond/C1/none",
            "trigger_id": trigger,
            **more,
        }

    def press(self, button: Mapping[str, Any], shown: Shown | None = None, **more: Any) -> dict[str, Any]:
        """A block action. The `team` of the payload is where the app is installed, whoever pressed."""
        user, trigger = more.pop("user", "U2"), more.pop("trigger", "t1")
        channel, ts = (shown.channel, shown.ts) if shown is not None else ("C1", "1700000000.000000")
        return {
            "type": "block_actions",
            "user": {"id": user, "username": "somebody", "team_id": more.pop("user_team", TEAM)},
            "api_app_id": "A1",
            "container": {"type": "message", "message_ts": ts, "channel_id": channel, "is_ephemeral": False},
            "trigger_id": trigger,
            "team": {"id": TEAM, "domain": "example"},
            "enterprise": None,
            "is_enterprise_install": False,
            "channel": {"id": channel, "name": "prod"},
            "message": {"type": "message", "ts": ts, "blocks": shown.blocks if shown is not None else []},
            "response_url": f"{self.url}/respond/{channel}/{ts}",
            "actions": [{"block_id": self._block_of(button, shown), "type": "button", "action_ts": "1.2", **button}],
            **more,
        }

    def _block_of(self, button: Mapping[str, Any], shown: Shown | None) -> str:
        blocks = shown.blocks if shown is not None else []
        return next((each["block_id"] for each in blocks if button in each.get("elements", ())), "b")

    def submit(self, view_id: str, why: str, *, user: str = "U2") -> dict[str, Any]:
        view = self.views[view_id]
        (given,) = [each for each in view["blocks"] if each["type"] == "input"]
        return {
            "type": "view_submission",
            "team": {"id": TEAM},
            "user": {"id": user, "team_id": TEAM},
            "api_app_id": "A1",
            "trigger_id": "t9",
            "view": {
                "id": view_id,
                "type": "modal",
                "callback_id": view["callback_id"],
                "private_metadata": view["private_metadata"],
                "app_installed_team_id": TEAM,
                "state": {
                    "values": {
                        given["block_id"]: {given["element"]["action_id"]: {"type": "plain_text_input", "value": why}}
                    }
                },
            },
            "response_urls": [],
        }

    def event(self, event_id: str = "Ev1", **event: Any) -> dict[str, Any]:
        return {
            "token": "old",
            "team_id": TEAM,
            "api_app_id": "A1",
            "type": "event_callback",
            "event_id": event_id,
            "event_time": 1,
            "authorizations": [{"team_id": TEAM, "user_id": BOT, "is_bot": True}],
            "event": {"team": TEAM, **event},
        }


def signed(body: bytes, *, secret: str = SECRET, stamp: str | None = None) -> dict[str, str]:
    """The headers that slack-sdk's own signer makes."""
    stamp = str(int(time.time())) if stamp is None else stamp
    signature = SignatureVerifier(secret).generate_signature(timestamp=stamp, body=body)
    assert signature is not None
    return {"x-slack-request-timestamp": stamp, "x-slack-signature": signature}


def encoded(payload: Mapping[str, Any]) -> tuple[bytes, str]:
    """Body and content type, as Slack sends this kind of payload."""
    if payload.get("type") in ("event_callback", "url_verification"):
        return json.dumps(payload).encode(), "application/json"
    form = payload if "command" in payload else {"payload": json.dumps(payload)}
    return urlencode(form).encode(), "application/x-www-form-urlencoded"


async def send(client: httpx.AsyncClient, payload: Mapping[str, Any], **signing: Any) -> httpx.Response:
    """What the hub acknowledges a signed request with."""
    body, content_type = encoded(payload)
    headers = {"content-type": content_type, **signed(body, **signing)}
    return await client.post("/slack/events", content=body, headers=headers)


@asynccontextmanager
async def workspace(**given: Any) -> AsyncIterator[Workspace]:
    """A Slack that answers, and that has nothing to complain of at the end."""
    far = Workspace(**given)
    async with serving(far.app()) as port:
        far.url = f"http://127.0.0.1:{port}"
        yield far
    assert far.bad == []
