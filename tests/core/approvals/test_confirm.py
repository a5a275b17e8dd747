"""A policy may ask whoever approves to type the request's id: then nothing less approves, in whichever way it is said."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from court import Court, code, person, sre
from history import History, definition

from core.approvals.decision import Again
from core.errors import Invalid
from core.receipt.receipt import verify

PEOPLE = (person("ana", "sre"), person("bo", "sre"), person("eve", "sre"))


@pytest.fixture
def court(tmp_path: Path) -> Iterator[Court]:
    policy = sre(1, confirm="typed", reject=1)
    made = Court(tmp_path, PEOPLE, replace(policy, canonical=definition(policy)))
    yield made
    made.close()


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        (None, "confirmation_required"),
        ("", "confirmation_required"),
        ("  ", "confirmation_wrong"),
        ("A2", "confirmation_wrong"),
        ("1", "confirmation_wrong"),
        ("A1 A1", "confirmation_wrong"),
        ("approve", "confirmation_wrong"),
    ],
)
def test_without_the_id_nothing_is_approved(court: Court, typed: str | None, why: str) -> None:
    number = court.review("eve")
    with code(why):
        court.decide(number, "ana", typed=typed)
    assert court.state(number) == "REVIEWING"
    assert court.decisions(number) == []


@pytest.mark.parametrize("typed", ["A1", "a1", " A1\n"])
def test_with_the_id_it_is_approved_and_the_log_and_the_receipt_say_that_it_was_typed(court: Court, typed: str) -> None:
    number = court.review("eve")
    assert court.decide(number, "ana", typed=typed).state == "APPROVED"
    (decision,) = court.decisions(number)
    assert decision.evidence == {"typed": "A1"}
    history = History(court, number)
    assert [each.by for each in verify(history.receipt(), [history.key]).decisions] == ["ana"]
    history.rewrite("approval:decided", lambda details: details["evidence"].clear())
    with pytest.raises(Invalid, match="did not type"):
        verify(history.receipt(), [history.key])


def test_whoever_rejects_types_nothing_and_a_grant_is_no_way_around(court: Court) -> None:
    number = court.review("eve")
    with code("confirmation_required"):
        court.decide(number, "bo", again=Again(seconds=60, times=1))
    assert court.decide(number, "ana", "reject").state == "REJECTED"


def test_where_the_policy_asks_for_nothing_what_was_typed_is_not_kept(tmp_path: Path) -> None:
    plain = Court(tmp_path, PEOPLE, sre(1))
    number = plain.review("eve")
    assert plain.decide(number, "ana", typed="A9").state == "APPROVED"
    assert plain.decisions(number)[0].evidence == {}
    plain.close()
