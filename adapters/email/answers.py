"""Plain mails in answer to a mail: what was not understood, refused or done. Never in answer to a machine."""

from __future__ import annotations

from email.message import EmailMessage
from email.utils import formataddr

from adapters.email.letter import Letter
from adapters.email.settings import Settings
from core.deep_link import deep_link
from hub.contracts import Opened, Reply

_HOW = (
    "Write one of these as the first line of your reply:\n\n"
    "    approve\n    reject because <your reason>\n    request-changes because <what should be different>\n"
)


def message(settings: Settings, to: Letter, text: str, code: str | None = None) -> EmailMessage:
    """The answer to `to` in its thread (RFC 5322 3.6.4), marked as automatic (RFC 3834).

    `code` says to programs what the text says to people: `ok`, or the refusal's code.
    """
    assert to.sender is not None
    mail = EmailMessage()
    mail["From"] = formataddr(("Interlock", settings.address))
    mail["To"] = to.sender
    subject = " ".join("".join(char if char.isprintable() else " " for char in to.subject).split())[:200]
    mail["Subject"] = subject if subject.lower().startswith("re:") else f"Re: {subject}".strip()
    if to.message_id is not None:
        mail["In-Reply-To"] = to.message_id
        mail["References"] = to.message_id
    mail["Message-ID"] = f"<answer.{to.key[:32]}@{settings.domain}>"
    mail["Auto-Submitted"] = "auto-replied"
    mail["X-Auto-Response-Suppress"] = "All"
    mail["X-Loop"] = settings.address
    if code is not None:
        mail["X-Interlock-Code"] = code
    mail.set_content(text)
    return mail


def not_understood(public_url: str, copy: Opened) -> str:
    """Nothing in the reply was a decision."""
    return (
        f"Your reply about {copy.approval} decided nothing: its first line is none of the words that decide, the text "
        f"and the HTML of your mail say different things, or it was sent on from elsewhere.\n\n{_HOW}\n"
        f"Or open {deep_link(public_url, copy.approval)}\n"
    )


def unproven(public_url: str, copy: Opened) -> str:
    """The reply may come from anybody."""
    return (
        f"Your reply about {copy.approval} decided nothing: your mail server did not prove that it comes from your "
        f"address (no aligned DMARC or DKIM).\n\nOpen {deep_link(public_url, copy.approval)} and sign in to decide.\n"
    )


def refused(public_url: str, copy: Opened, reply: Reply) -> str:
    """The decision was understood and refused."""
    return f"{reply.text}\n\nThis is how it stands now: {deep_link(public_url, copy.approval)}\n"


def said(reply: Reply) -> str:
    """What the hub answered to a command."""
    return f"{reply.text}\n"


def proposed(command: str) -> str:
    """What free text was taken to mean; nothing has been asked for."""
    return f"Nothing was done: this was not a command. If you meant\n\n    {command}\n\nreply with exactly that line.\n"
