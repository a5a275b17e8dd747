"""Frames of `/v1/ws` as clients send them, read. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from core.errors import Invalid, TooLarge

MOST_BYTES = 65_536
_ID_LENGTH = 128
_EVENTS = 100

Cards = Literal["none", "live", "open"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandFrame:
    """A typed command. `key` makes it act once, also when it is sent again over another connection."""

    id: str | int | None
    text: str
    key: str | None

    @property
    def body_hash(self) -> bytes:
        """SHA-256 of the text: another text under the same key is refused."""
        return hashlib.sha256(self.text.encode(errors="replace")).digest() if self.key is not None else b""


@dataclass(frozen=True, slots=True, kw_only=True)
class PressFrame:
    """A press of a button."""

    id: str | int | None
    token: str
    comment: str | None
    confirm: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribeFrame:
    """A wish to follow: entries after a seq (None: from now on), and cards.

    Cards: `none`; `live`, each as its approval changes; `open`, those open now and then live.
    """

    after: int | None
    events: frozenset[str]
    cards: Cards


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowFrame:
    """A wish to see one approval as it is now."""

    id: str | int | None
    approval: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchFrame:
    """A wish to see what a run prints, from an offset on, in place of any such wish for that run."""

    id: str | int | None
    run: str
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnwatchFrame:
    """No more of what that run prints."""

    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PingFrame:
    """A sign of life."""


Frame = CommandFrame | PressFrame | SubscribeFrame | ShowFrame | WatchFrame | UnwatchFrame | PingFrame


class BadFrame(Invalid):
    """A frame that means nothing; `id` is what it named itself, where that could be read."""

    def __init__(self, message: str, id: str | int | None = None) -> None:
        super().__init__("bad_frame", message)
        self.id = id


def frame_of(text: str) -> Frame:
    """What a frame means. Raises BadFrame, and TooLarge `too_large` for one past the bound."""
    if len(text) > MOST_BYTES or (not text.isascii() and len(text.encode()) > MOST_BYTES):
        raise TooLarge("too_large", f"a frame may have {MOST_BYTES:,} bytes")
    try:
        frame = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadFrame(f"not JSON: {str(error)[:200]}") from None
    if type(frame) is not dict:
        raise BadFrame('a frame is an object, like {"type": "ping"}')
    id = _id(frame)
    match frame.get("type"):
        case "command":
            key = _optional_text(frame, "key", id)
            if key is not None and not 0 < len(key) <= _ID_LENGTH:
                raise BadFrame(f"`key` has 1 to {_ID_LENGTH} characters", id)
            return CommandFrame(id=id, text=_text(frame, "text", id), key=key)
        case "press":
            comment, confirm = (_optional_text(frame, name, id) for name in ("comment", "confirm"))
            return PressFrame(id=id, token=_text(frame, "token", id), comment=comment, confirm=confirm)
        case "subscribe":
            return _subscribe(frame)
        case "show":
            return ShowFrame(id=id, approval=_text(frame, "approval", id))
        case "watch":
            return WatchFrame(id=id, run=_run(frame, id), offset=_offset(frame, id))
        case "unwatch":
            return UnwatchFrame(run=_run(frame, id))
        case "ping":
            return PingFrame()
    raise BadFrame("`type` is one of command, press, subscribe, show, watch, unwatch, ping", id)


def _subscribe(frame: dict[str, Any]) -> SubscribeFrame:
    after, events, cards = frame.get("after"), frame.get("events") or [], frame.get("cards", "live")
    if after is not None and (type(after) is not int or not 0 <= after < 2**53):
        raise BadFrame("`after` is the seq of the last event that you have, or absent")
    if type(events) is not list or len(events) > _EVENTS or not all(type(each) is str for each in events):
        raise BadFrame("`events` is a list of names, like approval:approved; none means all")
    if cards not in ("none", "live", "open"):
        raise BadFrame("`cards` is one of none, live, open")
    return SubscribeFrame(after=after, events=frozenset(events), cards=cards)


def _run(frame: dict[str, Any], id: str | int | None) -> str:
    run = _text(frame, "run", id)
    if len(run) > _ID_LENGTH:
        raise BadFrame("`run` is the id of a run, like R9", id)
    return run


def _offset(frame: dict[str, Any], id: str | int | None) -> int:
    offset = frame.get("offset", 0)
    if type(offset) is not int or not 0 <= offset < 2**53:
        raise BadFrame("`offset` is the `next` of the last output that you have, or absent", id)
    return offset


def _id(frame: dict[str, Any]) -> str | int | None:
    id = frame.get("id")
    if id is None or (type(id) is int and abs(id) < 2**53) or (type(id) is str and len(id) <= _ID_LENGTH):
        return id
    raise BadFrame(f"`id` is a whole number, or a text of at most {_ID_LENGTH} characters")


def _text(frame: dict[str, Any], name: str, id: str | int | None) -> str:
    value = frame.get(name)
    if type(value) is not str:
        raise BadFrame(f"`{name}` is missing, or no text", id)
    return value


def _optional_text(frame: dict[str, Any], name: str, id: str | int | None) -> str | None:
    return None if frame.get(name) is None else _text(frame, name, id)
