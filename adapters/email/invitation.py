"""The mail that brings a sign-in link: plain text and HTML of the same facts. Pure."""

from __future__ import annotations

from datetime import datetime
from email.message import EmailMessage
from textwrap import fill
from urllib.parse import urlsplit

from adapters.email.envelope import addressed
from adapters.email.settings import Settings
from adapters.email.template import template
from hub.contracts import SignInLink

_NOT_YOU = (
    "If it was not you: nobody is signed in, and nobody can be without this mail. Do not open the link, do not send it "
    "on, and delete the mail. If it happens again, tell whoever administers the hub."
)


def invitation(settings: Settings, address: str, link: SignInLink, *, now: datetime) -> EmailMessage:
    """The mail. Its subject says which hub, and holds nothing that whoever asked could have written."""
    host = urlsplit(link.where).netloc
    name = f"<{link.key}@{settings.domain}>"
    mail = addressed(settings, address, f"Sign in to Interlock at {host}", message_id=name, now=now)
    mail.set_content(_plain(host, link))
    html = template("invitation.html").render(link=link, host=host, facts=_facts(link), not_you=_NOT_YOU)
    mail.add_alternative(html, subtype="html")
    return mail


def _facts(link: SignInLink) -> dict[str, str]:
    return {"Asked": link.asked_at, "From": link.asked_from, "Good": f"once, until {link.good_until}"}


def _plain(host: str, link: SignInLink) -> str:
    facts = [f"{label}: {value}" for label, value in _facts(link).items()]
    lines = [f"Hello {link.name},", "", f"somebody asked to sign in as you at {host}. Open this and press Sign in:", ""]
    lines += [f"    {link.url}", "", *facts, "", fill(_NOT_YOU, 76), "", "-- ", f"Interlock at {link.where}"]
    return "\n".join(lines) + "\n"
