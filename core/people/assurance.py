"""How strongly a message proves its sender, weakest first."""

from __future__ import annotations

from enum import IntEnum

from core.errors import Forbidden


class Assurance(IntEnum):
    """A proof's strength; comparisons follow the order."""

    UNVERIFIED = 0
    EMAIL = 1
    CHAT = 2
    SIGNED_IN = 3
    PASSKEY = 4

    @property
    def word(self) -> str:
        """The name used in hub.yaml, JSON and screens."""
        return self.name.lower()

    @classmethod
    def parse(cls, word: str) -> Assurance:
        """The level of that name. Raises ValueError for an unknown one."""
        for level in cls:
            if level.word == word:
                return level
        raise ValueError(f"{word!r} is no assurance; use one of {', '.join(level.word for level in cls)}")


def demand_assurance(has: Assurance, wanted: Assurance) -> None:
    """Nothing for a proof that is strong enough. Raises Forbidden `assurance_too_low`, naming both."""
    if has < wanted:
        raise Forbidden(
            "assurance_too_low",
            f"this needs {wanted.word} and you come with {has.word}; sign in on the page and say it there",
            needs=wanted.word,
            has=has.word,
        )
