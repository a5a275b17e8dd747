"""Text for Slack: escaped, cut where Slack would refuse it, and never markup of whoever wrote it.

Lengths are counted as Slack counts them at worst: after escaping, in UTF-16 units.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

TEXT, FIELD, HEADER, CONTEXT, BUTTON = 3000, 2000, 150, 1500, 75
_WEIGHTS = {"&": 5, "<": 4, ">": 4}
_EMPTY = "–"

Json = dict[str, Any]


def escape(text: str) -> str:
    """`text` without anything that Slack reads as a reference."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def unescape(text: str) -> str:
    """`text` as it looked before Slack, or we, escaped it."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def weight(text: str) -> int:
    """The length of `text` once it is escaped."""
    return sum(_weight(each) for each in text)


def _weight(char: str) -> int:
    return _WEIGHTS.get(char) or (2 if ord(char) > 0xFFFF else 1)


def split(text: str, most: int) -> tuple[str, str]:
    """The longest beginning of `text` that takes at most `most` once escaped, and the rest."""
    if len(text) * 5 <= most:
        return text, ""
    size = 0
    for at, char in enumerate(text):
        size += _weight(char)
        if size > most:
            return text[:at], text[at:]
    return text, ""


def cut(text: str, most: int) -> str:
    """`text`, or its beginning and an ellipsis; never empty."""
    whole = text if text.strip() else _EMPTY
    head, rest = split(whole, most)
    return head if not rest else split(whole, most - 1)[0] + "…"


def plain(text: str, most: int = TEXT) -> Json:
    """A text object that shows `text` exactly; nothing in it is markup."""
    return {"type": "plain_text", "text": escape(cut(text, most)), "emoji": False}


def marked(text: str) -> Json:
    """A text object of markup that we wrote ourselves; what came from outside is escaped already."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def code(text: str, label: str = "") -> Json:
    """A text object that shows `text` exactly, in a fixed-width font unless its backticks would break out of that."""
    if "```" in text or text.startswith("`") or text.endswith("`"):
        return plain(f"{label}\n{text}" if label else text)
    head = f"*{escape(label)}*\n" if label else ""
    return marked(f"{head}```{escape(text if text.strip() else _EMPTY)}```")


def moment(at: str) -> str:
    """A time as each reader's own clock shows it, with UTC for clients that cannot."""
    when = datetime.fromisoformat(at)
    return f"<!date^{int(when.timestamp())}^{{date_short_pretty}} at {{time}}|{when:%Y-%m-%d %H:%M} UTC>"
