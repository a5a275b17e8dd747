"""Frames of `/v1/ws` as the hub sends them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from hub.contracts import Card, News, Output, Reply

PONG = '{"type":"pong"}'


def reply_frame(id: str | int | None, reply: Reply) -> str:
    """The answer to a command or a press, refused or not."""
    return _text({"type": "reply", "id": id, **reply.as_json()})


def event_frame(news: News) -> str:
    """One entry of the log."""
    return _text(
        {
            "type": "event",
            "seq": news.seq,
            "ts": news.ts,
            "event": news.event,
            "actor": news.actor,
            "subject": news.subject,
            "channel": news.channel,
            "details": news.details,
        }
    )


def card_frame(card: Card, approval: Mapping[str, Any]) -> str:
    """The present picture of one approval, in place of any before it."""
    return _text({"type": "card", "card": card.as_json(), "approval": approval})


def output_frame(output: Output) -> str:
    """A stretch of what a run printed."""
    return _text({"type": "output", **output.as_json()})


def notice_frame(text: str) -> str:
    """Something that the caller should know: a key or a link was made in their name."""
    return _text({"type": "notice", "text": text})


def error_frame(code: str, message: str, id: str | int | None = None) -> str:
    """What was wrong with a frame, or with the connection."""
    return _text({"type": "error", "id": id, "code": code, "text": message})


def _text(frame: Mapping[str, Any]) -> str:
    return orjson.dumps(frame).decode()
