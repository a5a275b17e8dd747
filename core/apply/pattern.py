"""Patterns that decide in linear time: the regular expressions of parameters, matched whole by Rust's engine.

Backreferences and look-around do not exist there, so no value can make a match slow. Syntax:
https://docs.rs/regex/latest/regex/#syntax
"""

from __future__ import annotations

from functools import lru_cache

from core import evaluator
from core.errors import Invalid

MAX_PATTERN = 512
"""Characters that a pattern may have."""

_MATCHES = evaluator.compile("text.matches(pattern)")


def check_pattern(pattern: str) -> None:
    """`pattern` can be matched. Raises Invalid (`bad_pattern`) saying why not."""
    if len(pattern) > MAX_PATTERN:
        raise Invalid(
            "bad_pattern",
            f"the pattern has {len(pattern)} characters; at most {MAX_PATTERN} are allowed",
        )
    for form in (pattern, _whole(pattern)):
        try:
            _MATCHES.execute({"text": "", "pattern": form})
        except (RuntimeError, ValueError) as error:
            raise Invalid("bad_pattern", f"the pattern cannot be used: {_reason(error)}") from None


def matches_whole(pattern: str, text: str) -> bool:
    """Whether all of `text` matches `pattern`. Raises Invalid (`bad_pattern`) for one that cannot be used."""
    try:
        return _MATCHES.execute({"text": text, "pattern": _whole(pattern)}) is True
    except (RuntimeError, ValueError) as error:
        raise Invalid("bad_pattern", f"the pattern cannot be used: {_reason(error)}") from None


@lru_cache(maxsize=4096)
def matches_whole_cached(pattern: str, text: str) -> bool:
    """The same, remembered: the engine compiles a pattern anew for every match. Not for secrets."""
    return matches_whole(pattern, text)


def _whole(pattern: str) -> str:
    return rf"\A(?:{pattern})\z"


def _reason(error: Exception) -> str:
    """The engine's own last line, without the frame around it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    last = lines[-1] if lines else "unknown error"
    return last.removeprefix("error: ").split(". Check function arguments")[0]
