"""The command language, the same in every channel: text in, a verb and its arguments out. Pure.

    <action> <args…> [because <reason>]     run <action> …     approve A142 A143 [because …]     lock env:prod for 10m

Arguments stand in the model's order, then `key=value`. Quotes group words; typographic quotes and dashes are
normalised first, as phones type them. Everything after the word `because` is one free text.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from commands.registry import Registry
from commands.verb import Verb
from core.apply.action import Action
from core.errors import Invalid, NotFound, TooLarge
from core.text import normalise_typing, refuse_invisible

MAX_BYTES = 8_192
_QUOTES = "\"'"


def parse(text: str, registry: Registry, actions: Mapping[str, Action]) -> tuple[Verb, dict[str, Any]]:
    """The verb and its raw arguments; the verb's own model checks them afterwards.

    Raises TooLarge `command_too_long`, Invalid (`empty_command`, `unbalanced_quote`, `invalid_characters`, `usage`),
    NotFound `unknown_command`.
    """
    if len(text.encode(errors="surrogatepass")) > MAX_BYTES:
        raise TooLarge("command_too_long", f"a command has at most {MAX_BYTES // 1024} KB")
    refuse_invisible(text.replace("\r\n", "\n").strip(), multiline=True)
    head, reason = _because(normalise_typing(text).strip())
    words = tokenize(head)
    if not words:
        raise Invalid("empty_command", "say what to do; `help` lists the commands")
    return _command(registry, words, reason, actions)


def _command(
    registry: Registry, words: list[str], reason: str | None, actions: Mapping[str, Action]
) -> tuple[Verb, dict[str, Any]]:
    name = words[0].lower().lstrip("/")
    verb = registry.find(name)
    if verb is not None and verb.wraps_request:
        if len(words) == 1:
            raise Invalid("usage", f"say which action; type it as: {verb.usage}")
        meant = registry.find(verb.stands_for) if verb.stands_for is not None else verb
        return meant or verb, _request(registry, words[1], words[2:], reason, actions)
    if verb is None or verb.structured:
        request = registry.find("request")
        if request is None:
            raise _unknown(registry, words[0], actions)
        return request, _request(registry, words[0], words[1:], reason, actions)
    if verb.command is not None:
        return verb, _around(registry, verb, verb.command, words[1:], reason, actions)
    return verb, _arguments(verb, words[1:], reason)


def _around(
    registry: Registry,
    verb: Verb,
    name: str,
    words: list[str],
    reason: str | None,
    actions: Mapping[str, Action],
) -> dict[str, Any]:
    """The arguments of a verb around a command: its positional ones, its clauses, then the command."""
    args: dict[str, Any] = dict(zip(verb.positional, words, strict=False))
    queue = words[len(args) :]
    while len(queue) > 1 and queue[0].lower() in verb.clauses:
        args[verb.clauses[queue[0].lower()]] = queue[1]
        queue = queue[2:]
    if not queue:
        raise Invalid("usage", f"a command is missing; type it as: {verb.usage}")
    inner, given = _command(registry, queue, reason, actions)
    if inner.command is not None:
        raise Invalid("usage", f"{inner.name} cannot stand inside {verb.name}")
    return {**args, name: {"verb": inner.name, "args": given}}


def tokenize(text: str) -> list[str]:
    """Words; a quoted part may contain spaces. Raises Invalid `unbalanced_quote`."""
    words: list[str] = []
    word: list[str] | None = None
    quote = ""
    for at, char in enumerate(text):
        if quote:
            if char == quote:
                quote = ""
            else:
                assert word is not None
                word.append(char)
        elif char in _QUOTES and (word is None or text[at - 1] == "="):
            quote, word = char, word if word is not None else []
        elif char.isspace():
            if word is not None:
                words.append("".join(word))
            word = None
        else:
            word = word if word is not None else []
            word.append(char)
    if quote:
        raise Invalid("unbalanced_quote", f"a quote {quote} is opened and never closed")
    if word is not None:
        words.append("".join(word))
    return words


def _because(text: str) -> tuple[str, str | None]:
    """The part before the first unquoted word `because`, and the rest as it was typed."""
    quote = ""
    for at, char in enumerate(text):
        if quote:
            quote = "" if char == quote else quote
        elif char in _QUOTES and (at == 0 or text[at - 1].isspace() or text[at - 1] == "="):
            quote = char
        elif text[at : at + 7].lower() == "because" and (at == 0 or text[at - 1].isspace()):
            after = text[at + 7 : at + 8]
            if after == "" or after.isspace():
                return text[:at], text[at + 7 :].strip() or None
    return text, None


def _unknown(registry: Registry, word: str, actions: Mapping[str, Action]) -> NotFound:
    known = [*actions, *(each.name for each in registry)]
    close = get_close_matches(word.lower(), known, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return NotFound("unknown_command", f"there is no command or action {word[:60]!r}; {hint}`help` lists them")


def _request(
    registry: Registry, action: str, words: list[str], reason: str | None, actions: Mapping[str, Action]
) -> dict[str, Any]:
    found = actions.get(action)
    if found is None:
        raise _unknown(registry, action, actions)
    names = [param.name for param in found.params]
    params: dict[str, Any] = {}
    for at, word in enumerate(words):
        key, equals, value = word.partition("=")
        if equals and key in names:
            name = key
        elif at < len(names):
            name, value = names[at], word
        else:
            usage = " ".join(f"<{each}>" for each in names)
            raise Invalid("usage", f"{word[:60]!r} is one argument too many; type it as: {action} {usage}")
        if name in params:
            raise Invalid("usage", f"{name} is given twice")
        params[name] = value
    return {"action": action, "params": params, "reason": reason}


def _arguments(verb: Verb, words: list[str], reason: str | None) -> dict[str, Any]:
    args: dict[str, Any] = {}
    rest: list[str] = []
    positional = list(verb.positional)
    queue = list(words)
    while queue:
        word = queue.pop(0)
        key, equals, value = word.partition("=")
        if word.lower() in verb.clauses and queue:
            args[verb.clauses[word.lower()]] = queue.pop(0)
        elif equals and verb.keyed is not None and key.isidentifier():
            args.setdefault(verb.keyed, {})[key] = value
        elif positional:
            args[positional.pop(0)] = word
        elif verb.rest is not None:
            rest += [part for part in word.split(",") if part]
        else:
            raise Invalid("usage", f"{word[:60]!r} does not belong here; type it as: {verb.usage}")
    if rest and verb.rest is not None:
        args[verb.rest] = rest
    if reason is not None:
        if verb.because is None:
            raise Invalid("usage", f"{verb.name} takes no `because`; type it as: {verb.usage}")
        args[verb.because] = reason
    return args
