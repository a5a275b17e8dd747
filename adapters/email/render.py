"""A copy of a card as one mail: plain text and HTML of the same facts, in one thread for each request. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from email.message import EmailMessage
from email.utils import formataddr
from typing import Any
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

from adapters.email.envelope import addressed
from adapters.email.settings import Settings
from adapters.email.template import template
from adapters.email.token import BOUNCE, REPLY, address_of, message_id
from hub.contracts import Button, Card, Field, Post

MOST_PREVIEW = 12_000
MOST_FIELD = 4_000
"""Characters of a preview and of one field; a mail past 102 kB is cut by some readers, and the rest is on the page."""

_COLOURS: Mapping[str, str] = {"primary": "#1f7a4d", "danger": "#b3261e", "plain": "#4a5568"}
_MARKS: Mapping[str, str] = {"+": "plus", "-": "minus"}
_BY_MAIL = {"approve": "approve", "reject": "reject because ", "request-changes": "request-changes because "}
_TOLD = frozenset(
    {
        *("APPROVED", "REJECTED", "WITHDRAWN", "EXPIRED", "DRAFT", "COMPLETED", "FAILED", "UNKNOWN"),
        *("ROLLED_BACK", "ROLLBACK_FAILED"),
    }
)
"""States that are worth a mail to somebody who was asked; a request that comes under review again is one too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a copy said last, kept as its reference: the thread's first Message-ID, the state and the revision."""

    root: str
    state: str
    digest: str

    @classmethod
    def of(cls, reference: str) -> Told:
        """Raises ValueError for a reference that is not ours."""
        root, state, digest = reference.split(" ")
        return cls(root=root, state=state, digest=digest)

    @property
    def reference(self) -> str:
        return f"{self.root} {self.state} {self.digest}"


def told(post: Post, root: str) -> Told:
    """What is told by a mail of `post`; a reminder is another thing to tell."""
    reminder = post.reminder.key if post.reminder is not None else "0"
    return Told(root=root, state=f"{post.card.state}+{reminder}", digest=(post.card.digest or "-")[:16])


def worth_a_mail(before: Told, post: Post) -> bool:
    """Whether the copy's reader should get another mail: a decision, a result, a new revision, a reminder to decide."""
    now = told(post, before.root)
    same_state = now.state.partition("+")[0] == before.state.partition("+")[0]
    if post.reminder is not None and now.state != before.state:
        return True
    if post.card.state == "REVIEWING":
        return not same_state or now.digest != before.digest
    return post.card.state in _TOLD and not same_state


def mail(settings: Settings, post: Post, *, root: str | None, now: datetime, zone: str) -> EmailMessage:
    """The mail of one version of a copy; `root` is the thread's first Message-ID, None for the first mail.

    Times are shown in `zone`. Raises ValueError for an address that no header may hold.
    """
    card = _short(post.card)
    if post.reminder is not None:
        card = replace(card, summary=f"Reminder: your {post.reminder.wanted} is still wanted. {card.summary}")
    token = post.token or ""
    name = message_id(settings, token, post.key) if token else f"<{post.key}@{settings.domain}>"
    found = addressed(settings, post.address, _subject(card, again=root is not None), message_id=name, now=now)
    if root is not None:
        found["In-Reply-To"] = root
        found["References"] = root
    if token:
        found["Reply-To"] = formataddr(("Interlock", address_of(settings, REPLY, token)))
    buttons = [_button(settings, post, each) for each in card.buttons if token] if card.state == "REVIEWING" else []
    preview = _cut(card.preview, MOST_PREVIEW) if card.preview else None
    expires = _moment(card.expires_at, zone) if card.expires_at else None
    found.set_content(_plain(card, preview, expires, buttons))
    lines = _marked(preview) if preview else []
    html = template("mail.html").render(card=card, preview=lines, expires=expires, buttons=buttons)
    found.add_alternative(html, subtype="html")
    return found


def message(settings: Settings, address: str, text: str, *, key: str, now: datetime) -> EmailMessage:
    """One mail of plain words; its subject is how they begin."""
    subject = " ".join(text.split())[:120]
    found = addressed(settings, address, subject, message_id=f"<{key}@{settings.domain}>", now=now)
    found.set_content(f"{text}\n")
    return found


