from __future__ import annotations

from typing import Any

import pytest

from config.cli.picture import card, missing, tail


def approval(**changes: Any) -> dict[str, Any]:
    return {
        "id": "A7",
        "title": "Deploy web",
        "state": "REVIEWING",
        "requester": {"id": "ana", "kind": "person", "name": "Ana Ruiz"},
        "reason": "it is time",
        "params": {"service": "web"},
        "requirements": [{"group": "sre", "count": 2, "have": 1, "by": ["bo"]}],
        "decisions": [{"by": {"id": "bo", "name": "Bo Lind"}, "verdict": "approve", "comment": None}],
        "revision": 2,
        "digest": "d" * 64,
        "validation": [{"command": ["./check"], "exit": 0, "output": "fine\n"}],
        "preview": {"command": ["./plan"], "exit": 0, "output": "+ one\n- two\n"},
        "resources": ["env:prod"],
        "run": None,
    } | changes


def test_a_card_shows_what_a_decision_rests_on() -> None:
    shown = card(approval())
    for part in (
        "A7",
        "Ana Ruiz (ana)",
        "it is time",
        "1 of sre",
        "env:prod",
        "d" * 64,
        "| + one",
        "| - two",
        "Bo Lind",
    ):
        assert part in shown


@pytest.mark.parametrize("field", ["title", "reason"])
def test_what_somebody_wrote_cannot_move_the_cursor_or_hide(field: str) -> None:
    shown = card(approval(**{field: "safe\x1b[2J\u202eexe\r"}))
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "\r" not in shown
    assert "U+001B" in shown


def test_output_and_names_and_comments_are_escaped_too() -> None:
    evil = "x\x1b]0;owned\x07"
    shown = card(
        approval(
            params={evil: evil},
            decisions=[{"by": {"id": evil, "name": evil}, "verdict": "reject", "comment": evil}],
            preview={"command": [], "exit": 0, "output": evil},
            run={"id": "R1", "state": "failed", "exit": 1, "output_tail": evil},
        )
    )
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "\x1b" not in tail(approval(run={"output_tail": evil}))


def test_nothing_is_missing_once_every_seat_is_filled() -> None:
    full = [{"group": "sre", "count": 2, "have": 2, "by": ["bo", "cai"]}]
    assert missing(approval(requirements=full)) == ""
    assert missing(approval(requirements=[*full, {"person": "dee", "count": 1, "have": 0, "by": []}])) == "dee"
