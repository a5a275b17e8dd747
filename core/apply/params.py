"""What was asked for, checked against what the action declares: every value typed, bounded and visible."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Any

from core.apply.action import Action, Param
from core.apply.pattern import matches_whole, matches_whole_cached
from core.errors import Invalid, TooLarge
from core.text import refuse_invisible, show

MAX_BYTES = 16_384
"""All parameters of a request together, names and values as UTF-8."""

MAX_INTEGER = 2**53 - 1
"""The largest integer that every JSON reader keeps exactly (RFC 8259, section 6)."""

Value = str | int | bool
"""A bound value. A `number` is its exact decimal text (`1.5`), because digests and log entries hold no floats."""

_INTEGER = re.compile(r"-?[0-9]{1,16}")
_NUMBER = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?")
_WORDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """Parameters that fit their action. `values` may be shown, logged and bound by the digest; `secrets` never."""

    values: Mapping[str, Value] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


def bind(action: Action, given: Mapping[str, Any]) -> Bound:
    """The typed values of `given` with defaults filled in; an optional parameter not given has none. None is not given.

    Raises Invalid: `unknown_parameter`, `missing_parameter`, or what `check_value` says. Raises TooLarge
    (`params_too_large`) past 16 KB.
    """
    declared = {param.name: param for param in action.params}
    given = {name: value for name, value in given.items() if value is not None}
    for name in given:
        if name not in declared:
            raise _unknown(action, name, declared)
    values: dict[str, Value] = {}
    secrets: dict[str, str] = {}
    missing: list[str] = []
    for name, param in declared.items():
        value = given.get(name, param.default)
        if value is None:
            if param.required:
                missing.append(name)
        elif param.secret:
            secrets[name] = str(check_value(param, value))
        else:
            values[name] = check_value(param, value)
    if missing:
        raise _missing(action, missing)
    _refuse_large({**values, **secrets})
    return Bound(values=values, secrets=secrets)


def check_value(param: Param, value: Any) -> Value:
    """`value` as the parameter's type, text converted. A number comes back as decimal text.

    Raises Invalid: `wrong_type`, `out_of_range`, `not_a_choice`, `empty_parameter`, `too_long`,
    `invalid_characters`, `leading_dash`, `pattern_mismatch`. A secret's value is never in the message.
    """
    typed = _typed(param, value)
    if param.enum is not None and typed not in {_typed(param, choice) for choice in param.enum}:
        choices = ", ".join(str(choice) for choice in param.enum)
        raise _invalid(param, "not_a_choice", f"{_quote(param, value)} is not one of {choices}")
    if isinstance(typed, str) and param.type == "string":
        _check_text(param, typed)
    return typed


def plain_number(number: float) -> str:
    """The exact decimal text of a float as it is written: `0.5`, `1000`."""
    return _plain(Decimal(repr(number)))


def _typed(param: Param, value: Any) -> Value:
    match param.type:
        case "string":
            if isinstance(value, str):
                return value
        case "boolean":
            if isinstance(value, bool):
                return value
            if value in ("true", "false"):
                return bool(value == "true")
        case "integer":
            if isinstance(value, str) and _INTEGER.fullmatch(value):
                value = int(value)
            if isinstance(value, int) and not isinstance(value, bool):
                return int(_in_range(param, Decimal(value)))
        case "number":
            exact = _decimal(value)
            if exact is not None:
                return _plain(_in_range(param, exact))
    raise _invalid(param, "wrong_type", f"{_quote(param, value)} is not {_WORDS[param.type]}")


def _decimal(value: Any) -> Decimal | None:
    """The exact decimal of an int, a float as it is written, or decimal text; None for anything else."""
    if isinstance(value, str):
        return Decimal(value) if _NUMBER.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    try:
        exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    except InvalidOperation:
        return None
    return exact if exact.is_finite() and _NUMBER.fullmatch(f"{exact:f}") else None


def _plain(exact: Decimal) -> str:
    """Without exponent, trailing zeros or a negative zero: equal numbers have equal text."""
    text = f"{exact:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    whole, _, part = text.removeprefix("-").partition(".")
    text = (whole.lstrip("0") or "0") + (f".{part}" if part else "")
    return text if text == "0" or not exact.is_signed() else f"-{text}"


def _in_range(param: Param, exact: Decimal) -> Decimal:
    low = param.minimum if param.minimum is not None else -MAX_INTEGER
    high = param.maximum if param.maximum is not None else MAX_INTEGER
    if not Decimal(str(low)) <= exact <= Decimal(str(high)):
        raise _invalid(param, "out_of_range", f"{exact:f} is not between {low:g} and {high:g}")
    if exact < 0 and not param.leading_dash and param.minimum is None:
        raise _leading_dash(param)
    return exact


def _check_text(param: Param, text: str) -> None:
    if len(text) > param.max_length:
        raise _invalid(
            param,
            "too_long",
            f"it has {len(text)} characters; at most {param.max_length} are allowed",
        )
    try:
        refuse_invisible(text, multiline=param.multiline)
    except Invalid as refusal:
        raise _invalid(param, refusal.code, refusal.message, **refusal.data) from None
    if param.pattern is None:
        if not text and param.enum is None:
            raise _invalid(param, "empty_parameter", "it is empty; leave it out or give it a value")
    elif not (matches_whole if param.secret else matches_whole_cached)(param.pattern, text):
        raise _invalid(
            param,
            "pattern_mismatch",
            f"{_quote(param, text)} does not match {param.pattern}",
        )
    if text.startswith("-") and not param.leading_dash and not param.secret:
        raise _leading_dash(param)


def _leading_dash(param: Param) -> Invalid:
    return _invalid(
        param,
        "leading_dash",
        "it begins with '-', which a command could take for an option",
    )


def _refuse_large(bound: Mapping[str, Value]) -> None:
    size = sum(len(name.encode()) + len(str(value).encode()) for name, value in bound.items())
    if size > MAX_BYTES:
        raise TooLarge(
            "params_too_large",
            f"the parameters have {size} bytes; at most {MAX_BYTES} are allowed",
        )


def _unknown(action: Action, name: str, declared: Iterable[str]) -> Invalid:
    known = list(declared)
    close = get_close_matches(name, known, n=1)
    hint = f"Did you mean {close[0]}?" if close else f"It takes {', '.join(known) or 'none'}."
    return Invalid(
        "unknown_parameter",
        f"{action.name} has no parameter {show(name)[:80]!r}. {hint}",
        param=name[:80],
    )


def _missing(action: Action, names: list[str]) -> Invalid:
    words = ", ".join(names)
    return Invalid(
        "missing_parameter",
        f"{action.name} needs {words}",
        param=names[0],
        missing=names,
    )


def _invalid(param: Param, code: str, message: str, **data: Any) -> Invalid:
    return Invalid(code, f"{param.name}: {message}", param=param.name, **data)


def _quote(param: Param, value: Any) -> str:
    """How a refused value is named: never a secret, never more than 80 characters."""
    if param.secret:
        return "the value"
    if not isinstance(value, str | int | float):
        return "a list or an object"
    text = show(value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value))
    return repr(text) if len(text) <= 80 else repr(text[:80]) + "…"