def digest(settings: Settings, posts: Sequence[Post], *, now: datetime) -> EmailMessage:
    """One mail about several requests: a line and a link for each. A reply to it decides nothing; its links do."""
    waiting = sum(post.card.state == "REVIEWING" for post in posts)
    subject = f"{len(posts)} requests" + (f", {waiting} of them waiting for you" if waiting else "")
    name = f"<digest.{posts[0].key}@{settings.domain}>"
    found = addressed(settings, posts[0].address, subject, message_id=name, now=now)
    entries = [(_short(post.card), _link(post)) for post in posts]
    lines = [f"{card.approval}: {card.title}\n    {card.summary}\n    {link}" for card, link in entries]
    found.set_content("\n\n".join(lines) + "\n\nOpening a link decides nothing; the buttons behind it do.\n")
    found.add_alternative(template("digest.html").render(entries=entries, subject=subject), subtype="html")
    return found


def _link(post: Post) -> str:
    """The page behind the copy's token, or the approval's own."""
    if not post.token:
        return post.card.url or ""
    ours = urlsplit(post.card.url or "")
    return f"{ours.scheme}://{ours.netloc}/a/{post.token}"


def ended_run(approval: Mapping[str, Any]) -> str | None:
    """The run whose end a mail of this approval tells: the rollback's, else the apply's."""
    run = approval.get("rollback_run") or approval.get("run") or {}
    return str(run["id"]) if run.get("ended_at") else None


def attach_output(message: EmailMessage, run: str, output: bytes, most: int) -> None:
    """What the run printed goes along as a file, its end where it is too long."""
    if output and most:
        message.add_attachment(output[-most:], maintype="text", subtype="plain", filename=f"{run}-output.txt")


def sender_of(settings: Settings, post: Post) -> str:
    """The envelope's sender: where a bounce of this very copy goes (VERP)."""
    return address_of(settings, BOUNCE, post.token) if post.token else settings.address


def _subject(card: Card, *, again: bool) -> str:
    title = " ".join("".join(char if char.isprintable() else " " for char in card.title).split())[:180]
    return f"{'Re: ' if again else ''}[{card.approval}] {title}"


def _button(settings: Settings, post: Post, button: Button) -> dict[str, str | None]:
    """A link that shows and decides nothing, and for what can be said in a mail a reply that needs only sending, unless
    something has to be typed.
    """
    words = _BY_MAIL.get(button.choice)
    if words is not None and button.confirm is not None:
        words = f"{words} {button.confirm}"
    to = address_of(settings, REPLY, post.token or "")
    subject = quote(f"Re: {_subject(post.card, again=False)}")
    return {
        "label": button.label,
        "colour": _COLOURS[button.style],
        "link": f"{_link(post)}?choice={button.choice}",
        "words": words,
        "mailto": f"mailto:{to}?subject={subject}&body={quote(words)}" if words and button.confirm is None else None,
    }


def _plain(card: Card, preview: str | None, expires: str | None, buttons: list[dict[str, str | None]]) -> str:
    lines = [f"{card.approval}: {card.title}", card.summary, ""]
    if expires:
        lines += [f"There is time until {expires}.", ""]
    if buttons:
        lines += ["To decide, open the request (nothing is decided before you press there):", ""]
        lines += [f"    {each['label']}: {each['link']}" for each in buttons]
        words = [str(each["words"]).replace("because ", "because <your reason>") for each in buttons if each["words"]]
        lines += ["", "Or reply to this mail with one of these as its first line:", ""]
        lines += [f"    {each}" for each in words] + [""]
    if card.claim:
        lines += [f"{card.requester} says:", *_indented(card.claim), ""]
    for field in card.fields:
        several = "\n" in field.value or field.code
        lines += [f"{field.label}:", *_indented(field.value)] if several else [f"{field.label}: {field.value}"]
    if preview:
        lines += ["", "Preview:", *_indented(preview)]
    lines += ["", "-- ", card.footer, card.url or ""]
    return "\n".join(lines) + "\n"


def _indented(text: str) -> list[str]:
    return [f"    {line}" for line in text.split("\n")]


def _marked(preview: str) -> list[tuple[str, str]]:
    """Each line and its mark: `plus` or `minus` in a unified diff, else none."""
    lines = preview.rstrip("\n").split("\n")
    diff = any(line.startswith(("+++ ", "@@ ")) for line in lines)
    return [(_MARKS.get(line[:1], "") if diff else "", line) for line in lines]


def _short(card: Card) -> Card:
    """The card with its long fields cut, and each cut said."""
    fields = tuple(Field(label=each.label, value=_cut(each.value, MOST_FIELD), code=each.code) for each in card.fields)
    claim = _cut(card.claim, MOST_FIELD) if card.claim else None
    return replace(card, fields=fields, claim=claim)


def _cut(text: str, most: int) -> str:
    return (
        text
        if len(text) <= most
        else f"{text[:most]}\n⟨{len(text) - most:,} more characters; all of it is on the page⟩"
    )


def _moment(at: str, zone: str) -> str:
    return datetime.fromisoformat(at).astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M %Z")
