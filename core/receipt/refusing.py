"""The refusal of a receipt, in words."""

from __future__ import annotations

from core.errors import Invalid


def bad(why: str) -> Invalid:
    """The error to raise for a receipt that does not prove what it should, and why."""
    return Invalid("bad_receipt", f"this receipt proves nothing: {why}")
