"""The small values of hub.yaml: names, durations, rates, URLs, each with its rule and what to write instead."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from difflib import get_close_matches
from ipaddress import ip_network
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from core.apply.pattern import check_pattern
from core.apply.template import placeholders
from core.audit.events import EVENTS
from core.clock import parse_duration
from core.errors import Invalid
from core.net import is_confidential
from core.people.rights import ADMIN, EVERYBODY
from core.policy.expression import Expression
from core.verbs import VERBS

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_ACTION = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_RATE = re.compile(r"([0-9]{1,7}(?:\.[0-9]{1,3})?)/([smh])")
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]|24:00")
_PER = {"s": 1.0, "m": 60.0, "h": 3600.0}


class Section(BaseModel):
    """A mapping of hub.yaml: unknown keys and values of another type are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=False, allow_inf_nan=False)


def wrong(message: str, remedy: str = "") -> PydanticCustomError:
    """The error of a validator: what is wrong, and what to put there."""
    return PydanticCustomError("wrong", "{message}", {"message": message, "remedy": remedy})


def _matching(pattern: re.Pattern[str], message: str, remedy: str) -> AfterValidator:
    def check(text: str) -> str:
        if not pattern.fullmatch(text):
            raise wrong(f"{text!r} {message}", remedy)
        return text

    return AfterValidator(check)


def _accepted(check: Callable[[str], object], remedy: str) -> AfterValidator:
    """Whatever `check` takes; its refusal becomes the problem."""

    def validate(text: str) -> str:
        try:
            check(text)
        except Invalid as refusal:
            raise wrong(refusal.message, remedy) from None
        return text

    return AfterValidator(validate)


def _milliseconds(value: Any) -> int:
    if not isinstance(value, str | int | float):
        raise wrong("is no duration", "write it like 90s, 15m, 4h or 2d")
    try:
        return round(parse_duration(value) * 1000)
    except Invalid as refusal:
        raise wrong(refusal.message) from None


def _action_name(name: str) -> str:
    if name in VERBS:
        raise wrong(f"{name!r} is a verb of the command language", f"name it otherwise, like {name}-service")
    return name


def _principal_name(name: str) -> str:
    if name in ("hub", "operator"):
        raise wrong(f"{name!r} is a name of the hub's own", "choose another")
    return name


def _right(name: str) -> str:
    if name not in EVERYBODY | ADMIN:
        raise wrong(f"there is no right {name!r}", f"use one of {', '.join(sorted(EVERYBODY | ADMIN))}")
    return name


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        sound = False
    if not sound or not text.isascii() or " " in text:
        raise wrong(f"{text!r} is no URL", "write it like https://hub.example.com")
    if parts.username is not None or parts.fragment:
        raise wrong("a URL here holds neither a password nor a #fragment", "put the secret into a header")
    return text


def _origin(text: str) -> str:
    parts = urlsplit(_url(text))
    if parts.path not in ("", "/") or parts.query:
        raise wrong(f"{text!r} holds more than scheme, host and port", f"write {parts.scheme}://{parts.netloc}")
    return f"{parts.scheme}://{parts.netloc}".lower()


def _issuer(text: str) -> str:
    parts = urlsplit(_url(text))
    if parts.query:
        raise wrong("an issuer has no ?query", "write what the provider calls its issuer, like https://id.example.com")
    if not is_confidential(text):
        raise wrong(f"{text!r} is not https", "only a provider on this machine may do without")
    return text


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise wrong(f"there is no time zone {name!r}", "write it like Europe/Madrid or UTC") from None
    return name


def _network(text: str) -> str:
    try:
        return str(ip_network(text))
    except ValueError as error:
        raise wrong(f"{error}", "write an address or a network, like 10.0.0.0/8") from None


