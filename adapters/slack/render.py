"""Cards, answers and dialogs as Slack blocks. Pure: the same value gives the same blocks, within every limit of Slack.

What comes from outside stands in plain text or in a code block, never in markup, and nothing is left out without
saying how much. A button carries a press token, which means nothing to whoever reads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from adapters.slack.parse import (
    PRESS,
    REASON,
    SAY,
    TYPED,
    TYPED_BLOCK,
    TYPED_INPUT,
    VIEW,
    WHY_BLOCK,
    WHY_INPUT,
    Heard,
)
from adapters.slack.text import (
    BUTTON,
    CONTEXT,
    FIELD,
    HEADER,
    TEXT,
    Json,
    code,
    cut,
    escape,
    marked,
    moment,
    plain,
    split,
    unescape,
    weight,
)
from hub.contracts import Button, Card, Field, Reminded, Reminder, Reply

WITH_REASON = frozenset({"reject", "request-changes", "stop"})
"""Choices that ask why before they act; every other one asks whether it is meant."""
MOST_MESSAGE, MOST_VIEW = 12_000, 23_000
"""Characters of JSON that the blocks of one message and of one dialog take together."""

_BLOCKS, _VIEW_BLOCKS, _FIELDS, _BUTTONS = 45, 95, 10, 24
_LONG_CODE, _CODE, _SHORT = 2_500, 900, 300
_ROOM = 500
"""Characters of JSON that the last blocks of a message or dialog need."""
_OUTCOME = frozenset({"COMPLETED", "FAILED", "UNKNOWN", "ROLLED_BACK", "ROLLBACK_FAILED"})
_UNDER_WAY = frozenset({"APPLYING", "ROLLING_BACK"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is posted: blocks, and the same in a line for notifications and screen readers."""

    text: str
    blocks: tuple[Json, ...]


def card_message(card: Card) -> Message:
    """The card with its buttons, those that have a token."""
    blocks = _within(_parts(card), _BLOCKS - 3, MOST_MESSAGE, f"the button View all shows all of {card.approval}")
    blocks.append(_footer(card))
    blocks.append(_actions(card))
    return Message(text=_line(card), blocks=tuple(blocks))


def bare_message(card: Card) -> Message:
    """What is said of a card that Slack does not take: no button, for nobody could see what it decides."""
    where = card.url or f"show {card.approval}"
    line = f"{_line(card)}. This card cannot be shown here; see all of it, and decide, at {where}"
    return Message(text=escape(cut(line, TEXT)), blocks=(_section(plain(line)),))


def plain_message(text: str) -> Message:
    """Words that are no card."""
    return Message(text=escape(cut(text, TEXT)), blocks=(_section(plain(text)),))


def not_opened(heard: Heard, why: str, command: str) -> str:
    """What somebody is told whose dialog did not open, with another way to the same end."""
    words = f"The dialog did not open: {why}. Nothing was done. Press again"
    if heard.approval is None:
        return f"{words}."
    verb = f"{'approve' if heard.kind == 'asks_id' else 'show'} {heard.approval}"
    if heard.kind == "asks_reason":
        verb = f"{_verb(heard.label)} {heard.approval} because …"
    return f"{words}, or type: {command} {verb}"


def _verb(label: str) -> str:
    """The verb behind a button that asks why."""
    word = unescape(label).rstrip("…. ").lower()
    return "request-changes" if "change" in word else word if word in WITH_REASON else "reject"


def answer_message(reply: Reply, url: str) -> Message:
    """The answer to one person: the words, then the card without its buttons, which live on the card itself."""
    if "sign_in" in reply.data:
        return _sign_in_message(str(reply.data["sign_in"]), reply.text)
    blocks = [_section(plain(part)) for part in _pieces(reply.text, TEXT, 3)]
    left = len(reply.text) - sum(len(part) for part in _pieces(reply.text, TEXT, 3))
    if left:
        blocks.append(_context(f"{left:,} more characters are not shown here; the page has all of it: {url}"))
    if reply.card is not None:
        blocks += _within(_parts(reply.card), 20, MOST_MESSAGE - 2_000, "View all shows all of it")
        blocks.append({"type": "actions", "block_id": f"{reply.card.approval}:all", "elements": [_view(reply.card)]})
    return Message(text=escape(cut(reply.text, TEXT)), blocks=tuple(blocks))


def _sign_in_message(url: str, words: str) -> Message:
    """A link to press, and what it is; the line that a notification shows says nothing of it."""
    about = words.replace(url, "").strip()
    return Message(text=escape(about), blocks=(_section(marked(f"*<{escape(url)}|Sign in>*")), _context(about)))


def progress(card: Card, approval: Mapping[str, Any]) -> tuple[str, Message] | None:
    """What the thread under a card is told of the run, with a name for it; None while there is nothing to tell."""
    run = approval.get("run") or {}
    if not run or card.state not in _OUTCOME | _UNDER_WAY:
        return None
    blocks = [_section(plain(f"{card.approval}, {run['id']}: {card.summary}"))]
    tail = str(next((each.value for each in card.fields if each.label == "Output"), ""))
    if card.state in _OUTCOME and tail:
        blocks.append(_section(code(_end(tail, _LONG_CODE), "Output")))
    blocks.append({"type": "actions", "block_id": f"{card.approval}:{run['id']}:all", "elements": [_view(card)]})
    return f"{run['id']} {card.state}", Message(text=_line(card), blocks=tuple(blocks))


