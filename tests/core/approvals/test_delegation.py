"""Who speaks for whom: what a delegate may say, when it counts, and that it never counts twice."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from court import ACTION, Court, agent, code, person, sre

from core.approvals.delegation import LONGEST_SECONDS, MOST, expire_delegations
from core.audit.state_match import match_state
from core.people.assurance import Assurance
from core.policy.policy import Policy, Requirement
from core.store.database import Database

PEOPLE = (
    person("ana", "sre"),
    person("bo"),
    person("cai", "sre"),
    person("dee", "security"),
    person("eve", "sre"),
    agent("bot", "ana"),
)


@pytest.fixture
def open_court(tmp_path: Path) -> Iterator[Any]:
    courts: list[Court] = []

    def make(policy: Policy | None = None, *people: Any) -> Court:
        court = Court(tmp_path, people or PEOPLE, policy or sre())
        courts.append(court)
        return court

    yield make
    for court in courts:
        assert court.write(match_state) == ()
        court.close()


def test_a_delegate_approves_for_the_delegator_and_the_log_and_the_row_say_so(open_court: Any) -> None:
    court = open_court()
    number = court.review("cai")
    with code("not_eligible"):
        court.decide(number, "bo")
    lent = court.delegate("ana", "bo")
    decided = court.decide(number, "bo")
    assert (decided.state, decided.voices[0].on_behalf_of) == ("APPROVED", "ana")
    (row,) = court.decisions(number)
    assert (row.by, row.on_behalf_of, row.delegation, row.voice) == ("bo", "ana", lent.id, "ana")
    entry = court.events("approval:decided")[0]
    assert (entry["actor"], entry["on_behalf_of"], entry["delegation"]) == ("bo", "ana", lent.name)


def test_only_the_actions_named_are_lent(open_court: Any) -> None:
    court = open_court()
    court.delegate("ana", "bo", actions=["play"])
    with code("not_eligible"):
        court.decide(court.review("cai"), "bo")
    assert court.decide(court.review("cai", "play"), "bo").state == "APPROVED"


def test_a_delegate_is_silent_once_the_delegator_has_decided(open_court: Any) -> None:
    court = open_court(sre(2))
    number = court.review("cai")
    court.delegate("ana", "bo")
    court.decide(number, "ana")
    with code("not_eligible"):
        court.decide(number, "bo")


def test_the_delegators_own_word_replaces_what_was_said_for_them(open_court: Any) -> None:
    court = open_court(sre(2))
    number = court.review("cai")
    court.delegate("ana", "bo")
    court.decide(number, "bo")
    assert court.decide(number, "ana").state == "REVIEWING"  # one voice, said twice
    assert court.decide(number, "eve").state == "APPROVED"


def test_a_delegator_who_rejects_takes_back_what_was_approved_for_them(open_court: Any) -> None:
    court = open_court(sre(1, reject=2))
    number = court.review("cai")
    court.delegate("ana", "bo")
    assert court.decide(number, "bo").state == "APPROVED"
    assert court.decide(number, "ana", "reject").state == "REVIEWING"
    assert court.decide(number, "eve", "reject").state == "REJECTED"


def test_a_delegate_of_two_fills_one_seat(open_court: Any) -> None:
    court = open_court(sre(2))
    number = court.review("cai")
    court.delegate("ana", "bo")
    court.delegate("eve", "bo")
    assert court.decide(number, "bo").state == "REVIEWING"
    assert court.decide(number, "eve").state == "APPROVED"


def test_somebody_who_decides_for_themselves_lends_only_a_voice_that_makes_a_difference(open_court: Any) -> None:
    court = open_court(
        Policy(name="default", require=(Requirement(group="sre"), Requirement(group="security")), canonical="p")
    )
    number = court.review("cai")
    court.delegate("ana", "eve")
    court.delegate("dee", "eve")
    court.decide(number, "eve")
    assert [each.on_behalf_of for each in court.decisions(number)] == [None, "dee"]
    assert court.state(number) == "REVIEWING"  # eve sits once, in either seat
    assert court.decide(number, "ana").state == "APPROVED"  # so eve sits for dee


def test_chains_are_not_followed_and_a_circle_lends_nothing(open_court: Any) -> None:
    court = open_court()
    court.delegate("ana", "bo")
    court.delegate("bo", "dee")
    court.delegate("dee", "ana")
    number = court.review("cai")
    with code("not_eligible"):
        court.decide(number, "dee")
    assert court.decide(number, "bo").state == "APPROVED"


class TestWhoNobodySpeaksFor:
    def test_a_delegate_of_the_requester_gets_no_voice(self, open_court: Any) -> None:
        court = open_court()
        court.delegate("cai", "bo")
        with code("not_eligible"):
            court.decide(court.review("cai"), "bo")

    def test_the_requester_is_nobodys_delegate(self, open_court: Any) -> None:
        court = open_court()
        court.delegate("ana", "cai")
        with code("own_request"):
            court.decide(court.review("cai"), "cai")

    def test_neither_is_an_owner_and_nobody_speaks_for_one(self, open_court: Any) -> None:
        court = open_court()
        court.delegate("eve", "ana")
        court.delegate("ana", "bo")
        number = court.review("bot")
        with code("own_request"):
            court.decide(number, "ana")
        with code("not_eligible"):
            court.decide(number, "bo")

    def test_an_owner_who_changed_after_the_request_is_barred_before_and_after(self, open_court: Any) -> None:
        court = open_court()
        court.delegate("ana", "bo")
        court.delegate("eve", "dee")
        number = court.review("bot")
        court.now_are(*PEOPLE[:-1], agent("bot", "eve"))
        for name in ("ana", "eve"):
            with code("own_request"):
                court.decide(number, name)
        for name in ("bo", "dee"):
            with code("not_eligible"):
                court.decide(number, name)
        assert court.decide(number, "cai").state == "APPROVED"

    def test_what_was_said_for_somebody_who_became_an_owner_does_not_count_at_the_start(self, open_court: Any) -> None:
        court = open_court()
        court.delegate("eve", "bo")
        number = court.review("bot")
        assert court.decide(number, "bo").state == "APPROVED"
        court.now_are(*PEOPLE[:-1], agent("bot", "eve"))
        with code("no_longer_satisfied"):
            court.start(number)


class TestBounds:
    def test_it_ends_by_the_clock_at_the_next_count_even_without_a_timer(self, open_court: Any) -> None:
        court = open_court(sre(2))
        number = court.review("cai")
        court.delegate("ana", "bo", seconds=60)
        court.decide(number, "bo")
        court.clock.advance(60)
        assert court.decide(number, "eve").state == "REVIEWING"
        with code("not_eligible"):
            court.decide(court.review("cai"), "bo")

    def test_the_timer_says_that_it_ended_once(self, open_court: Any) -> None:
        court = open_court()
        court.delegate("ana", "bo", seconds=60)
        assert court.write(expire_delegations) == 0
        court.clock.advance(60)
        assert (court.write(expire_delegations), court.write(expire_delegations)) == (1, 0)
        assert court.events("delegation:ended")[0]["why"] == "its time was over"

    def test_revoking_it_silences_what_was_approved_and_has_not_started(self, open_court: Any) -> None:
        court = open_court()
        number = court.review("cai")
        lent = court.delegate("ana", "bo")
        assert court.decide(number, "bo").state == "APPROVED"
        court.undelegate("ana", lent.id)
        with code("no_longer_satisfied"):
            court.start(number)

    def test_the_delegate_may_decline_and_others_do_not_learn_of_it(self, open_court: Any) -> None:
        court = open_court()
        lent = court.delegate("ana", "bo")
        with code("not_found"):
            court.undelegate("cai", lent.id)
        court.undelegate("bo", lent.id)
        with code("ended"):
            court.undelegate("ana", lent.id)

    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ({"to": "ana"}, "delegate_to_oneself"),
            ({"to": "bot"}, "not_a_person"),
            ({"to": "nobody"}, "unknown_person"),
            ({"to": "bo", "when": "bot"}, "not_a_person"),
            ({"to": "bo", "when": "ana"}, "delegate_to_oneself"),
            ({"to": "bo", "actions": ["fly"]}, "unknown_action"),
            ({"to": "bo", "seconds": LONGEST_SECONDS + 1}, "too_long"),
            ({"to": "bo", "seconds": 0}, "past"),
            ({"to": "bo", "assurance": Assurance.EMAIL}, "assurance_too_low"),
        ],
    )
    def test_what_cannot_be_is_refused(self, open_court: Any, given: dict[str, Any], expected: str) -> None:
        court = open_court()
        with code(expected):
            court.delegate("ana", **given)
        assert court.events("delegation:created") == []

    def test_agents_delegate_nothing(self, open_court: Any) -> None:
        court = open_court()
        with code("not_a_person"):
            court.delegate("bot", "bo")

    def test_the_same_again_replaces_and_too_many_are_refused(self, open_court: Any) -> None:
        everybody = [person(f"p{n}") for n in range(MOST + 1)]
        court = open_court(None, *PEOPLE, *everybody)
        court.delegate("ana", "bo")
        court.delegate("ana", "bo", actions=["work"])
        assert [each["why"] for each in court.events("delegation:ended")] == ["replaced"]
        for each in everybody[: MOST - 1]:
            court.delegate("ana", each.id)
        with code("too_many"):
            court.delegate("ana", everybody[-1].id)


class TestPolicies:
    def test_a_policy_without_delegates_counts_none(self, open_court: Any) -> None:
        court = open_court(sre(delegation="none"))
        court.delegate("ana", "bo")
        with code("not_eligible"):
            court.decide(court.review("cai"), "bo")

    def test_members_only_means_that_the_delegate_could_decide_themselves(self, open_court: Any) -> None:
        policy = Policy(
            name="default",
            require=(Requirement(group="sre"), Requirement(person="dee")),
            delegation="members",
            canonical="p",
        )
        court = open_court(policy)
        court.delegate("dee", "bo")
        court.delegate("dee", "eve")
        number = court.review("cai")
        with code("not_eligible"):
            court.decide(number, "bo")
        court.decide(number, "eve")
        assert court.decide(number, "ana").state == "APPROVED"

    def test_a_delegation_is_as_strong_as_it_was_given(self, open_court: Any) -> None:
        court = open_court(sre(min_assurance=Assurance.SIGNED_IN))
        number = court.review("cai")
        court.delegate("ana", "bo")
        with code("not_eligible"):
            court.decide(number, "bo", assurance=Assurance.SIGNED_IN)
        court.delegate("ana", "bo", assurance=Assurance.SIGNED_IN)
        with code("assurance_too_low"):
            court.decide(number, "bo", assurance=Assurance.CHAT)
        assert court.decide(number, "bo", assurance=Assurance.SIGNED_IN).state == "APPROVED"

    def test_nobody_speaks_on_an_action_that_is_hidden_from_them(self, open_court: Any) -> None:
        court = open_court()
        court.world = replace(court.world, actions={"work": replace(ACTION, visible_to=frozenset({"sre"}))})
        court.delegate("ana", "bo")
        number = court.review("cai")
        with code("not_eligible"):
            court.decide(number, "bo")
        assert court.ask_who(number)["cannot"][-1]["why"] == "the action is hidden from bo"


class TestFollow:
    def test_a_conditional_delegate_approves_only_after_the_one_it_names(self, open_court: Any) -> None:
        court = open_court(sre(2))
        court.delegate("ana", "bo", when="eve")
        number = court.review("cai")
        with code("not_eligible"):
            court.decide(number, "bo")
        court.decide(number, "eve")
        assert court.decide(number, "bo").state == "APPROVED"

    def test_it_falls_silent_when_the_one_it_names_no_longer_counts(self, open_court: Any) -> None:
        court = open_court(sre(2))
        court.delegate("ana", "bo", when="eve")
        number = court.review("cai")
        court.decide(number, "eve")
        court.decide(number, "bo")
        court.now_are(*(each for each in PEOPLE if each.id != "eve"), person("eve"))
        with code("no_longer_satisfied"):
            court.start(number)

    def test_approve_for_me_too_counts_where_only_the_delegator_could_and_never_twice(self, open_court: Any) -> None:
        court = open_court(
            Policy(name="default", require=(Requirement(person="ana"), Requirement(group="sre")), canonical="p")
        )
        court.delegate("ana", "eve", when="eve")
        number = court.review("cai")
        assert court.decide(number, "eve").state == "REVIEWING"
        assert [each.on_behalf_of for each in court.decisions(number)] == [None, "ana"]

    def test_it_only_approves(self, open_court: Any) -> None:
        court = open_court()
        court.delegate("ana", "bo", when="bo")
        number = court.review("cai")
        with code("not_eligible"):
            court.decide(number, "bo", "reject")
        assert court.decide(number, "bo").state == "APPROVED"


def test_a_delegate_may_reject_what_they_could_approve_and_change_their_mind(open_court: Any) -> None:
    court = open_court(sre(2, reject=2))
    number = court.review("cai")
    court.delegate("ana", "bo")
    court.decide(number, "bo")
    court.decide(number, "bo", "reject")
    assert court.state(number) == "REVIEWING"  # ana herself could still approve
    assert court.events("approval:decided")[-1]["replaces"] == ["ana"]
    assert court.decide(number, "eve", "reject").state == "REJECTED"


def test_who_says_what_delegates_could_give_and_why_others_cannot(open_court: Any) -> None:
    court = open_court(sre(2, veto=("security",)))
    court.delegate("ana", "bo")
    court.delegate("eve", "bo", when="ana")
    court.delegate("cai", "dee")
    court.leave("eve")
    answer = court.ask_who(court.review("cai"))
    assert [each["id"] for each in answer["could"]] == ["ana", "eve"]
    assert [each["away_until"] is not None for each in answer["could"]] == [False, True]
    assert [(each["by"]["id"], each["on_behalf_of"]["id"]) for each in answer["delegations"]] == [("bo", "ana")]
    cannot = {(each["id"], each["on_behalf_of"]): each["why"] for each in answer["cannot"]}
    assert cannot == {
        ("cai", None): "asked for it, or owns who asked",
        ("bo", "eve"): "ana has not approved",
        ("dee", "cai"): "cai could not decide on this",
    }
    assert answer["veto"][0]["people"][0]["id"] == "dee"
    for words in ("Missing: 2 of sre.", "bo for ana", "May reject alone, of security: dee.", "Away: eve until"):
        assert words in answer["words"]


def test_on_either_database_it_is_given_used_ended_and_counted_again(any_database: Database) -> None:
    court = Court(None, PEOPLE, sre(2), any_database)
    number = court.review("cai")
    lent = court.delegate("ana", "bo", actions=["work"])
    court.leave("eve")
    court.decide(number, "bo")
    assert [each["away_until"] is None for each in court.ask_who(number)["could"]] == [False]
    assert court.decide(number, "eve").state == "APPROVED"
    assert court.write(expire_delegations) == 0
    court.undelegate("bo", lent.id)
    with code("no_longer_satisfied"):
        court.start(number)
    assert court.write(match_state) == ()
