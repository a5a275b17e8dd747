"""What Slack sent, proved and read. Pure: bytes and payloads in, values out; nothing is looked up anywhere.

Requests are signed as Slack documents under "Verifying requests from Slack" (version v0).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import orjson

from adapters.slack.text import unescape
from core.errors import Unproven

PRESS, REASON, VIEW, SAY = "interlock.press", "interlock.reason", "interlock.view", "interlock.say"
TYPED = "interlock.typed"
"""What an action id begins with: act now; ask why first; show the whole request; say a command; have its id typed."""
WHY_BLOCK, WHY_INPUT = "interlock.why", "interlock.why.text"
TYPED_BLOCK, TYPED_INPUT = "interlock.confirm", "interlock.confirm.text"
MOST_BYTES = 1_048_576

_AGE_SECONDS = 300
_REFERENCE = re.compile(r"<([@#!]?)([^<>|]*)(?:\|([^<>]*))?>")
_CARD = re.compile(r"(A[1-9][0-9]{0,17}):")
_LINK = re.compile(r"link\s+[`'\"]?([A-Za-z0-9][A-Za-z0-9\s\u2010-\u2015-]{6,24}?)[`'\"]?", re.IGNORECASE)
_MENTION = re.compile(r"^\s*<@[UW][A-Z0-9]+(?:\|[^<>]*)?>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who Slack says it was. A user id means something only together with its team."""

    user: str
    team: str
    enterprise: str | None = None

    @property
    def identities(self) -> tuple[str, ...]:
        """As hub.yaml may name it: by workspace, or by organisation."""
        found = [f"{self.team}/{self.user}"] if self.team else []
        return tuple(found + ([f"{self.enterprise}/{self.user}"] if self.enterprise else []))


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One thing that somebody did in Slack."""

    kind: Literal[
        "said",
        "pressed",
        "gave_reason",
        "gave_id",
        "asks_reason",
        "asks_id",
        "asks_whole",
        "opened_home",
        "room_changed",
        "group_changed",
        "uninstalled",
    ]
    account: Account
    home: str = ""
    """The workspace, or the organisation, in which the app that heard it is installed."""
    key: str
    """The same however often Slack delivers it."""
    room: str | None = None
    thread: str | None = None
    private: bool = False
    """Whether it was said to the bot alone."""
    text: str = ""
    """As Slack wrote it, with its escapes."""
    token: str = ""
    label: str = ""
    title: str = ""
    trigger: str | None = None
    answer_url: str | None = None
    view: str | None = None
    message: str | None = None
    """The ts of the message whose button was pressed."""
    approval: str | None = None
    """Which request the pressed card was about, as the card itself says: to look at, never to decide by."""
    said_at_us: int | None = None

    @property
    def lasting(self) -> bool:
        """Whether it must survive a restart once Slack was told that it arrived."""
        return self.kind in ("said", "pressed", "gave_reason", "gave_id", "uninstalled")

    @property
    def body_hash(self) -> bytes:
        """SHA-256 of what was said, apart from what each delivery carries of its own."""
        return hashlib.sha256(orjson.dumps([self.account.identities, self.text, self.token])).digest()


def prove(secrets: Iterable[str], headers: Mapping[str, str], body: bytes, now_us: int) -> int:
    """The request is Slack's; its own time in microseconds. Raises Unproven `bad_signature`, whatever is wrong."""
    stamp = headers.get("x-slack-request-timestamp", "")
    given = headers.get("x-slack-signature", "").encode()
    if not re.fullmatch(r"[0-9]{1,12}", stamp, re.ASCII):
        raise Unproven("bad_signature", "the time of the request is missing or is none")
    if abs(now_us // 1_000_000 - int(stamp)) > _AGE_SECONDS:
        raise Unproven("bad_signature", "the request is older than five minutes, or of the future")
    signed = b"v0:" + stamp.encode() + b":" + body
    fits = [
        hmac.compare_digest(b"v0=" + hmac.new(each.encode(), signed, "sha256").hexdigest().encode(), given)
        for each in secrets
    ]
    if not any(fits):
        raise Unproven("bad_signature", "the signature does not fit")
    return int(stamp) * 1_000_000


def heard(payload: Mapping[str, Any], said_at_us: int | None = None) -> Heard | None:
    """What somebody did; None for what is not for us: other apps' and our own messages, edits, closed dialogs."""
    try:
        found = _heard(payload, said_at_us)
        return None if found is None else replace(found, home=_home(payload))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        return None


def _home(payload: Mapping[str, Any]) -> str:
    """Where the app is installed for which this came: an organisation's own installation has no team."""
    enterprise = payload.get("enterprise_id") or (payload.get("enterprise") or {}).get("id")
    if payload.get("is_enterprise_install") in (True, "true") and enterprise:
        return str(enterprise)
    given = payload.get("authorizations")
    first = given[0] if isinstance(given, list) and given and isinstance(given[0], Mapping) else {}
    if first.get("is_enterprise_install") is True and first.get("enterprise_id"):
        return str(first["enterprise_id"])
    team = payload.get("team") or {}
    view = payload.get("view") or {}
    return str(
        view.get("app_installed_team_id") or first.get("team_id") or payload.get("team_id") or team.get("id") or ""
    )


def _heard(payload: Mapping[str, Any], said_at_us: int | None) -> Heard | None:
    match payload.get("type"):
        case "block_actions":
            return _action(payload)
        case "view_submission":
            return _submission(payload)
        case "event_callback":
            return _event(payload)
        case None if "command" in payload:
            return _command(payload, said_at_us)
        case _:
            return None


def link_code(text: str) -> str | None:
    """The code of `link CODE`; None for every other command."""
    found = _LINK.fullmatch(unescape(text).strip())
    return found[1] if found is not None else None


def said(text: str, name_of: Callable[[str], str | None]) -> str:
    """Command text as it was typed: Slack's references and escapes undone, people by the hub's own names."""

    def plain(found: re.Match[str]) -> str:
        sigil, what, label = found[1], found[2], found[3]
        if sigil == "@":
            return f"@{name_of(what) or what}"
        if sigil == "#":
            return f"#{label or what}"
        if sigil == "!":
            return label or f"@{what.partition('^')[0]}"
        return label if label and label in what else what

    return unescape(_REFERENCE.sub(plain, text)).strip()


def _command(payload: Mapping[str, Any], said_at_us: int | None) -> Heard:
    return Heard(
        kind="said",
        account=Account(
            user=payload["user_id"], team=payload.get("team_id") or "", enterprise=payload.get("enterprise_id") or None
        ),
        key=f"command:{payload['trigger_id']}",
        room=payload["channel_id"],
        private=payload["channel_id"].startswith("D"),
        text=payload.get("text") or "help",
        trigger=payload["trigger_id"],
        answer_url=payload.get("response_url"),
        said_at_us=said_at_us,
    )


def _presser(payload: Mapping[str, Any]) -> Account:
    """Only `user.team_id` tells an outsider of a shared channel: `team` is where the app is installed."""
    user, enterprise = payload["user"], payload.get("enterprise") or {}
    team = user.get("team_id") or (payload.get("team") or {}).get("id") or ""
    installed = (payload.get("team") or {}).get("id")
    ours = team == installed or bool(payload.get("is_enterprise_install"))
    return Account(user=user["id"], team=team, enterprise=(enterprise.get("id") or None) if ours else None)


def _action(payload: Mapping[str, Any]) -> Heard | None:
    action = payload["actions"][0]
    what = str(action["action_id"])
    kinds: dict[str, Literal["pressed", "asks_reason", "asks_id", "asks_whole", "said"]] = {
        PRESS: "pressed",
        REASON: "asks_reason",
        TYPED: "asks_id",
        VIEW: "asks_whole",
        SAY: "said",
    }
    kind = next((kind for start, kind in kinds.items() if what == start or what.startswith(f"{start}.")), None)
    value = str(action.get("value") or "")
    card = _CARD.match(str(action.get("block_id") or ""))
    container, message = payload.get("container") or {}, payload.get("message") or {}
    room = (payload.get("channel") or {}).get("id") or container.get("channel_id")
    return Heard(
        kind=kind or "pressed",  # an unknown button: the hub says that it is not ours
        account=_presser(payload),
        key=f"press:{payload.get('trigger_id') or action.get('action_ts')}",
        room=room,
        thread=message.get("thread_ts"),
        private=bool(room and room.startswith("D")) or container.get("type") == "view",
        text=value if kind == "said" else "",
        token=value,
        label=str((action.get("text") or {}).get("text") or ""),
        title=_title(message),
        approval=card[1] if card is not None else None,
        trigger=payload.get("trigger_id"),
        answer_url=payload.get("response_url"),
        view=(payload.get("view") or {}).get("id"),
        message=container.get("message_ts") or message.get("ts"),
    )


def _title(message: Mapping[str, Any]) -> str:
    """The heading of the card that was pressed, as we wrote it."""
    for block in message.get("blocks") or ():
        if block.get("type") == "header":
            return str(block["text"]["text"])
    return ""


_ASKED: Mapping[str, tuple[Literal["gave_reason", "gave_id"], str, str]] = {
    REASON: ("gave_reason", WHY_BLOCK, WHY_INPUT),
    TYPED: ("gave_id", TYPED_BLOCK, TYPED_INPUT),
}
"""Of each dialog that asks for something: what its answer is, and where in it that stands."""


def _submission(payload: Mapping[str, Any]) -> Heard | None:
    view = payload["view"]
    asked = _ASKED.get(str(view.get("callback_id")))
    if asked is None:
        return None
    kind, block, field = asked
    token = str(view["private_metadata"])
    given = view["state"]["values"][block][field].get("value") or ""
    return Heard(
        kind=kind,
        account=_presser(payload),
        key=f"view:{view['id']}",
        text=given,
        token=token,
        view=view["id"],
    )


def _event(payload: Mapping[str, Any]) -> Heard | None:
    event = payload["event"]
    kind = event["type"]
    if event.get("bot_id") or event.get("subtype") or event.get("hidden"):
        return None
    team = event.get("user_team") or event.get("team") or payload.get("team_id") or ""
    ours = team == payload.get("team_id")
    enterprise = (payload.get("enterprise_id") or None) if ours else None
    account = Account(user=str(event.get("user") or ""), team=team, enterprise=enterprise)
    match kind:
        case "app_mention":
            return _message(event, account, private=False)
        case "message" if event.get("channel_type") == "im":
            return _message(event, account, private=True)
        case "app_home_opened" if event.get("tab", "home") == "home":
            return Heard(kind="opened_home", account=account, key=f"event:{payload['event_id']}")
        case "member_joined_channel" | "channel_shared" | "channel_unshared" | "channel_unarchive":
            return Heard(
                kind="room_changed", account=account, key=f"event:{payload['event_id']}", room=str(event["channel"])
            )
        case "app_uninstalled":
            return Heard(kind="uninstalled", account=account, key=f"event:{payload['event_id']}")
        case "tokens_revoked" if (event.get("tokens") or {}).get("bot"):
            return Heard(kind="uninstalled", account=account, key=f"event:{payload['event_id']}")
        case "subteam_members_changed" | "subteam_updated" | "subteam_created":
            return Heard(kind="group_changed", account=account, key=f"event:{payload['event_id']}")
        case _:
            return None


def _message(event: Mapping[str, Any], account: Account, *, private: bool) -> Heard | None:
    """A mention in a direct message arrives twice, as two events: the message's own place is the key."""
    if not account.user:
        return None
    text = _MENTION.sub("", event["text"], count=1).strip()
    return Heard(
        kind="said",
        account=account,
        key=f"message:{event['channel']}:{event['ts']}",
        room=event["channel"],
        thread=event.get("thread_ts"),
        private=private or event["channel"].startswith("D"),
        text=text or "help",
        message=event["ts"],
        said_at_us=int(float(event["ts"]) * 1_000_000),
    )
