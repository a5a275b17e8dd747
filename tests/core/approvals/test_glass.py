"""Break-glass: runs with nobody asked, by those whom the policy names, and owes somebody else's review."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from court import ACTION, Court, agent, code, person

from core.apply.action import CommandSpec
from core.approvals import freeze, rollback
from core.approvals.approval import find
from core.approvals.flags import clear, halt
from core.approvals.nudge import next_deadline, nudge
from core.approvals.owed import owed_to
from core.approvals.request import withdraw
from core.approvals.review import reopen
from core.approvals.reviews import owed_reviews
from core.audit.state_match import match_state
from core.clock import SECOND
from core.errors import Refusal
from core.people.assurance import Assurance
from core.policy.policy import BreakGlass, Policy, Requirement

HOUR = 3600.0
PEOPLE = (
    person("ana", "sre"),
    person("bo", "sre"),
    person("cai", "sre"),
    person("dee", "security"),
    person("eve"),
    agent("bot", "ana"),
)


def policy(**more: Any) -> Policy:
    glass = {"groups": ("sre",), "review_seconds": 2 * HOUR, **more.pop("glass", {})}
    require = (Requirement(group="sre", count=2),)
    return Policy(name="default", require=require, break_glass=BreakGlass(**glass), canonical="p", **more)


@pytest.fixture
def open_court(tmp_path: Path) -> Iterator[Any]:
    courts: list[Court] = []

    def make(policy: Policy, people: Any = PEOPLE, **action: Any) -> Court:
        court = Court(tmp_path, people, policy)
        if action:
            court.world = replace(court.world, actions={"work": replace(ACTION, **action)})
        courts.append(court)
        return court

    yield make
    for court in courts:
        assert court.write(match_state) == ()
        court.close()


def broken(court: Court, by: str = "ana") -> int:
    """What `by` ran by break-glass, and has ended."""
    number = court.review(by, glass=True)
    court.start(number)
    court.end(number)
    return number


class TestBreaking:
    def test_it_is_approved_with_nobody_asked_and_says_so_in_the_log(self, open_court: Any) -> None:
        court = open_court(policy(), hold_seconds=600.0, start="manual")
        number = court.review("ana", glass=True)
        approval = court.write(find, number)
        assert (approval.state, approval.hold_until, approval.glass) == ("APPROVED", None, 1)
        assert approval.apply_asked_at is not None
        (approved,) = court.events("approval:approved")
        assert (approved["glass"], approved["actor"], approved["ground"]["kind"]) == (True, "ana", "glass")
        assert (approved["ground"]["by"], approved["ground"]["member"]) == ("ana", ["sre"])
        court.start(number)
        (started,) = court.events("apply:started")
        assert (started["glass"], started["by"]) == (True, [])

    @pytest.mark.parametrize(
        ("by", "refused"), [("dee", "not_eligible"), ("eve", "not_eligible"), ("bot", "not_a_person")]
    )
    def test_nobody_else_may(self, open_court: Any, by: str, refused: str) -> None:
        court = open_court(policy())
        with code(refused):
            court.review(by, glass=True)
        assert court.events("approval:requested") == []

    def test_an_owner_whose_agent_may_not_may_themselves(self, open_court: Any) -> None:
        court = open_court(policy(), people=(*PEOPLE[:5], agent("bot", "ana")))
        court.now_are(*(e for e in PEOPLE if e.id != "bot"), replace(agent("bot", "ana"), groups=frozenset({"sre"})))
        with code("not_a_person"):
            court.review("bot", glass=True)

    def test_a_policy_without_it_has_no_glass(self, open_court: Any) -> None:
        court = open_court(replace(policy(), break_glass=None))
        with code("no_break_glass"):
            court.review("ana", glass=True)

    def test_it_takes_the_proof_that_approving_takes(self, open_court: Any) -> None:
        court = open_court(policy(min_assurance=Assurance.SIGNED_IN))
        with code("assurance_too_low"):
            court.review("ana", glass=True)
        assert court.state(court.review("ana", glass=True, assurance=Assurance.SIGNED_IN)) == "APPROVED"

    def test_too_few_to_ever_agree_may_still_run_what_somebody_can_review(self, open_court: Any) -> None:
        court = open_court(policy(), people=(person("ana", "sre"), person("bo", "sre")))
        with code("unsatisfiable"):
            court.review("ana")
        assert court.state(court.review("ana", glass=True)) == "APPROVED"

    def test_what_nobody_else_could_review_does_not_run(self, open_court: Any) -> None:
        court = open_court(policy(), people=(person("ana", "sre"), person("dee", "security")))
        with code("unreviewable"):
            court.review("ana", glass=True)


class TestStarting:
    def test_it_still_needs_its_group_when_it_starts(self, open_court: Any) -> None:
        court = open_court(policy())
        number = court.review("ana", glass=True)
        assert not court.recount(number)
        court.now_are(person("ana"), *PEOPLE[1:])
        with code("no_longer_satisfied"):
            court.start(number)
        assert court.recount(number)
        approval = court.write(find, number)
        assert (approval.state, approval.glass, court.write(owed_to, approval)) == ("REVIEWING", 0, None)
        court.decide(number, "bo")
        court.decide(number, "cai")
        court.start(number)

    def test_who_left_the_group_while_it_was_checked_is_asked_like_anybody(self, open_court: Any) -> None:
        court = open_court(policy())
        number = court.review("ana", glass=True, meanwhile=lambda: court.now_are(person("ana"), *PEOPLE[1:]))
        assert (court.state(number), court.write(find, number).glass) == ("REVIEWING", 0)
        assert court.events("approval:reopened")[0]["changed"] == ["break-glass"]

    def test_nothing_starts_while_everything_is_stopped(self, open_court: Any) -> None:
        court = open_court(policy())
        number = court.review("ana", glass=True)
        court.write(halt, "by bo")
        with code("halted"):
            court.start(number)
        court.write(clear)
        court.start(number)

    def test_a_world_that_moved_is_decided_by_people(self, open_court: Any) -> None:
        court = open_court(policy())
        number = court.review("ana", glass=True)

        def move(tx: Any) -> None:
            approval = find(tx, number)
            bound = {**(approval.bound or {}), "revision": 2, "files": {"x": "1"}}
            reopen(tx, approval, bound=bound, preview=None, policy=court.world.policies[0], changed=[])

        court.write(move)
        approval = court.write(find, number)
        assert (approval.state, approval.glass, court.write(owed_to, approval)) == ("REVIEWING", 0, None)

    def test_whoever_could_decide_may_stop_it_before_it_starts(self, open_court: Any) -> None:
        court = open_court(policy())
        number = court.review("ana", glass=True)
        assert court.decide(number, "bo", "reject").state == "REJECTED"
        assert court.write(owed_to, court.write(find, number)) is None

    def test_what_was_taken_back_before_it_ran_owes_nothing(self, open_court: Any) -> None:
        court = open_court(policy())
        number = court.review("ana", glass=True)
        court.write(lambda tx: withdraw(tx, find(tx, number), by=court.who("ana"), channel="test", reason=None))
        assert court.write(owed_to, court.write(find, number)) is None


class TestFreezes:
    def frozen(self, court: Court) -> None:
        until = court.write(lambda tx: tx.now_us) + int(HOUR * SECOND)
        given = {"resources": ["env:prod"], "reason": "the audit", "until": until, "channel": "test"}
        court.write(lambda tx: freeze.create(tx, by=court.who("dee"), **given))

    def test_a_freeze_holds_unless_the_policy_says_otherwise(self, open_court: Any) -> None:
        court = open_court(policy(), resources=("env:prod",))
        self.frozen(court)
        number = court.review("ana", glass=True)
        approval = court.write(find, number)
        assert (approval.state, approval.glass, approval.override_at) == ("REVIEWING", 0, None)

    def test_through_a_freeze_is_an_override_in_the_log(self, open_court: Any) -> None:
        court = open_court(policy(glass={"through_freeze": True}), resources=("env:prod",))
        self.frozen(court)
        number = court.review("ana", glass=True)
        approval = court.write(find, number)
        assert (approval.state, approval.override_by, approval.override_why) == ("APPROVED", "ana", "it burns")
        (told,) = court.events("freeze:overridden")
        assert (told["glass"], told["freezes"], told["actor"]) == (True, ["F1"], "ana")
        court.start(number)


class TestReviewing:
    def test_somebody_else_says_that_it_was_right(self, open_court: Any) -> None:
        court = open_court(policy())
        number = broken(court)
        court.look_back(number, "bo")
        (told,) = court.events("approval:decided")
        assert (told["glass"], told["verdict"], told["actor"]) == (True, "ok", "bo")
        assert court.write(owed_reviews, court.world, court.who("bo")) == []
        with code("reviewed"):
            court.look_back(number, "cai", "objected")

    def test_or_objects_with_a_reason(self, open_court: Any) -> None:
        court = open_court(policy(veto=("security",)))
        number = broken(court)
        with code("reason_required"):
            court.look_back(number, "dee", "objected", comment=None)
        court.look_back(number, "dee", "objected", comment="it could wait", assurance=Assurance.EMAIL)
        found = court.write(owed_to, court.write(find, number))
        assert (found.verdict, found.reviewed_by, found.comment) == ("objected", "dee", "it could wait")

    @pytest.mark.parametrize(
        ("by", "refused"),
        [("ana", "own_request"), ("dee", "not_eligible"), ("eve", "not_eligible"), ("bot", "not_a_person")],
    )
    def test_nobody_else_reviews(self, open_court: Any, by: str, refused: str) -> None:
        court = open_court(policy())
        with code(refused):
            court.look_back(broken(court), by)

    def test_a_mail_does_not_say_that_it_was_right(self, open_court: Any) -> None:
        court = open_court(policy())
        with code("assurance_too_low"):
            court.look_back(broken(court), "bo", assurance=Assurance.EMAIL)

    def test_what_has_not_ended_is_not_reviewed_and_what_was_decided_owes_none(self, open_court: Any) -> None:
        court = open_court(policy())
        running = court.review("ana", glass=True)
        court.start(running)
        with code("wrong_state"):
            court.look_back(running, "bo")
        court.end(running, "unknown")
        court.look_back(running, "bo")
        with code("not_owed"):
            court.look_back(court.review("ana"), "bo")

    def test_it_nags_before_it_is_due_when_it_is_and_for_ever_after(self, open_court: Any) -> None:
        court = open_court(policy())
        number = broken(court)
        nags = []
        for hour in range(1, 12):
            court.clock.advance(HOUR)
            nags += [hour] * court.write(nudge, court.world)
        assert nags == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
        told = court.events("approval:reminded")
        assert [each["reminder"] for each in told] == list(range(1, 12))
        assert {each["glass"] for each in told} == {True}
        court.look_back(number, "bo")
        court.clock.advance(30 * HOUR)
        assert court.write(nudge, court.world) == 0
        assert court.write(next_deadline) is None

    def test_who_could_give_it_sees_it_among_what_waits_for_them(self, open_court: Any) -> None:
        court = open_court(policy())
        number = broken(court)
        for name, mine in (("bo", [number]), ("ana", [number]), ("dee", []), ("eve", [])):
            found = court.write(lambda tx, name=name: owed_reviews(tx, court.world, court.who(name), mine=True))
            assert [each.approval.id for each in found] == mine
        assert "owes a review" in court.ask_who(number)["words"]
        assert "bo, cai" in court.ask_who(number)["words"]


def test_taking_it_back_needs_the_quorum_that_was_never_asked(open_court: Any) -> None:
    court = open_court(policy(rollback="allow"), rollback=CommandSpec(argv=("true",)))
    number = broken(court)

    def ask(name: str) -> Any:
        given = {"by": court.who(name), "channel": "test", "assurance": Assurance.CHAT, "reason": None}
        return court.write(lambda tx: rollback.ask(tx, court.world, find(tx, number), **given))

    with pytest.raises(Refusal, match="you asked for it"):
        ask("ana")
    assert not ask("bo").decided
    assert ask("cai").decided