def reminder_message(card: Card, reminder: Reminder) -> Message:
    """The people who are still waited for, by their accounts, which notifies them; their names where there is none."""
    people = " ".join(_mention(each) for each in reminder.people)
    until = f" There is time until {moment(card.expires_at)}." if card.expires_at else ""
    title = escape(cut(card.title, _SHORT))
    line = f"{people}: {escape(card.approval)} still waits for your {reminder.wanted}: {title}.{until}"
    return Message(text=line, blocks=({"type": "section", "text": marked(line)},))


def _mention(person: Reminded) -> str:
    account = (person.identity or "").rpartition("/")[2]
    return f"<@{account}>" if account[:1] in ("U", "W") and account.isalnum() else escape(person.name)


def whole_view(card: Card) -> Json:
    """A dialog with everything that is bound, cut only where Slack takes no more."""
    more = f"the rest of {card.approval} is on its page: {card.url}" if card.url else "the rest is on its page"
    blocks = _within(_everything(card), _VIEW_BLOCKS, MOST_VIEW - 1_000, more)
    return _modal(f"{card.approval}", blocks)


def reason_view(token: str, label: str, title: str) -> Json:
    """A dialog that asks why; closing it has no effect."""
    why = _input(WHY_BLOCK, WHY_INPUT, "Why?", multiline=True, max_length=2000)
    return _asking(token, label, title, why, callback=REASON)


def typed_view(token: str, label: str, title: str, approval: str | None) -> Json:
    """A dialog that asks for the request's id before it is approved; closing it has no effect."""
    words = f"Type {approval} to confirm" if approval is not None else "Type the request's id to confirm"
    return _asking(token, label, title, _input(TYPED_BLOCK, TYPED_INPUT, words, max_length=64), callback=TYPED)


def _asking(token: str, label: str, title: str, field: Json, *, callback: str) -> Json:
    word = unescape(label).rstrip("…. ") or "Confirm"
    view = _modal(word, [_section(plain(unescape(title) or word)), field], callback=callback)
    return {**view, "private_metadata": token[:TEXT], "submit": plain(word, 24), "close": plain("Back")}


def _input(block: str, action: str, label: str, **bounds: Any) -> Json:
    element = {"type": "plain_text_input", "action_id": action, "min_length": 1, **bounds}
    return {"type": "input", "block_id": block, "label": plain(label), "element": element}


def notice_view(title: str, text: str) -> Json:
    """A dialog that says one thing."""
    return _modal(title, [_section(plain(text))])


def home_view(cards: Iterable[Card], asked: str, leases: str, command: str) -> Json:
    """The app's home: what waits for its reader, what they asked for, what they hold, and how to go on."""
    blocks: list[Json] = [{"type": "header", "text": plain("Waits for you", HEADER)}]
    shown = 0
    for card in cards:
        block = [*_within(_parts(card), 12, 4_500, "View all shows all of it"), _actions(card)]
        if _size(blocks) + _size(block) > MOST_VIEW - 9_000 or len(blocks) + len(block) > 80:
            blocks.append(_context(f"there is more: type {command} queue"))
            break
        blocks += block
        shown += 1
    if not shown:
        blocks.append(_section(plain("Nothing waits for you.")))
    for heading, text in (("You asked for", asked), ("You hold", leases)):
        blocks.append({"type": "header", "text": plain(heading, HEADER)})
        blocks.append(_small(text or "Nothing."))
    quick = [_button(word, f"{SAY}.{word}", word) for word in ("queue", "status", "help")]
    blocks.append({"type": "actions", "block_id": "interlock.quick", "elements": quick})
    return {"type": "home", "blocks": blocks}


def _small(text: str) -> Json:
    """`text` in a few thousand characters of JSON, also where each of its characters takes six."""
    block = _section(plain(cut(text, 2_000)))
    return block if _size([block]) <= 4_000 else _section(plain(cut(text, 500)))


def _line(card: Card) -> str:
    return escape(cut(f"{card.approval}: {card.title}. {card.summary}", TEXT))


def _heading(card: Card) -> str:
    if card.state == "REVIEWING":
        return f"Approve: {card.title}"
    return f"{card.state.replace('_', ' ').capitalize()}: {card.title}"


def _parts(card: Card) -> Iterator[Json]:
    """The blocks of a card above its footer, the most important first."""
    yield {"type": "header", "text": plain(_heading(card), HEADER)}
    if weight(_heading(card)) > HEADER:
        yield _section(plain(card.title))
    yield _section(plain(card.summary))
    yield from _facts(card)
    for field in card.fields:
        if field.code:
            yield from _coded(field, _LONG_CODE if field.label == "Runs" else _CODE)
    if card.claim:
        yield _section(plain(cut(f"{card.requester or 'The requester'} says: “{card.claim}”", _LONG_CODE)))
    if card.preview:
        yield from _coded(Field(label="Preview", value=card.preview), _LONG_CODE)
    for field in card.fields:
        if not field.code and len(field.value) > _SHORT:
            yield _section(plain(cut(f"{field.label}\n{field.value}", _LONG_CODE)))


