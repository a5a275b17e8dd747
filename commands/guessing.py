"""Free text as the command that it may mean: a proposal for its writer, never a command. Pure.

An action is meant when its name, or every word of its title that is no placeholder, stands in the text; a parameter
takes the first unused word that fits it. Whatever is not certain gives no proposal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from core.apply.action import Action, Param
from core.apply.params import check_value
from core.errors import Refusal

_WORD = re.compile(r"[^\s,;!?()\"'“”‘’<>]+")
_PLACEHOLDER = re.compile(r"\{[^{}]*\}")
_SMALL = frozenset({"a", "an", "the", "to", "of", "on", "in", "at", "for", "with", "and", "or", "please"})


def guess(text: str, actions: Iterable[Action]) -> str | None:
    """The command line that `text` seems to mean, or None."""
    words = [word.rstrip(".:") for word in _WORD.findall(text[:4_000])][:300]
    lower = [word.lower() for word in words]
    found = {line for action in actions if _is_meant(action, lower) and (line := _line(action, words)) is not None}
    return found.pop() if len(found) == 1 else None


def _is_meant(action: Action, words: Sequence[str]) -> bool:
    if action.name in words:
        return True
    title = [word.lower() for word in _WORD.findall(_PLACEHOLDER.sub(" ", action.title))]
    telling = [word for word in title if word not in _SMALL]
    return bool(telling) and all(word in words for word in telling)


def _line(action: Action, words: Sequence[str]) -> str | None:
    """The action with a value for each required parameter, all of them plain words."""
    left = [word for word in words if word.lower() not in _SMALL and word.lower() != action.name]
    parts = [action.name]
    for param in action.params:
        if param.secret:
            return None
        value = next((word for word in left if _fits(param, word)), None)
        if value is None:
            if param.required and param.default is None:
                return None
            continue
        left.remove(value)
        parts.append(f"{param.name}={value}")
    return " ".join(parts)


def _fits(param: Param, word: str) -> bool:
    """Whether the word can be the parameter's value; free text takes none, since any word would do."""
    if param.type == "string" and param.enum is None and param.pattern is None:
        return False
    try:
        check_value(param, word)
    except Refusal:
        return False
    return True
