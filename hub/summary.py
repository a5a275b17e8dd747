"""What a stretch of the log says, in plain words: request by request what became of it, and how much else there was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from core.text import show
from hub.contracts import News

MOST_SUBJECTS = 50
_TOLD = {
    "approval:requested": "{actor} asked",
    "approval:drafted": "went back to who asked ({why})",
    "approval:reopened": "is under review again",
    "approval:revised": "{actor} made revision {revision}",
    "approval:commented": "{actor} commented",
    "approval:decided": "{actor} said {verdict}",
    "approval:approved": "the policy was satisfied",
    "approval:rejected": "was rejected",
    "approval:withdrawn": "{actor} took it back",
    "approval:expired": "expired",
    "approval:escalated": "more people were asked",
    "apply:started": "began to run",
    "apply:finished": "ended well",
    "apply:failed": "failed",
    "apply:unknown": "nobody can know how it ended",
    "apply:resolved": "{actor} said how it ended",
    "apply:stopped": "{actor} stopped it",
    "rollback:requested": "{actor} wants it taken back",
    "rollback:started": "began to be rolled back",
    "rollback:finished": "was rolled back",
    "rollback:failed": "the rollback failed",
    "freeze:overridden": "{actor} let it go on although it was frozen",
    "lease:queued": "{actor} waits",
    "lease:acquired": "{actor} acquired it",
    "lease:released": "{actor} gave it back",
    "lease:reclaimed": "lapsed",
    "lease:broken": "{actor} broke it",
    "lease:cancelled": "{actor} gave up waiting",
    "lease:deadlock": "was refused: it would have waited for itself",
}
_FAMILIES = {
    "delivery": ("copy delivered or updated", "copies delivered or updated"),
    "login": ("sign-in", "sign-ins"),
    "session": ("session ended", "sessions ended"),
    "command": ("command", "commands"),
    "log": ("entry about the log itself", "entries about the log itself"),
}


def summary(news: Sequence[News], *, title: Callable[[str], str | None], name: Callable[[str], str]) -> str:
    """The words for these entries, which are in order. `title` says what a request was for, `name` who somebody is.

    Everything in it that came from outside is escaped.
    """
    if not news:
        return "Nothing happened."
    told: dict[str, list[str]] = {}
    other: list[News] = []
    for each in news:
        line = _line(each, name)
        if line is None or each.subject is None:
            other.append(each)
        else:
            told.setdefault(each.subject, []).append(line)
    parts = [_head(news)]
    for subject, lines in list(told.items())[:MOST_SUBJECTS]:
        what = title(subject)
        parts.append("\n".join([f"{subject}{f': {show(what)}' if what else ''}", *lines]))
    if len(told) > MOST_SUBJECTS:
        parts.append(f"{len(told) - MOST_SUBJECTS:,} more requests and leases are not told here.")
    if other:
        parts.append(f"Also: {_counted(other, name)}.")
    return "\n\n".join(parts)


def _head(news: Sequence[News]) -> str:
    count = "1 entry" if len(news) == 1 else f"{len(news):,} entries"
    return f"{count}, {_minute(news[0].ts)} to {_minute(news[-1].ts)} UTC, seq {news[0].seq} to {news[-1].seq}."


def _minute(ts: str) -> str:
    return ts[:16].replace("T", " ")


def _line(news: News, name: Callable[[str], str]) -> str | None:
    """`  08:12  Bo Lind said approve in slack: "fine"`; None for what is only counted."""
    words = _TOLD.get(news.event)
    if words is None:
        return None
    details = news.details
    said = words.format(
        actor=name(news.actor) if news.actor else "the hub",
        why=show(str(details.get("why") or "changes asked")),
        verdict=show(str(details.get("verdict") or "something")),
        revision=show(str(details.get("revision") or "")),
    )
    where = f" in {show(news.channel)}" if news.channel and "{actor}" in words else ""
    quote = details.get("comment") or details.get("reason")
    return f"  {news.ts[11:16]}  {said}{where}{f': “{_short(quote)}”' if isinstance(quote, str) and quote else ''}"


def _short(text: str, most: int = 200) -> str:
    shown = show(" ".join(text.split()))
    return shown if len(shown) <= most else f"{shown[:most]}…"


def _counted(other: Iterable[News], name: Callable[[str], str]) -> str:
    refused = Counter(_refusal(each, name) for each in other if each.event.endswith(":refused"))
    counts = Counter(each.event.partition(":")[0] for each in other if not each.event.endswith(":refused"))
    parts = [_count(family, number) for family, number in counts.most_common()]
    parts += [f"{number} refused ({why})" for why, number in refused.most_common()]
    return ", ".join(parts)


def _count(family: str, number: int) -> str:
    one, several = _FAMILIES.get(family, (f"entry about {family}", f"entries about {family}"))
    return f"{number} {one if number == 1 else several}"


def _refusal(news: News, name: Callable[[str], str]) -> str:
    details: Mapping[str, object] = news.details
    return f"{name(news.actor) if news.actor else 'somebody'}: {show(str(details.get('code') or 'no reason given'))}"
