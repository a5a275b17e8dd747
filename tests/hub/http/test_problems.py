"""Refusals as problem documents: the right status, a stable code, and nothing that a reader must not see."""

import json

import pytest
from starlette.responses import Response

from core.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Refusal,
    Stale,
    StoreError,
    TooFast,
    TooLarge,
    Unavailable,
    Unproven,
)
from hub.contracts import Reply
from hub.http.problems import of_refusal, of_reply, of_store_error


def read(response: Response) -> dict[str, object]:
    assert response.media_type == "application/problem+json"
    document: dict[str, object] = json.loads(bytes(response.body))
    return document


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [
        (Invalid, "usage", 400),
        (TooLarge, "too_large", 413),
        (Unproven, "bad_key", 401),
        (Forbidden, "not_allowed", 403),
        (NotFound, "not_found", 404),
        (Conflict, "wrong_state", 409),
        (Stale, "digest_stale", 409),
        (Stale, "version_stale", 412),
        (Invalid, "if_match_required", 428),
        (Invalid, "idempotency_mismatch", 422),
        (TooFast, "too_fast", 429),
        (Unavailable, "overloaded", 503),
        (Refusal, "odd", 400),
    ],
)
def test_each_refusal_has_its_status(kind: type[Refusal], code: str, status: int) -> None:
    response = of_refusal(kind(code, "in words"))
    document = read(response)
    assert (response.status_code, document["status"], document["code"]) == (status, status, code)
    assert document["detail"] == "in words"


def test_what_a_refusal_carries_stands_beside_its_members_and_replaces_none() -> None:
    document = read(of_refusal(Conflict("held", "by others", held_by=[1], status=200, title="mine", type="x")))
    assert (document["held_by"], document["status"], document["title"]) == ([1], 409, "Conflict")


@pytest.mark.parametrize(("wait", "shown"), [(0.2, "1"), (1.2, "2"), (59.0, "59"), (None, "1")])
def test_retry_after_is_whole_seconds_and_never_too_soon(wait: float | None, shown: str) -> None:
    data = {} if wait is None else {"retry_after_seconds": wait}
    assert of_refusal(TooFast("too_fast", "slow down", **data)).headers["retry-after"] == shown


def test_a_database_that_failed_is_503_without_its_words() -> None:
    response = of_store_error(StoreError("disk I/O error at /data/hub.db"))
    assert response.status_code == 503
    assert "hub.db" not in str(read(response))


def test_a_refused_command_is_an_answer_and_a_refused_press_is_a_problem() -> None:
    refused = Reply(ok=False, code="own_request", text="you asked for it")
    assert of_reply(refused, answered=True) is None
    pressed = of_reply(refused, answered=False)
    assert pressed is not None
    document = read(pressed)
    assert (pressed.status_code, document["ok"], document["text"]) == (403, False, "you asked for it")


@pytest.mark.parametrize(("code", "status"), [("too_fast", 429), ("idempotency_mismatch", 422), ("disk_full", 503)])
def test_a_refusal_of_the_asking_itself_is_a_problem_for_commands_too(code: str, status: int) -> None:
    response = of_reply(Reply(ok=False, code=code, text="no"), answered=True)
    assert response is not None
    assert response.status_code == status


def test_an_answer_is_no_problem() -> None:
    assert of_reply(Reply(ok=True, text="done"), answered=False) is None
