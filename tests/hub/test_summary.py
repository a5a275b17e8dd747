"""A stretch of the log in words: request by request, escaped, with a count of the rest."""

from __future__ import annotations

from typing import Any

from hub.contracts import News
from hub.summary import MOST_SUBJECTS, summary


def news(seq: int, event: str, actor: str | None = "bo", subject: str | None = "A1", **details: Any) -> News:
    ts = f"2026-01-02T03:{seq % 60:02d}:00Z"
    return News(seq=seq, ts=ts, event=event, actor=actor, subject=subject, details=details, channel="page")


def told(*entries: News) -> str:
    return summary(entries, title={"A1": "Deploy web"}.get, name=lambda id: id.capitalize())


def test_a_request_is_told_from_asking_to_its_end() -> None:
    text = told(
        news(1, "approval:requested", "ana", reason="the release is due"),
        news(2, "approval:decided", verdict="approve", comment="fine"),
        news(3, "apply:started", "hub"),
        news(4, "apply:finished", "hub"),
    )
    assert text.splitlines() == [
        "4 entries, 2026-01-02 03:01 to 2026-01-02 03:04 UTC, seq 1 to 4.",
        "",
        "A1: Deploy web",
        "  03:01  Ana asked in page: “the release is due”",
        "  03:02  Bo said approve in page: “fine”",
        "  03:03  began to run",
        "  03:04  ended well",
    ]


def test_what_is_no_story_is_counted_and_refusals_say_why() -> None:
    text = told(
        news(1, "delivery:sent"),
        news(2, "delivery:sent"),
        news(3, "login:used", subject=None),
        news(4, "command:refused", "deploy-bot", subject=None, code="not_allowed"),
    )
    expected = "Also: 2 copies delivered or updated, 1 sign-in, 1 refused (Deploy-bot: not_allowed)."
    assert text.splitlines()[-1] == expected


def test_what_came_from_outside_is_escaped_and_cut() -> None:
    text = told(news(1, "approval:commented", comment="pay\u202eme\n\n" + "x" * 500))
    assert "pay⟨U+202E⟩me xxx" in text
    assert "…”" in text
    assert len(text) < 400


def test_very_many_requests_are_not_all_told() -> None:
    text = told(*(news(at, "apply:finished", subject=f"A{at}") for at in range(1, MOST_SUBJECTS + 4)))
    assert "3 more requests and leases are not told here." in text


def test_nothing_is_told_of_nothing() -> None:
    assert told() == "Nothing happened."
