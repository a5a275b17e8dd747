"""Authentication-Results (RFC 8601): what a receiving server that we trust says about who sent a mail.

Only the topmost header with the configured authserv-id counts, and only above the first Received line that another
host than ours wrote (section 5): whatever stands below it came with the mail. Read by a tokenizer, since quoted text
and nested comments may contain every delimiter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

_TOKEN = re.compile(r"@?[^\s()<>@,;:\\\"/\[\]?=]+(?:[@/.:][^\s()<>,;\\\"=]*)*")
_BY = re.compile(r"(?:^|\s)by\s+([A-Za-z0-9._-]+)", re.IGNORECASE)
_MOST = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One method's verdict: `dmarc=pass header.from=example.com`."""

    method: str
    value: str
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """One Authentication-Results header."""

    server: str
    """The authserv-id: who says so."""
    results: tuple[Result, ...]


def trusted(headers: Iterable[tuple[str, str]], server: str, hosts: Iterable[str]) -> Results | None:
    """What `server` says, from headers in their order, names in lower case; None when it says nothing.

    `hosts` are our own mail hosts, by name or by the end of one.
    """
    ours = tuple(host.lower().lstrip(".") for host in (server, *hosts))
    for name, value in headers:
        if name == "received":
            by = _BY.search(value[:_MOST])
            if by is None or not _is_ours(by[1].lower(), ours):
                return None
        elif name == "authentication-results":
            found = parse(value)
            if found is not None and found.server.lower() == server.lower():
                return found
    return None


def aligned(results: Results, domain: str) -> str | None:
    """The method that proves that a mail came from `domain`: `dmarc`, else an aligned `dkim`; None for neither.

    A dmarc verdict other than pass is final. Alignment of dkim is relaxed: the signing domain or one above it.
    """
    domain = domain.lower()
    dmarc = [each for each in results.results if each.method == "dmarc"]
    if dmarc:
        passed = all(
            each.value == "pass" and each.properties.get("header.from", "").lower() == domain for each in dmarc
        )
        return "dmarc" if passed else None
    for each in results.results:
        signer = each.properties.get("header.d", "").lower()
        if each.method == "dkim" and each.value == "pass" and "." in signer and f".{domain}".endswith(f".{signer}"):
            return "dkim"
    return None


def parse(value: str) -> Results | None:
    """The header's content; None for what does not follow the grammar, also in part."""
    if len(value) > _MOST:
        return None
    clauses = list(_clauses(value))
    if not clauses or None in clauses:
        return None
    head, *rest = [[token for token in clause if token is not None] for clause in clauses if clause is not None]
    if not head or "=" in head or len(head) > 2:
        return None
    results: list[Result] = []
    for clause in rest:
        if clause in ([], ["none"]):
            continue
        found = _result(clause)
        if found is None:
            return None
        results.append(found)
    return Results(server=head[0], results=tuple(results))


def _result(tokens: list[str]) -> Result | None:
    """`method = value { key = value }`."""
    if len(tokens) < 3 or len(tokens) % 3 or any(sign != "=" for sign in tokens[1::3]):
        return None
    names = [name.lower() for name in tokens[::3]]
    if len(set(names)) != len(names):
        return None  # the same property twice: which one counts is anybody's guess
    method = names[0].partition("/")[0]
    return Result(method=method, value=tokens[2].lower(), properties=dict(zip(names[1:], tokens[5::3], strict=True)))


def _clauses(value: str) -> Iterator[list[str] | None]:
    """The tokens between semicolons; None where something is no token."""
    clause: list[str] = []
    at = 0
    while at < len(value):
        char = value[at]
        if char.isspace():
            at += 1
        elif char == "(":
            end = _comment(value, at)
            if end is None:
                yield None
                return
            at = end
        elif char == ";":
            yield clause
            clause, at = [], at + 1
        elif char == "=":
            clause.append("=")
            at += 1
        elif char == '"':
            end = _quoted(value, at)
            if end is None:
                yield None
                return
            clause.append(re.sub(r"\\(.)", r"\1", value[at + 1 : end - 1]))
            at = end
        else:
            found = _TOKEN.match(value, at)
            if found is None:
                yield None
                return
            clause.append(found[0])
            at = found.end()
    yield clause


def _comment(value: str, at: int) -> int | None:
    """Where the comment that begins at `at` ends; comments nest."""
    depth = 0
    while at < len(value):
        if value[at] == "\\":
            at += 1
        elif value[at] == "(":
            depth += 1
        elif value[at] == ")":
            depth -= 1
            if depth == 0:
                return at + 1
        at += 1
    return None


def _quoted(value: str, at: int) -> int | None:
    at += 1
    while at < len(value):
        if value[at] == "\\":
            at += 1
        elif value[at] == '"':
            return at + 1
        at += 1
    return None


def _is_ours(host: str, ours: tuple[str, ...]) -> bool:
    return any(host == each or host.endswith(f".{each}") for each in ours)
