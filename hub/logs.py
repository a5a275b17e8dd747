"""What the process says on stderr: one JSON object a line, with nothing secret in it.

Keys, tokens, cookies, the Authorization header, `token=` in a query and every secret of the configuration are
replaced by `[redacted]` in the finished line, whoever logged it: our own code, a library, a traceback.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable
from typing import Any, TextIO

import orjson
import structlog
from structlog.typing import EventDict

REDACTED = "[redacted]"

_SHAPES = re.compile(
    r"""
      ilk_[0-9A-Za-z]{8,}                                             # an API key
    | ilr_[0-9A-Za-z_.\-]{8,}                                         # a refresh token
    | eyJ[0-9A-Za-z_\-]{5,}\.[0-9A-Za-z_\-]+\.[0-9A-Za-z_\-]+         # a JWT
    | PRIVATE\+KEY\+[^\s"'\\]+                                        # a signing key
    | (?<=/login/)[0-9A-Za-z_\-]{16,}                                 # a sign-in link
    | (?<=/a/)[0-9A-Za-z_\-]{16,}                                     # a mailed link
    | (?i:(?<=token=)|(?<=ticket=)|(?<=secret=)|(?<=password=)|(?<=interlock_session=))[^\s&;,"'\\]+
    | (?i:\b(?:bearer|basic))\s+[0-9A-Za-z_\-.~+/=]{8,}
    """,
    re.VERBOSE,
)
_NAMES = re.compile(
    r'(?i)("(?:authorization|proxy-authorization|cookie|set-cookie|token|refresh_token|access_token|password|secret'
    r'|api_key|webhook-signature|x-hub-signature-256)"\s*:\s*)"(?:[^"\\]|\\.)*"'
)
_SHORTEST = 6
"""A shorter configured secret would redact ordinary words."""


class Redactor:
    """Knows what must not be shown. `register` may be called again with each configuration; nothing is forgotten."""

    def __init__(self) -> None:
        self._secrets: set[str] = set()
        self._known: re.Pattern[str] | None = None

    def register(self, secrets: Iterable[str]) -> None:
        """Redact these values from now on, wherever they stand."""
        found = {text for secret in secrets for text in (secret, *secret.splitlines()) if len(text) >= _SHORTEST}
        # Where a value stands in JSON its quotes and backslashes are escaped.
        found |= {orjson.dumps(text).decode()[1:-1] for text in found}
        if found <= self._secrets:
            return
        self._secrets |= found
        longest_first = sorted(self._secrets, key=len, reverse=True)
        self._known = re.compile("|".join(re.escape(secret) for secret in longest_first))

    def clean(self, text: str) -> str:
        """`text` without anything secret."""
        if self._known is not None:
            text = self._known.sub(REDACTED, text)
        return _SHAPES.sub(REDACTED, _NAMES.sub(rf'\1"{REDACTED}"', text))


def configure(redactor: Redactor, *, level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """Send structlog's and the standard library's records to `stream` (stderr), as redacted JSON lines."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        structlog.processors.format_exc_info,
    ]

    def line(_: Any, __: str, event: EventDict) -> str:
        return redactor.clean(orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode())

    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.PositionalArgumentsFormatter(),
                *shared,
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                line,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in (
        "uvicorn",
        "uvicorn.error",
        "uvicorn.access",
        "websockets",
        "httpx",
        "httpcore",
    ):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    for name in ("httpx", "httpcore", "websockets", "asyncio", "uvicorn.access"):
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
