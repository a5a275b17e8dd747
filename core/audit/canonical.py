"""The one way to write a value as bytes: RFC 8785 (JSON Canonicalization Scheme), without floats.

Values are None, bool, integers whose size is below 2^53, text, lists, and objects whose keys are ASCII text:
there the order by bytes and the order by UTF-16 units are the same. Text is kept as it was given; it is not
normalised. Floats are refused because their text depends on who writes it; a number with a fraction is text here.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

import orjson

from core.errors import Invalid

_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER
_SCALARS = frozenset({str, bool, type(None), int})


def canonical(value: object) -> bytes:
    """The canonical bytes of `value`.

    Raises Invalid (`not_canonical`) for floats, integers of 2^53 or more, lone surrogates, keys that are no
    ASCII text, nesting deeper than 250, and anything that JSON has no name for.
    """
    try:
        data = orjson.dumps(value, option=_OPTIONS)
    except TypeError as error:
        raise Invalid("not_canonical", f"this cannot be written canonically: {error}") from None
    if type(value) not in _SCALARS:
        _check(value)
    return data


def parse(data: bytes) -> Any:
    """The value of canonical bytes.

    Raises Invalid (`not_canonical`) when `data` is no JSON, or is not byte for byte how `canonical` writes it.
    """
    try:
        value = orjson.loads(data)
    except (orjson.JSONDecodeError, TypeError) as error:
        raise Invalid("not_canonical", f"these bytes are no JSON: {error}") from None
    if canonical(value) != data:
        raise Invalid("not_canonical", "these bytes are JSON, but not in its canonical form")
    return value


def _check(value: object) -> None:
    """Pass when `value`, which orjson could write, holds nothing that canonical JSON lacks."""
    if type(value) in _SCALARS:
        return
    if isinstance(value, dict):
        for key, item in value.items():
            if not key.isascii():
                raise Invalid("not_canonical", f"the key {key!r} is not ASCII text")
            if type(item) not in _SCALARS:
                _check(item)
    elif isinstance(value, list | tuple):
        for item in value:
            if type(item) not in _SCALARS:
                _check(item)
    elif isinstance(value, float):
        raise Invalid("not_canonical", f"the number {value!r} has a fraction or an exponent; write it as text")
    elif not isinstance(value, str | int) or (isinstance(value, Enum) and value.value != value):
        raise Invalid("not_canonical", f"a {type(value).__name__} is no canonical value")
