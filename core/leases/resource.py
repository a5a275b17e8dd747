"""The names of what can be leased: `kind:name`, with `/` for what lies inside.

    resource  = kind ":" segment *( "/" segment )
    kind      = a lower-case letter, then up to 31 of a-z 0-9 _ -
    segment   = 1 to 128 of A-Z a-z 0-9 . _ @ + -, but neither `.` nor `..`

`repo:web` lies above `repo:web/src`: whoever has one keeps everybody else off the other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import lru_cache

from core.errors import Invalid

MAX_LENGTH = 255
MAX_DEPTH = 16
MAX_RESOURCES = 32

_KIND = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_SEGMENT = re.compile(r"[A-Za-z0-9._@+-]{1,128}")


def check(resource: str) -> str:
    """The resource as given, once it is well formed. Raises Invalid (`bad_resource`) saying what is wrong."""
    shown = repr(resource[:80])
    if len(resource) > MAX_LENGTH:
        raise Invalid("bad_resource", f"the resource {shown}… is longer than {MAX_LENGTH} characters")
    kind, colon, name = resource.partition(":")
    if not colon:
        raise Invalid("bad_resource", f"the resource {shown} has no kind; write it like env:prod or repo:web/src")
    if not _KIND.fullmatch(kind):
        raise Invalid(
            "bad_resource",
            f"the kind of {shown} must be a lower-case letter, then up to 31 letters, digits, - or _",
        )
    segments = name.split("/")
    if len(segments) > MAX_DEPTH:
        raise Invalid("bad_resource", f"the resource {shown} is nested deeper than {MAX_DEPTH}")
    for segment in segments:
        if not segment:
            raise Invalid("bad_resource", f"the resource {shown} has an empty part; write it like repo:web/src")
        if segment in (".", "..") or not _SEGMENT.fullmatch(segment):
            raise Invalid(
                "bad_resource",
                f"the part {segment[:40]!r} of {shown} may hold letters, digits and . _ @ + - (128 at most), "
                "and is neither . nor ..",
            )
    return resource


def check_all(resources: Iterable[str]) -> tuple[str, ...]:
    """The resources, each well formed, sorted, none twice. Raises Invalid (`bad_resource`, `no_resources`)."""
    names = tuple(sorted({check(resource) for resource in resources}))
    if not names:
        raise Invalid("no_resources", "name at least one resource, like env:prod")
    if len(names) > MAX_RESOURCES:
        raise Invalid("bad_resource", f"at most {MAX_RESOURCES} resources can be leased together, not {len(names)}")
    return names


@lru_cache(maxsize=4_096)
def names_in(text: str) -> tuple[str, ...]:
    """The resources that a row names, of its JSON text."""
    return tuple(json.loads(text))


def kinds_of(resources: Iterable[str]) -> list[str]:
    """The kinds of resources that are named, each once."""
    return sorted({name.partition(":")[0] for name in resources})


def ancestors(resource: str) -> tuple[str, ...]:
    """What lies above `resource`, nearest last: ("repo:a", "repo:a/b") for `repo:a/b/c`."""
    parts = resource.split("/")
    return tuple("/".join(parts[:depth]) for depth in range(1, len(parts)))


def conflict(one: str, other: str) -> bool:
    """Whether the two are the same, or one lies above the other."""
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")


def overlap(some: Iterable[str], others: Iterable[str]) -> bool:
    """Whether anything of `some` conflicts with anything of `others`."""
    there = tuple(others)
    return any(conflict(one, other) for one in some for other in there)


def footprint(resources: Iterable[str]) -> dict[str, int]:
    """Each resource -> 1, and each ancestor that is not one of them -> 0.

    Two sets conflict exactly when their footprints share a name that is 1 in at least one of them.
    """
    leaves = tuple(resources)
    found = {above: 0 for leaf in leaves for above in ancestors(leaf)}
    found.update(dict.fromkeys(leaves, 1))
    return found
