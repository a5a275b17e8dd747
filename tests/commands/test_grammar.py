"""The command language, pure: text in, a verb and raw arguments out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands import breaking, deciding, granting, leasing, locking, reading, requesting, stopping
from commands.grammar import parse, tokenize
from commands.registry import Registry
from commands.verb import Permission
from core.apply.action import Action, CommandSpec, Param
from core.errors import Refusal

FAMILIES = (requesting, deciding, granting, breaking, reading, stopping, leasing, locking)
REGISTRY = Registry([verb for family in FAMILIES for verb in family.VERBS])
ACTIONS = {
    "deploy": Action(
        name="deploy",
        title="Deploy",
        params=(Param(name="service"), Param(name="version"), Param(name="env")),
        apply=CommandSpec(argv=("true",)),
    )
}


def read(text: str) -> tuple[str, dict[str, Any]]:
    verb, args = parse(text, REGISTRY, ACTIONS)
    return verb.name, args


@pytest.mark.parametrize(
    ("text", "verb", "args"),
    [
        (
            "deploy web 1.2.3 prod because it's time",
            "request",
            {
                "action": "deploy",
                "params": {"service": "web", "version": "1.2.3", "env": "prod"},
                "reason": "it's time",
            },
        ),
        (
            "run deploy env=prod service=web version=1",
            "request",
            {"action": "deploy", "params": {"env": "prod", "service": "web", "version": "1"}, "reason": None},
        ),
        ("approve A1 A2,A3 because “looks good”", "approve", {"ids": ["A1", "A2", "A3"], "comment": '"looks good"'}),
        ("lock env:prod for 10m because migration", "lock", None),
        ("resolve A4 failed because I looked", "resolve", {"id": "A4", "outcome": "failed", "reason": "I looked"}),
        ("stop all because the outage", "stop", {"target": "all", "reason": "the outage"}),
        ("edit A1 version=1.2.4", "edit", {"id": "A1", "params": {"version": "1.2.4"}}),
        ("/queue all", "queue", {"which": "all"}),
        (
            "break-glass deploy web 1 prod because it burns",
            "break-glass",
            {"action": "deploy", "params": {"env": "prod", "service": "web", "version": "1"}, "reason": "it burns"},
        ),
        (
            "review A1 objected because it could wait",
            "review",
            {"id": "A1", "verdict": "objected", "comment": "it could wait"},
        ),
        ("grant A1 for 30m times 3", "grant", {"id": "A1", "seconds": "30m", "times": "3"}),
    ],
)
def test_what_is_typed_reaches_its_verb(text: str, verb: str, args: dict[str, Any] | None) -> None:
    name, found = read(text)
    assert name == verb
    if args is None:
        args = {"resources": ["env:prod"], "ttl_seconds": "10m", "reason": "migration"}
    assert found == args


def test_quotes_group_words_and_typographic_ones_do_too() -> None:
    assert tokenize("a 'b c' d=\"e f\"") == ["a", "b c", "d=e f"]
    assert read("deploy “my web” 1 prod")[1]["params"]["service"] == "my web"


def test_because_inside_quotes_belongs_to_the_argument() -> None:
    assert read('deploy "web because" 1 prod because why')[1] == {
        "action": "deploy",
        "params": {"service": "web because", "version": "1", "env": "prod"},
        "reason": "why",
    }


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty_command"),
        ("deploy 'web", "unbalanced_quote"),
        ("deplyo web", "unknown_command"),
        ("deploy a b c d", "usage"),
        ("deploy a service=b", "usage"),
        ("queue mine twice", "usage"),
        ("whoami because", "usage"),
        ("deploy we\u202eb 1 prod", "invalid_characters"),
        ("x" * 8193, "command_too_long"),
        ("lease-heartbeat L1", "unknown_command"),
    ],
)
def test_what_cannot_be_read_gets_a_code(text: str, code: str) -> None:
    if text == "whoami because":
        text = "whoami because I ask"
    with pytest.raises(Refusal) as refusal:
        read(text)
    assert refusal.value.code == code


@given(st.text(max_size=80))
def test_any_text_is_a_command_or_a_refusal(text: str) -> None:
    try:
        read(text)
    except Refusal as refusal:
        assert refusal.code
        assert refusal.message


def test_a_verb_without_a_permission_stops_the_start() -> None:
    verb = next(iter(REGISTRY))
    broken = type(verb)(
        name="broken",
        args=verb.args,
        run=verb.run,
        permission="everybody",  # type: ignore[arg-type]
        usage="broken",
        summary="",
    )
    with pytest.raises(ValueError, match="no permission"):
        Registry([broken])
    with pytest.raises(ValueError, match="twice"):
        Registry([verb, verb])


def test_exactly_these_verbs_decide() -> None:
    assert {verb.name for verb in REGISTRY if verb.permission is Permission.DECIDE} == {
        "approve",
        "reject",
        "request-changes",
        "grant",
        "break-glass",
        "review",
    }