def _facts(card: Card) -> Iterator[Json]:
    """Every short fact, side by side, ten to a block."""
    facts = [plain(f"Asked by\n{card.requester}", FIELD)] if card.requester else []
    facts.append(plain(f"Risk\n{card.risk}", FIELD))
    if card.expires_at:
        facts.append(marked(f"Expires\n{moment(card.expires_at)}"))
    short = (each for each in card.fields if not each.code and len(each.value) <= _SHORT)
    facts += [plain(f"{each.label}\n{each.value}", FIELD) for each in short]
    for at in range(0, len(facts), _FIELDS):
        yield {"type": "section", "fields": facts[at : at + _FIELDS]}


def _coded(field: Field, most: int) -> Iterator[Json]:
    """Exact text in a block of its own; what was cut is said under it."""
    head, rest = split(field.value, most)
    yield _section(code(head, field.label))
    if rest:
        yield _context(f"{len(rest):,} more characters of {field.label} are not shown here; View all shows them")


def _everything(card: Card) -> Iterator[Json]:
    yield _section(plain(card.title))
    yield _section(plain(card.summary))
    yield from _facts(card)
    for field in card.fields:
        for part in _pieces(field.value, TEXT - 200, 12):
            yield _section(code(part, field.label) if field.code else plain(f"{field.label}\n{part}"))
    if card.claim:
        for part in _pieces(f"{card.requester or 'The requester'} says: “{card.claim}”", TEXT, 6):
            yield _section(plain(part))
    for part in _pieces(card.preview or "", TEXT - 200, 12):
        yield _section(code(part, "Preview"))
    if card.digest:
        yield _context(f"digest {card.digest}")


def _pieces(text: str, most: int, count: int) -> list[str]:
    """`text` in parts that each fit; at most `count` of them."""
    parts: list[str] = []
    while text and len(parts) < count:
        head, text = split(text, most)
        parts.append(head)
    return parts


def _end(text: str, most: int) -> str:
    """The end of `text`, saying what stands before it."""
    head, rest = split(text[::-1], most)
    return f"⟨{len(rest):,} more characters before this⟩\n{head[::-1]}" if rest else text


def _within(blocks: Iterable[Json], count: int, most: int, more: str) -> list[Json]:
    """As many of the blocks as fit, in their order; that some do not is said."""
    kept: list[Json] = []
    left = 0
    size = 0
    for block in blocks:
        size += _size([block])
        if left or len(kept) >= count - 1 or size > most - _ROOM:
            left += 1
        else:
            kept.append(block)
    if left:
        kept.append(_context(f"{left} more parts are not shown here; {more}"))
    return kept


def _size(blocks: list[Json]) -> int:
    return len(orjson.dumps(blocks).decode())


def _section(text: Json) -> Json:
    return {"type": "section", "text": text}


def _context(text: str) -> Json:
    return {"type": "context", "elements": [plain(text, CONTEXT)]}


def _footer(card: Card) -> Json:
    """How far it is, and where the page shows it: the one link that we write, to an address of our own making."""
    footer = _context(card.footer or card.approval)
    if card.url:
        footer["elements"].append(marked(f"<{escape(card.url)}|{escape(card.approval)} on the page>"))
    return footer


def _actions(card: Card) -> Json:
    """One block of buttons, named for the version, so that no client keeps an older one's state."""
    live = [each for each in card.buttons if each.token][:_BUTTONS]
    elements = [_press(button, at, card) for at, button in enumerate(live)]
    return {
        "type": "actions",
        "block_id": f"{card.approval}:v{card.version}"[:255],
        "elements": [*elements, _view(card)],
    }


def _press(button: Button, at: int, card: Card) -> Json:
    what = REASON if button.choice in WITH_REASON else TYPED if button.confirm is not None else PRESS
    asks = what != PRESS
    label = f"{button.label}…" if asks else button.label
    element = _button(label, f"{what}.{at}", button.token or "")
    if button.style in ("primary", "danger"):
        element["style"] = button.style
    if not asks:
        element["confirm"] = {
            "title": plain(f"{button.label}?", 100),
            "text": plain(f"{card.title}\nRisk: {card.risk}.", 300),
            "confirm": plain(button.label, 30),
            "deny": plain("Back"),
        }
    return element


def _view(card: Card) -> Json:
    return _button("View all", VIEW, card.approval)


def _button(label: str, action_id: str, value: str) -> Json:
    return {"type": "button", "text": plain(label, BUTTON), "action_id": action_id, "value": value[:2000]}


def _modal(title: str, blocks: list[Json], callback: str = "interlock.notice") -> Json:
    return {
        "type": "modal",
        "callback_id": callback,
        "title": plain(title, 24),
        "close": plain("Close"),
        "blocks": blocks,
    }
