"""What somebody wrote in a reply: their own words without quotes and signatures, and the one decision they may hold.

A decision is the first line of those words, matched in full against a closed grammar. Anything else decides nothing.
Linear in the text, without backtracking over lines; only the first 64 kB and 500 lines are read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

MOST_CHARACTERS = 65_536
MOST_LINES = 500
_LOOKED_AT = 400
"""Characters of a line that tell what it is."""

_ON = re.compile(r"(on|am|le|el|il|op|den|em|dnia|på)\s", re.IGNORECASE)
_WROTE = re.compile(
    r"(wrote|schrieb|a écrit|escribió|ha scritto|schreef|skrev|escreveu|napisał\(a\))\s?:$", re.IGNORECASE
)
_FROM = re.compile(r"\*?(from|von|de|da|van|från)\s?:\*?\s", re.IGNORECASE)
_SENT = re.compile(
    r"\*?(sent|date|gesendet|datum|envoyé|enviado|inviato|data|verzonden|skickat)\s?:\*?\s", re.IGNORECASE
)
_ORIGINAL = re.compile(
    r"-{2,}\s*(original message|ursprüngliche nachricht|message d'origine|mensaje original)\s*-{2,}", re.I
)
_FORWARDED = re.compile(r"(begin forwarded message:|-{2,}\s*forwarded message\s*-{2,})", re.IGNORECASE)
_RULE = re.compile(r"\s*[_-]{10,}\s*")
_SENT_FROM = re.compile(
    r"(sent from|gesendet von|envoyé de|enviado desde) (my|mein\w*|mon|mi)( [\w-]+){1,4}\.?", re.IGNORECASE
)
_DASHED_NAME = re.compile(r"[-—–][^\W\d_]\w*( [^\W\d_]\w*){0,3}")

_APPROVE = re.compile(r"approved?(?: (?P<named>A[0-9]{1,18}))?(?: because (?P<reason>\S.*))?\.?", re.IGNORECASE)
_REJECT = re.compile(r"reject(?:ed)?(?:(?: because |: | - )(?P<reason>\S.*))?\.?", re.IGNORECASE)
_CHANGES = re.compile(r"request[- ]changes(?:(?: because |: | - )(?P<reason>\S.*))?\.?", re.IGNORECASE)
_SHORT = {"yes": "approve", "no": "reject"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A decision in somebody's own words."""

    verdict: Literal["approve", "reject", "request-changes"]
    reason: str | None = None
    named: str | None = None
    """The request that it names itself, where it names one."""


def own_words(text: str) -> str:
    """The lines that the sender wrote: no quotes, none of their headers, no signature, no list footer."""
    lines = text[:MOST_CHARACTERS].replace("\r\n", "\n").replace("\r", "\n").split("\n")[:MOST_LINES]
    looks = [line[:_LOOKED_AT] for line in lines]
    own: list[str] = []
    at = 0
    while at < len(lines):
        if _ends_here(looks, at):
            break
        if looks[at].lstrip().startswith(">"):
            at += 1
            continue
        header = _lines_of_a_header(looks, at)
        if header:
            at += header
            continue
        if looks[at].rstrip() == "--":
            at = _after_the_signature(looks, at)
            continue
        own.append(lines[at].rstrip())
        at += 1
    return "\n".join(_without_closing(own)).strip("\n")


def decision(text: str, *, short: bool = False) -> Said | None:
    """What the first of somebody's own lines decides, or None. `short` lets `yes` and `no` decide too."""
    first = next((line.strip(" \t") for line in own_words(text).split("\n") if line.strip()), "")
    if len(first) > 4_096:
        return None
    if short and first.casefold().rstrip(".") in _SHORT:
        return Said(verdict=_SHORT[first.casefold().rstrip(".")])  # type: ignore[arg-type]
    for pattern, verdict in ((_APPROVE, "approve"), (_REJECT, "reject"), (_CHANGES, "request-changes")):
        found = pattern.fullmatch(first)
        if found:
            named = found.groupdict().get("named")
            return Said(verdict=verdict, reason=found["reason"], named=named)  # type: ignore[arg-type]
    return None


def _ends_here(looks: list[str], at: int) -> bool:
    """Whether all that follows is somebody else's: an original message, a forward, a list footer."""
    line = looks[at].strip()
    if _ORIGINAL.fullmatch(line) or _FORWARDED.match(line):
        return True
    if _RULE.fullmatch(looks[at]) and len(line) >= 10:
        after = next((each for each in looks[at + 1 : at + 4] if each.strip()), "")
        return "_" in line or bool(_FROM.match(after.strip()))
    return bool(_FROM.match(line)) and any(_SENT.match(each.strip()) for each in looks[at + 1 : at + 4])


def _lines_of_a_header(looks: list[str], at: int) -> int:
    """How many lines `On … wrote:` takes here; 0 when there is none. It may be broken over three."""
    if not _ON.match(looks[at].strip()):
        return 0
    joined = ""
    for count, line in enumerate(looks[at : at + 3], 1):
        if not line.strip():
            return 0
        joined = f"{joined} {line.strip()}"
        if _WROTE.search(joined[-40:]):
            return count
    return 0


def _after_the_signature(looks: list[str], at: int) -> int:
    """Where a quote begins after the signature, or the end."""
    for later in range(at + 1, len(looks)):
        if looks[later].lstrip().startswith(">") or _lines_of_a_header(looks, later):
            return later
    return len(looks)


def _without_closing(own: list[str]) -> list[str]:
    """The lines without a last one that only names the sender or their telephone."""
    end = len(own)
    while end and not own[end - 1].strip():
        end -= 1
    if end > 1:
        last = own[end - 1][:_LOOKED_AT].strip()
        if _SENT_FROM.fullmatch(last) or (_DASHED_NAME.fullmatch(last) and not own[end - 2].strip()):
            return own[: end - 1]
    return own[:end]
