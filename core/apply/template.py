"""Templates over parameters: `{name}` and nothing else, filled in one pass so that a value is never read again.

`{{` and `}}` are braces. `${env:NAME}` and `${file:PATH}` are references to secrets: they belong to the
template's author, are kept as written unless a resolver is given, and mean nothing inside a value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from core.apply.action import HttpSpec
from core.errors import Invalid
from core.text import refuse_invisible

_TOKEN = re.compile(
    r"(?P<reference>\$\{(?P<kind>env|file):(?P<what>[^{}]+)\})|(?P<open>\{\{)|(?P<close>\}\})"
    r"|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)\}|(?P<stray>[{}])"
)
_AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")

Resolve = Callable[[str, str], str]
"""(`env` or `file`, name) -> the secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpCall:
    """An HTTP call with every placeholder filled in."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None


def placeholders(template: str) -> tuple[str, ...]:
    """The parameters that `template` names, each once, in order. Raises Invalid (`bad_template`) for a stray brace."""
    names: dict[str, None] = {}
    for token in _TOKEN.finditer(template):
        if token["stray"]:
            raise _stray(template)
        if token["name"]:
            names[token["name"]] = None
    return tuple(names)


def references(template: str) -> tuple[str, ...]:
    """The references to secrets in `template`, as written, in order."""
    return tuple(token["reference"] for token in _TOKEN.finditer(template) if token["reference"])


def render(template: str, values: Mapping[str, Any]) -> str:
    """`template` with its placeholders filled in; references stay as written.

    Raises Invalid: `missing_parameter` for a placeholder without a value, `bad_template` for a stray brace.
    """
    return _fill(template, values, word)


def render_argv(argv: Iterable[str], values: Mapping[str, Any]) -> tuple[str, ...]:
    """The argument list. An argument whose parameter was not given is left out, whole: `--tag={tag}` goes."""
    return tuple(
        render(argument, values)
        for argument in argv
        if all(values.get(name) is not None for name in placeholders(argument))
    )


def render_http(spec: HttpSpec, values: Mapping[str, Any], resolve: Resolve | None = None) -> HttpCall:
    """The call. Values are percent-encoded in path and query and cannot reach scheme or host; a body's string that is
    one placeholder keeps the value's type. `resolve` turns references in headers and body into secrets; None keeps them.

    Raises Invalid: what `render` raises, `bad_path_segment` for a value that would walk the path,
    `invalid_characters` for one that cannot stand in a header.
    """
    return HttpCall(
        method=spec.method,
        url=_render_url(spec.url, values),
        headers={name: _render_header(value, values, resolve) for name, value in spec.headers.items()},
        body=_render_body(spec.body, values, resolve),
    )


def word(value: Any) -> str:
    """A bound value as text: `true`, `3`, `web`."""
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def authority(url: str) -> str:
    """The scheme and host of a URL template, up to the path. Raises Invalid (`bad_url`) when it has none."""
    found = _AUTHORITY.match(url)
    if found is None:
        raise Invalid(
            "bad_url",
            f"{url!r} is no URL; write it like https://example.com/deploy/{{service}}",
        )
    return found[0]


def _fill(
    template: str,
    values: Mapping[str, Any],
    encode: Callable[[Any], str],
    resolve: Resolve | None = None,
) -> str:
    def one(token: re.Match[str]) -> str:
        if token["stray"]:
            raise _stray(template)
        if token["reference"]:
            return resolve(token["kind"], token["what"]) if resolve else token["reference"]
        if token["name"]:
            value = values.get(token["name"])
            if value is None:
                raise Invalid(
                    "missing_parameter",
                    f"{template!r} needs {token['name']}",
                    param=token["name"],
                )
            return encode(value)
        return token[0][0]

    return _TOKEN.sub(one, template)


def _render_url(url: str, values: Mapping[str, Any]) -> str:
    host = authority(url)
    if "{" in host or "}" in host:
        raise Invalid(
            "bad_url",
            f"{host!r}: scheme and host of a URL are fixed; placeholders may stand in path and query",
        )
    path, mark, query = url[len(host) :].partition("?")
    filled = _fill(path, values, _encode)
    if filled != path and any(segment in (".", "..") for segment in filled.split("/")):
        raise Invalid(
            "bad_path_segment",
            "a value of '.' or '..' would change which path is called",
        )
    return host + filled + mark + _fill(query, values, _encode)


def _encode(value: Any) -> str:
    return quote(word(value), safe="")


def _render_header(template: str, values: Mapping[str, Any], resolve: Resolve | None) -> str:
    def plain(value: Any) -> str:
        text = word(value)
        refuse_invisible(text)
        if not text.isascii():
            raise Invalid(
                "invalid_characters",
                "a header takes ASCII only; put this parameter into the body",
            )
        return text

    return _fill(template, values, plain, resolve)


def _render_body(body: Any, values: Mapping[str, Any], resolve: Resolve | None) -> Any:
    if isinstance(body, str):
        token = _TOKEN.fullmatch(body)
        if token and token["name"] and values.get(token["name"]) is not None:
            return values[token["name"]]
        return _fill(body, values, word, resolve)
    if isinstance(body, Mapping):
        return {key: _render_body(value, values, resolve) for key, value in body.items()}
    if isinstance(body, list | tuple):
        return [_render_body(value, values, resolve) for value in body]
    return body


def _stray(template: str) -> Invalid:
    return Invalid(
        "bad_template",
        f"{template!r} has a brace that is no placeholder; write {{name}} for a parameter, {{{{ for a brace",
    )
