"""Short ids that people type: `A142` an approval, `R9` a run, `L7` a lease, `T3` a ticket, `F2` a freeze, `G2` a grant,
`S3` a schedule."""

from __future__ import annotations

import re

from core.errors import Invalid, NotFound

_ID = re.compile(r"([A-Z])([1-9][0-9]{0,14})")
_NAMES = {
    "A": "approval",
    "R": "run",
    "L": "lease",
    "T": "ticket",
    "D": "delegation",
    "F": "freeze",
    "G": "grant",
    "M": "message",
    "S": "schedule",
}


def show(letter: str, number: int) -> str:
    """`A142` for ("A", 142)."""
    return f"{letter}{number}"


def parse(letter: str, text: str) -> int:
    """The number of an id with that letter, in either case. Raises Invalid (`bad_id`) for anything else."""
    found = _ID.fullmatch(text.strip().upper()) if len(text) < 24 else None
    if found is None or found[1] != letter:
        raise Invalid("bad_id", f"{text[:24]!r} is no {_NAMES[letter]} id; they look like {letter}142")
    return int(found[2])


def missing(letter: str, number: int) -> NotFound:
    """The refusal for an id that names nothing, or nothing that the asker may see."""
    return NotFound("not_found", f"there is no {_NAMES[letter]} {letter}{number} that you may see")
