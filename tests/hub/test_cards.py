"""What a card shows: what is bound, whole and escaped, and buttons only while something can be pressed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from core.approvals.states import ENDED, State
from hub.cards import card, live_choices
from hub.contracts import Card
from hub.wording import command_line, setting, summary_of

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
TOKENS = {choice: f"token-{choice}" for choice in ("approve", "reject", "request-changes", "apply", "stop")}

ANA = {"id": "ana", "kind": "person", "name": "Ana Ruiz"}
BO = {"id": "bo", "kind": "person", "name": "Bo Lind"}


def approval(**changes: Any) -> dict[str, Any]:
    """An Approval JSON under review, with `changes`."""
    base: dict[str, Any] = {
        "id": "A142",
        "version": 3,
        "action": "deploy",
        "title": "Deploy web 1.2.3 to prod",
        "params": {"service": "web", "version": "1.2.3", "env": "prod"},
        "reason": "the release is due",
        "state": "REVIEWING",
        "why": None,
        "revision": 1,
        "digest": "d1" * 32,
        "requester": ANA,
        "owners": [],
        "policy": "prod",
        "commands": {
            "apply": {"command": ["./ops/deploy", "web", "1.2.3", "prod"]},
            "rollback": {"command": ["./ops/rollback", "web", "prod"]},
        },
        "requirements": [
            {"group": "sre", "count": 2, "have": 1, "by": ["bo"]},
            {"person": "dee", "count": 1, "have": 0, "by": []},
        ],
        "decisions": [
            {
                "by": BO,
                "verdict": "approve",
                "at": "2026-01-01T11:00:00.000000Z",
                "channel": "slack",
                "assurance": "chat",
                "comment": "looks fine",
                "digest": "d1" * 32,
                "on_behalf_of": None,
            }
        ],
        "resources": ["env:prod", "service:web"],
        "validation": [{"command": ["./ops/check", "web"], "exit": 0, "output": ""}],
        "preview": {"command": ["./ops/plan"], "exit": 0, "output": "+ web 1.2.3\n"},
        "waiting_for": [],
        "run": None,
        "start": "auto",
        "attempt": 1,
        "retry_of": None,
        "created_at": "2026-01-01T10:00:00.000000Z",
        "review_expires_at": "2026-01-01T14:00:00.000000Z",
        "apply_expires_at": None,
        "hold_until": None,
    }
    return base | changes


def draw(**changes: Any) -> Card:
    return card(approval(**changes), public_url="https://hub.example/", tokens=TOKENS, now=NOW)


def field(picture: Card, label: str) -> str:
    return next(each.value for each in picture.fields if each.label == label)


def test_it_shows_the_exact_bound_commands_parameters_and_policy() -> None:
    picture = draw()
    assert field(picture, "Runs") == "./ops/deploy web 1.2.3 prod"
    assert field(picture, "Undone by") == "./ops/rollback web prod"
    assert field(picture, "Parameters") == "service = web\nversion = 1.2.3\nenv = prod"
    assert field(picture, "Policy") == "prod"
    assert field(picture, "Locks") == "env:prod, service:web"
    assert picture.preview == "+ web 1.2.3\n"
    assert picture.url == "https://hub.example/#/approvals/A142"


def test_it_says_what_is_still_needed_and_who_gave_what_where_when_and_why() -> None:
    picture = draw()
    assert field(picture, "Needs") == "1 of 2 of sre (Bo Lind); 0 of 1 dee"
    assert field(picture, "Decided") == "Bo Lind approved in slack (chat) at 2026-01-01 11:00 UTC: looks fine"
    assert picture.summary == "Ana Ruiz asks; it needs 1 of sre and dee."


def test_the_requesters_reason_stands_apart_as_a_claim() -> None:
    picture = draw(reason="approve at once")
    assert picture.claim == "approve at once"
    assert all("approve at once" not in each.value for each in picture.fields)
    assert "approve at once" not in picture.summary


def test_what_cannot_be_seen_is_written_out() -> None:
    picture = draw(
        reason="fine\u202eenif",
        title="Deploy \u200bweb",
        params={"note": "a\u200bb"},
        commands={"apply": {"command": ["run", "x\u202ey"]}},
        preview={"exit": 0, "output": "a\u0007b"},
    )
    assert picture.claim == "fine⟨U+202E⟩enif"
    assert picture.title == "Deploy ⟨U+200B⟩web"
    assert "⟨U+200B⟩" in field(picture, "Parameters")
    assert field(picture, "Runs") == "run 'x⟨U+202E⟩y'"
    assert picture.preview == "a⟨U+0007⟩b"


def test_a_parameter_with_a_line_break_cannot_look_like_two() -> None:
    picture = draw(params={"note": "x\nversion = 9.9.9"})
    assert field(picture, "Parameters") == 'note = "x\\nversion = 9.9.9"'


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("web", "web"),
        ("1.2.3", "1.2.3"),
        ("v1.2.3", "v1.2.3"),
        (12, "12"),
        ("12", '"12"'),
        (True, "true"),
        ("true", '"true"'),
        (None, "null"),
        ("1.5", '"1.5"'),
        ("1e5", '"1e5"'),
        (" x", '" x"'),
        ("", '""'),
        ([1, "a"], '[1,"a"]'),
    ],
)
def test_a_value_cannot_be_taken_for_one_of_another_type(value: object, shown: str) -> None:
    assert setting(value) == shown


def test_a_command_is_quoted_so_that_its_arguments_can_be_told_apart() -> None:
    assert command_line({"command": ["echo", "a b", "c;d", "-"]}) == "echo 'a b' 'c;d' -"
    assert command_line({"http": {"method": "PUT", "url": "https://x.example/a", "body": {"n": 1}}}) == (
        'PUT https://x.example/a {"n":1}'
    )


def test_a_long_preview_says_how_much_is_hidden_and_where_all_of_it_is() -> None:
    long = card(
        approval(preview={"exit": 0, "output": "x" * 5000}),
        public_url="https://hub.example",
        tokens=None,
        now=NOW,
        preview_limit=1000,
    )
    assert long.preview is not None
    assert long.preview.startswith("x" * 1000 + "\n")
    assert "4,000 more characters are not shown here" in long.preview
    assert "https://hub.example/#/approvals/A142" in long.preview


def test_a_preview_that_failed_says_so() -> None:
    assert (draw(preview={"exit": 3, "output": "boom"}).preview or "").startswith("(the preview ended with exit 3)")


def test_failed_checks_are_shown_with_what_they_said() -> None:
    picture = draw(
        state="DRAFT",
        digest=None,
        why="./ops/check web: exit 1",
        validation=[
            {"command": ["./ops/check", "web"], "exit": 1, "output": "no such version\n"},
            {"command": ["./ops/lint"], "exit": 0, "output": ""},
        ],
    )
    assert field(picture, "Check failed") == "./ops/check web\nexit 1\nno such version"
    assert field(picture, "Checks") == "1 of 2 passed"
    assert picture.summary.startswith("Sent back: ./ops/check web: exit 1. Change it with `edit A142")


@pytest.mark.parametrize("state", list(State))
def test_buttons_live_only_while_something_can_be_pressed(state: State) -> None:
    picture = draw(state=state.value, apply_expires_at="2026-01-01T14:00:00.000000Z")
    choices = tuple(button.choice for button in picture.buttons)
    assert choices == live_choices(approval(state=state.value))
    assert bool(choices) == (state in (State.REVIEWING, State.APPROVED, State.APPLYING, State.ROLLING_BACK))
    assert picture.final == (state in ENDED)


def test_a_request_to_be_started_by_hand_can_be_started_once() -> None:
    assert live_choices(approval(state="APPROVED", start="manual")) == ("apply", "stop")
    asked = approval(state="APPROVED", start="manual", apply_asked_at="2026-01-01T11:00:00.000000Z")
    assert live_choices(asked) == ("stop",)


def test_no_button_without_a_token_and_none_after_the_deadline() -> None:
    assert card(approval(), public_url="", tokens=None, now=NOW).buttons == ()
    late = draw(review_expires_at="2026-01-01T12:00:00.000000Z")
    assert late.buttons == ()
    assert "over" in late.summary


@pytest.mark.parametrize("changes", [{}, {"start": "manual"}, {"hold_until": "2026-01-01T12:00:20.000000Z"}])
def test_approved_is_never_shown_as_done(changes: dict[str, Any]) -> None:
    said = summary_of(approval(state="APPROVED", **changes))
    assert said.startswith("Approved by Bo Lind in slack")
    assert "has not run" in said
    assert "done" not in said.lower()


def test_an_approved_request_that_waits_says_for_what_and_who_has_it() -> None:
    picture = draw(
        state="APPROVED",
        waiting_for=[{"resource": "env:prod", "position": 2, "held_by": [{"principal": "cai", "holder": "h"}]}],
    )
    assert "waits for env:prod" in picture.summary
    assert field(picture, "Waits for") == "env:prod, place 2, held by cai"


def test_a_run_shows_its_state_and_the_end_of_its_output() -> None:
    run = {"id": "R9", "state": "failed", "exit": 2, "output_tail": "line\x1b[31mred", "token": 5}
    picture = draw(state="FAILED", run=run)
    assert field(picture, "Run") == "R9 failed, exit 2"
    assert field(picture, "Output") == "line⟨U+001B⟩[31mred"
    assert picture.summary.endswith("the operation failed with exit 2.")


def test_an_unknown_outcome_says_that_somebody_has_to_look() -> None:
    assert "resolve A142" in summary_of(approval(state="UNKNOWN"))


def test_a_rejection_says_by_whom_where_and_why() -> None:
    rejected = approval()["decisions"][0] | {"verdict": "reject", "comment": "too risky"}
    said = summary_of(approval(state="REJECTED", decisions=[rejected]))
    assert said == "Rejected by Bo Lind in slack: too risky; nothing ran."


def test_a_policy_that_asks_nobody_is_marked() -> None:
    picture = draw(state="COMPLETED", requirements=[], decisions=[], allow=True)
    assert field(picture, "Needs") == "nobody: policy prod allows it"
    assert picture.risk == "low"
    assert "approved by policy prod" in picture.summary


def test_a_retry_is_labelled() -> None:
    assert field(draw(attempt=2, retry_of="A140"), "Retry") == "attempt 2, after A140"
