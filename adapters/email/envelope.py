"""What every mail that we begin has in common: who sends it, to whom, and that a machine wrote it. Pure."""

from __future__ import annotations

from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, formataddr

from adapters.email.settings import Settings


def addressed(settings: Settings, to: str, subject: str, *, message_id: str, now: datetime) -> EmailMessage:
    """A mail without words yet, marked as automatic (RFC 3834). Raises ValueError for an address no header may hold."""
    mail = EmailMessage()
    mail["From"] = formataddr(("Interlock", settings.address))
    mail["To"] = to
    mail["Subject"] = subject
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = message_id
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail["X-Loop"] = settings.address
    return mail
