"""What a command says: answers on stdout, progress and problems on stderr, JSON where it was asked for."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from config.cli.exits import Failure


def answer(text: str, value: Any, *, as_json: bool) -> None:
    """Print the answer: `value` as JSON when that was asked for, else `text`."""
    if as_json:
        print(json.dumps(value, ensure_ascii=False, indent=2, default=str))
    elif text:
        print(text)
    sys.stdout.flush()


def progress(text: str) -> None:
    """Tell what happens meanwhile; it never mixes with the answer."""
    print(text, file=sys.stderr, flush=True)


def complain(failure: Failure, *, as_json: bool) -> None:
    """Say why a command ends without an answer."""
    if as_json:
        problem: Mapping[str, Any] = {"ok": False, "code": failure.code, "text": failure.message, **failure.data}
        print(json.dumps(problem, ensure_ascii=False, indent=2, default=str), flush=True)
    print(f"interlock: {failure.message}", file=sys.stderr, flush=True)