def _cron(text: str) -> str:
    try:
        CronSim(text, datetime(2026, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise wrong(
            f"{text!r} is no cron line: {error}", "write minute hour day month weekday, like 0 18 * * 5"
        ) from None
    return text


def _moment(value: Any) -> str:
    if isinstance(value, datetime | date):  # YAML reads a bare time as one
        value = value.isoformat()
    try:
        datetime.fromisoformat(str(value))
    except ValueError:
        raise wrong(f"{value!r} is no time", "write it like 2026-12-20T18:00 or 2026-12-20T18:00:00Z") from None
    return str(value)


def _rate(text: str) -> str:
    found = _RATE.fullmatch(text)
    if not found or float(found[1]) == 0:
        raise wrong(f"{text!r} is no rate", "write it like 20/s, 600/m or 100/h")
    return text


def _occasion(text: str) -> str:
    if text.startswith("trigger:"):
        raise wrong(f"{text!r} is what triggers do; none looks at that", "name what the other one looks at")
    if not (text.startswith("hook:") and text != "hook:refused") and text not in EVENTS:
        close = get_close_matches(text, sorted(EVENTS), n=1)
        raise wrong(f"{text!r} is no event", f"did you mean {close[0]}?" if close else "docs/events.md lists them")
    return text


def per(rate: str) -> tuple[int, float]:
    """How many (one at least) within how many seconds, of `10/h`."""
    count, _, unit = rate.partition("/")
    return max(1, int(float(count))), _PER[unit]


def per_second(rate: str) -> float:
    """How many a second `20/s` or `600/m` allows."""
    count, _, unit = rate.partition("/")
    return float(count) / _PER[unit]


Name = Annotated[
    str,
    _matching(
        _NAME, "is no name", "use letters, digits, '.', '_' and '-', at most 63, beginning with a letter or digit"
    ),
]
PrincipalName = Annotated[Name, AfterValidator(_principal_name)]
ActionName = Annotated[
    str,
    _matching(_ACTION, "is no name of an action", "use a-z, 0-9, '_' and '-', like deploy-web"),
    AfterValidator(_action_name),
]
ParamName = Annotated[
    str, _matching(_WORD, "is no name of a parameter", "use letters, digits and '_', like target_env")
]
Variable = Annotated[str, _matching(_WORD, "is no name of a variable", "use letters, digits and '_', like KUBECONFIG")]
Header = Annotated[str, _matching(_HEADER, "is no name of a header", "write it like X-Service")]
Right = Annotated[str, AfterValidator(_right)]
Text = Annotated[str, Field(min_length=1, max_length=1024)]
Duration = Annotated[
    int,
    BeforeValidator(_milliseconds),
    WithJsonSchema({"type": ["string", "number"], "examples": ["90s", "15m", "4h", "2d"]}),
]
"""Milliseconds, written as `90s`, `15m`, `1h30m`, `2d` or a number of seconds."""
Url = Annotated[str, AfterValidator(_url)]
Origin = Annotated[str, AfterValidator(_origin)]
Issuer = Annotated[str, AfterValidator(_issuer)]
Zone = Annotated[str, AfterValidator(_zone)]
Network = Annotated[str, AfterValidator(_network)]
Rate = Annotated[str, AfterValidator(_rate)]
Occasion = Annotated[str, AfterValidator(_occasion)]
Cron = Annotated[str, AfterValidator(_cron)]
Moment = Annotated[str, BeforeValidator(_moment)]
"""An ISO 8601 time; one without an offset is in the zone that stands beside it."""
ClockTime = Annotated[str, _matching(_CLOCK, "is no time of day", 'write it in quotes, like "09:00"')]
Template = Annotated[str, Field(min_length=1, max_length=4096), _accepted(placeholders, "write {name} for a parameter")]
Pattern = Annotated[str, _accepted(check_pattern, "see https://docs.rs/regex/latest/regex/#syntax")]
Cel = Annotated[str, _accepted(Expression.compile, "see docs/configuration.md, Expressions")]
