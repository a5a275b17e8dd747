"""What can be asked for, and what is refused before it comes near a transaction."""

from __future__ import annotations

from typing import Any

import pytest

from core.errors import Invalid
from core.leases.request import Acquire
from core.leases.terms import MAX_PRIORITY, PLAIN, RUN, class_of


def test_resources_are_sorted_and_named_once() -> None:
    assert Acquire(principal="ana", resources=("env:b", "env:a", "env:b")).resources == ("env:a", "env:b")


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("resources", ("prod",), "bad_resource"),
        ("resources", (), "no_resources"),
        ("mode", "both", "bad_mode"),
        ("ttl_seconds", 0.5, "bad_ttl"),
        ("ttl_seconds", 86_401.0, "bad_ttl"),
        ("ttl_seconds", float("nan"), "bad_ttl"),
        ("wait_seconds", -1.0, "bad_wait"),
        ("wait_seconds", float("inf"), "bad_wait"),
        ("max_hold_seconds", 0.0, "bad_max_hold"),
        ("rank_class", RUN - 1, "bad_priority"),
        ("rank_class", PLAIN + 1, "bad_priority"),
        ("purpose", "", "bad_text"),
        ("purpose", "x" * 501, "bad_text"),
        ("purpose", "to\u202edo", "invalid_characters"),
        ("holder", "a\x00b", "invalid_characters"),
        ("request_key", "x" * 129, "bad_text"),
    ],
)
def test_what_cannot_be_is_refused_with_a_code(field: str, value: Any, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        Acquire(**{"principal": "ana", "resources": ("env:a",), field: value})
    assert refused.value.code == code


def test_a_hold_is_never_shorter_than_its_ttl() -> None:
    request = Acquire(principal="ana", resources=("env:a",), ttl_seconds=7200, max_hold_seconds=60)
    assert request.max_hold_us == request.ttl_us


def test_priorities_stand_between_plain_leases_and_runs() -> None:
    classes = [class_of(priority) for priority in range(MAX_PRIORITY + 1)]
    assert classes[0] == PLAIN
    assert classes == sorted(classes, reverse=True)
    assert min(classes) > RUN
    for priority in (-1, MAX_PRIORITY + 1):
        with pytest.raises(Invalid):
            class_of(priority)
