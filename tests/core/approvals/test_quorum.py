"""Rejections, vetoes and several requirements at once, as decisions; and the races around them, with their order forced."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from court import Court, code, person, sre

from core.approvals.approval import find
from core.approvals.decide import decide
from core.approvals.expire import expire
from core.approvals.request import withdraw
from core.approvals.start import start
from core.audit.state_match import match_state
from core.people.assurance import Assurance
from core.policy.policy import Policy, Requirement
from core.store.tx import Tx

PEOPLE = (
    person("ana", "sre"),
    person("bo", "sre", "security"),
    person("cai", "sre"),
    person("dee", "security"),
    person("eve", "sre"),
)


@pytest.fixture
def open_court(tmp_path: Path) -> Iterator[Any]:
    courts: list[Court] = []

    def make(policy: Policy) -> Court:
        court = Court(tmp_path, PEOPLE, policy)
        courts.append(court)
        return court

    yield make
    for court in courts:
        assert court.write(match_state) == ()
        court.close()


class TestRejecting:
    def test_as_many_as_the_policy_says_must_reject(self, open_court: Any) -> None:
        court = open_court(sre(1, reject=2))
        number = court.review("eve")
        assert court.decide(number, "ana", "reject").state == "REVIEWING"
        assert court.decide(number, "bo", "reject").state == "REJECTED"
        assert court.write(find, number).closed_why == "rejected by ana and bo"

    def test_it_ends_once_those_who_are_left_could_not_satisfy_it(self, open_court: Any) -> None:
        court = open_court(sre(3, reject=2))
        number = court.review("eve")
        assert court.decide(number, "ana", "reject").state == "REJECTED"
        assert "those who are left could not satisfy" in str(court.write(find, number).closed_why)

    def test_who_rejected_may_still_come_round(self, open_court: Any) -> None:
        court = open_court(sre(2, reject=2))
        number = court.review("eve")
        court.decide(number, "ana", "reject")
        court.decide(number, "ana")
        assert court.decide(number, "bo").state == "APPROVED"

    def test_one_who_approved_and_rejects_takes_the_approval_back(self, open_court: Any) -> None:
        court = open_court(sre(2, reject=2))
        number = court.review("eve")
        court.decide(number, "ana")
        court.decide(number, "bo")
        assert court.decide(number, "ana", "reject").state == "REVIEWING"
        assert court.events("approval:reopened")[0]["changed"] == ["decisions"]
        assert court.decide(number, "cai").state == "APPROVED"

    def test_a_rejection_beside_a_full_quorum_changes_nothing_alone(self, open_court: Any) -> None:
        court = open_court(sre(1, reject=2))
        number = court.review("eve")
        court.decide(number, "ana")
        assert court.decide(number, "bo", "reject").state == "APPROVED"
        assert court.decide(number, "cai", "reject").state == "REJECTED"


class TestVeto:
    def test_a_member_rejects_alone_though_they_fill_no_seat(self, open_court: Any) -> None:
        court = open_court(sre(1, reject=3, veto=("security",)))
        number = court.review("eve")
        with code("not_eligible"):
            court.decide(number, "dee")
        assert court.decide(number, "dee", "reject").state == "REJECTED"
        assert court.write(find, number).closed_why == "rejected by dee alone, of the veto group security"

    def test_also_after_it_was_approved(self, open_court: Any) -> None:
        court = open_court(sre(1, veto=("security",)))
        number = court.review("eve")
        court.decide(number, "ana")
        assert court.decide(number, "dee", "reject").state == "REJECTED"

    def test_a_mail_is_enough_to_veto(self, open_court: Any) -> None:
        court = open_court(sre(1, veto=("security",)))
        assert court.decide(court.review("eve"), "dee", "reject", assurance=Assurance.EMAIL).state == "REJECTED"

    def test_it_is_nobodys_to_lend(self, open_court: Any) -> None:
        court = open_court(sre(1, veto=("security",)))
        court.now_are(*PEOPLE, person("fay"))
        court.delegate("dee", "fay")
        with code("not_eligible"):
            court.decide(court.review("eve"), "fay", "reject")

    def test_the_requester_vetoes_nothing(self, open_court: Any) -> None:
        court = open_court(sre(1, veto=("security",)))
        with code("own_request"):
            court.decide(court.review("dee"), "dee", "reject")


def test_groups_people_and_distinct_people_hold_together(open_court: Any) -> None:
    court = open_court(
        Policy(
            name="default",
            require=(Requirement(group="sre"), Requirement(group="security"), Requirement(person="cai")),
            distinct_people=4,
            canonical="p",
        )
    )
    number = court.review("eve")
    for name in ("bo", "cai", "ana"):
        assert court.decide(number, name).state == "REVIEWING"
    answer = court.ask_who(number)
    assert (answer["missing"], answer["people_missing"]) == ([], 1)
    assert [each["id"] for each in answer["could"]] == ["dee"]
    assert court.decide(number, "dee").state == "APPROVED"


class TestForcedOrders:
    """What two writers saw before either wrote: the second finds that the world moved, and nothing happens twice."""

    def deciding(self, court: Court, number: int, name: str, verdict: Any = "approve", channel: str = "test") -> Any:
        """The decision of somebody who looked now and is written later."""
        seen = court.write(find, number)

        def run(tx: Tx) -> Any:
            return decide(
                tx,
                court.world,
                seen,
                verdict=verdict,
                by=court.who(name),
                digest=seen.digest,
                channel=channel,
                assurance=Assurance.CHAT,
                comment=None,
            )

        return run

    def test_two_people_in_two_channels_who_saw_the_same_version_are_not_both_the_last(self, open_court: Any) -> None:
        court = open_court(sre(1))
        number = court.review("eve")
        slack, page = self.deciding(court, number, "ana", channel="slack"), self.deciding(court, number, "bo")
        court.write(slack)
        with code("changed"):
            court.write(page)
        assert len(court.events("approval:approved")) == 1
        assert [each.by for each in court.decisions(number)] == ["ana"]

    def test_an_approval_and_a_rejection_of_the_same_version_do_not_both_win(self, open_court: Any) -> None:
        court = open_court(sre(1))
        number = court.review("eve")
        yes, no = self.deciding(court, number, "ana"), self.deciding(court, number, "bo", "reject")
        court.write(no)
        with code("changed"):
            court.write(yes)
        assert court.state(number) == "REJECTED"

    def test_the_timer_and_a_person_whoever_comes_first(self, open_court: Any) -> None:
        court = open_court(sre(1, review_seconds=60))
        late, early = court.review("eve"), court.review("eve")
        court.decide(early, "ana")
        person_first = self.deciding(court, late, "ana")
        court.clock.advance(60)
        with code("expired"):  # the guard, before any timer
            court.write(person_first)
        assert court.write(expire) == 1
        with code("wrong_state"):
            court.decide(late, "ana")
        assert (court.state(late), court.state(early)) == ("EXPIRED", "APPROVED")
        assert len(court.events("approval:expired")) == 1

    def starting(self, court: Court, number: int) -> Any:
        """The start of a run that looked now and is written later, under the configuration of now."""
        seen, world = court.write(find, number), court.world

        def run(tx: Tx) -> int:
            return start(tx, world, seen, digest=seen.digest or "", lease=None, holder="h")

        return run

    def test_a_withdrawal_during_the_start_wins_and_nothing_runs(self, open_court: Any) -> None:
        court = open_court(sre(1))
        number = court.review("eve")
        court.decide(number, "ana")
        run = self.starting(court, number)
        court.write(lambda tx: withdraw(tx, find(tx, number), by=court.who("eve"), channel="test", reason=None))
        with code("changed"):
            court.write(run)
        assert court.events("apply:started") == []

    def test_an_expiry_during_the_start_wins_even_before_its_timer(self, open_court: Any) -> None:
        court = open_court(sre(1, apply_seconds=60))
        number = court.review("eve")
        court.decide(number, "ana")
        run = self.starting(court, number)
        court.clock.advance(60)
        with code("expired"):
            court.write(run)
        court.write(expire)
        with code("expired"):
            court.write(run)

    def test_a_reload_during_the_start_sends_it_back_to_look_again(self, open_court: Any) -> None:
        court = open_court(sre(1))
        number = court.review("eve")
        court.decide(number, "ana")
        run = self.starting(court, number)
        court.now_are(*PEOPLE)
        with code("config_changed"):
            court.write(run)
        court.start(number)

    def test_a_removal_from_the_group_during_the_start_is_counted(self, open_court: Any) -> None:
        court = open_court(sre(1))
        number = court.review("eve")
        court.decide(number, "ana")
        run = self.starting(court, number)
        court.now_are(person("ana"), *PEOPLE[1:])
        with code("config_changed"):
            court.write(run)
        with code("no_longer_satisfied"):
            court.start(number)

    def test_a_veto_during_the_start_wins(self, open_court: Any) -> None:
        court = open_court(sre(1, veto=("security",)))
        number = court.review("eve")
        court.decide(number, "ana")
        run = self.starting(court, number)
        court.decide(number, "dee", "reject")
        with code("changed"):
            court.write(run)

    def test_a_start_that_came_first_leaves_the_veto_too_late(self, open_court: Any) -> None:
        court = open_court(sre(1, veto=("security",)))
        number = court.review("eve")
        court.decide(number, "ana")
        veto = self.deciding(court, number, "dee", "reject")
        court.start(number)
        with code("changed"):
            court.write(veto)

    def test_an_end_of_the_delegation_during_the_start_is_counted(self, open_court: Any) -> None:
        court = open_court(sre(1))
        number = court.review("eve")
        court.now_are(*PEOPLE, person("fay"))
        lent = court.delegate("ana", "fay")
        court.decide(number, "fay")
        run = self.starting(court, number)
        court.undelegate("ana", lent.id)
        with code("no_longer_satisfied"):
            court.write(run)
