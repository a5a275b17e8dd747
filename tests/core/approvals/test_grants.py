"""Grants: chosen by everybody who must agree, used for exactly the same, so long and so often, and never beyond."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import psycopg
import pytest
from court import Court, agent, code, person, sre

from core.approvals.approval import change, find
from core.approvals.grant import expire_grants
from core.approvals.review import reopen
from core.approvals.terms import terms_digest
from core.audit.state_match import match_state
from core.people.assurance import Assurance
from core.policy.policy import GrantBounds, Policy, Requirement
from core.store.database import Database
from core.store.postgres import PostgresEngine

PEOPLE = (
    person("ana", "sre"),
    person("bo", "sre"),
    person("cai", "sre"),
    person("dee", "security"),
    person("eve"),
    agent("bot", "ana"),
    agent("tot", "ana"),
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


def granted(court: Court, requester: str = "bot", **bounds: int) -> int:
    """The number of a grant that Bo chose on a request of `requester`, policies of one seat."""
    made = court.grant(court.review(requester), "bo", **bounds).grant
    assert made is not None
    return made.id


class TestChoosing:
    def test_the_same_is_approved_again_until_it_is_used_up(self, open_court: Any) -> None:
        court = open_court(sre(1))
        number = granted(court, times=2)
        uses = [court.review("bot") for _ in range(3)]
        assert [court.state(each) for each in uses] == ["APPROVED", "APPROVED", "REVIEWING"]
        assert [court.write(find, each).by_grant for each in uses] == [number, number, None]
        told = court.events("grant:created", "grant:used", "grant:ended")
        assert [each["event"] for each in told] == ["grant:created", "grant:used", "grant:used", "grant:ended"]
        assert [each["subject"] for each in told] == ["G1"] * 4
        assert (told[0]["by"], told[2]["approval"], told[3]["why"]) == (["bo"], f"A{uses[1]}", "used up")

    def test_everybody_who_is_needed_must_choose_the_same(self, open_court: Any) -> None:
        court = open_court(sre(2))
        number = court.review("bot")
        assert court.grant(number, "bo").grant is None
        assert court.grant(number, "cai", times=2).grant is None
        assert court.state(number) == "APPROVED"
        assert court.state(court.review("bot")) == "REVIEWING"

    def test_one_who_merely_approved_chose_nothing(self, open_court: Any) -> None:
        court = open_court(sre(2))
        number = court.review("bot")
        court.decide(number, "bo")
        assert court.grant(number, "cai").grant is None
        assert court.state(number) == "APPROVED"
        assert court.events("grant:created") == []

    def test_who_approved_may_still_choose_and_who_chose_may_still_merely_approve(self, open_court: Any) -> None:
        court = open_court(sre(2))
        first = court.review("bot")
        court.decide(first, "bo")
        assert court.grant(first, "bo").first
        assert court.grant(first, "cai").grant is not None
        second = court.review("tot")
        court.grant(second, "bo")
        court.decide(second, "bo")
        assert court.grant(second, "cai").grant is None

    def test_choosing_twice_says_nothing_new(self, open_court: Any) -> None:
        court = open_court(sre(2))
        number = court.review("bot")
        court.grant(number, "bo")
        assert not court.grant(number, "bo").first
        assert len(court.events("approval:decided")) == 1

    def test_each_decision_says_what_it_grants(self, open_court: Any) -> None:
        court = open_court(sre(1))
        number = court.review("bot")
        court.grant(number, "bo", seconds=60, times=2)
        terms = terms_digest(court.write(find, number).bound)
        assert court.events("approval:decided")[0]["grant"] == {"seconds": 60, "times": 2, "terms": terms}
        assert court.events("grant:created")[0]["terms"] == terms

    def test_it_needs_the_proof_that_approving_needs(self, open_court: Any) -> None:
        court = open_court(sre(1))
        with code("assurance_too_low"):
            court.grant(court.review("bot"), "bo", assurance=Assurance.EMAIL)

    @pytest.mark.parametrize(
        ("name", "refused"), [("ana", "own_request"), ("bot", "not_a_person"), ("eve", "not_eligible")]
    )
    def test_who_may_not_approve_grants_nothing(self, open_court: Any, name: str, refused: str) -> None:
        court = open_court(sre(1))
        with code(refused):
            court.grant(court.review("bot"), name)

    @pytest.mark.parametrize(
        ("bounds", "refused"),
        [({"seconds": 61}, "too_long"), ({"times": 3, "seconds": 60}, "too_many"), ({"times": 0}, "bad_grant")],
    )
    def test_the_policy_says_how_far_it_may_go(self, open_court: Any, bounds: dict[str, int], refused: str) -> None:
        court = open_court(sre(1, grants=GrantBounds(longest_seconds=60, times=2)))
        with code(refused):
            court.grant(court.review("bot"), "bo", **bounds)

    def test_a_policy_may_allow_none(self, open_court: Any) -> None:
        court = open_court(sre(1, grants=GrantBounds(times=0)))
        with code("no_grants"):
            court.grant(court.review("bot"), "bo")

    def test_what_takes_a_secret_is_given_it_anew_each_time(self, open_court: Any) -> None:
        court = open_court(sre(1))
        number = court.review("bot")
        bound = {**court.write(find, number).bound, "secrets": {"token": "ab"}}
        court.write(lambda tx: change(tx, find(tx, number), bound=bound))
        with code("secret_needed"):
            court.grant(number, "bo")


class TestUsing:
    def test_never_after_its_time(self, open_court: Any) -> None:
        court = open_court(sre(1))
        granted(court, seconds=60)
        court.clock.advance(59)
        assert court.state(court.review("bot")) == "APPROVED"
        court.clock.advance(1)
        assert court.state(court.review("bot")) == "REVIEWING"
        assert court.write(expire_grants) == 1
        assert court.events("grant:ended")[0]["why"] == "its time was over"
        assert court.write(expire_grants) == 0

    def test_never_for_another_requester_or_another_action(self, open_court: Any) -> None:
        court = open_court(sre(1))
        granted(court)
        assert court.state(court.review("tot")) == "REVIEWING"
        assert court.state(court.review("ana")) == "REVIEWING"
        assert court.state(court.review("bot", "play")) == "REVIEWING"
        assert court.state(court.review("bot")) == "APPROVED"

    def test_a_use_that_waits_for_its_start_outlasts_the_grant(self, open_court: Any) -> None:
        court = open_court(sre(1))
        granted(court, seconds=60)
        used = court.review("bot")
        court.clock.advance(120)
        court.write(expire_grants)
        court.start(used)
        assert court.state(used) == "APPLYING"
        assert court.events("apply:started")[0]["by"] == ["bo"]

    def test_a_chooser_who_left_the_group_between_use_and_start_counts_no_more(self, open_court: Any) -> None:
        court = open_court(sre(1))
        granted(court)
        used = court.review("bot")
        court.now_are(*(each for each in PEOPLE if each.id != "bo"), person("bo"))
        with code("no_longer_satisfied"):
            court.start(used)
        court.recount(used)
        assert (court.state(used), court.write(find, used).by_grant) == ("REVIEWING", None)
        assert court.state(court.review("bot")) == "REVIEWING"
        court.decide(used, "cai")
        court.start(used)

    def test_a_chooser_who_owns_the_requester_by_now_does_not_count(self, open_court: Any) -> None:
        court = open_court(sre(1))
        granted(court)
        court.now_are(*(each for each in PEOPLE if each.id != "bot"), agent("bot", "bo"))
        assert court.state(court.review("bot")) == "REVIEWING"

    def test_a_delegation_that_ended_chose_nothing_any_more(self, open_court: Any) -> None:
        court = open_court(sre(1))
        lent = court.delegate("bo", "eve")
        assert court.grant(court.review("bot"), "eve").grant is not None
        assert court.state(court.review("bot")) == "APPROVED"
        court.undelegate("bo", lent.id)
        assert court.state(court.review("bot")) == "REVIEWING"

    def test_another_policy_is_another_request(self, open_court: Any) -> None:
        court = open_court(sre(1))
        granted(court)
        stricter = Policy(name="default", require=(Requirement(group="sre", count=1),), canonical="q")
        court.world = replace(court.world, policies=(stricter,))
        assert court.state(court.review("bot")) == "REVIEWING"

    def test_a_rejection_of_one_use_stops_that_use_and_needs_the_same_as_ever(self, open_court: Any) -> None:
        court = open_court(sre(1, reject=2, veto=("security",)))
        granted(court)
        one, two, three = (court.review("bot") for _ in range(3))
        assert court.decide(one, "dee", "reject").state == "REJECTED"
        assert court.decide(two, "cai", "reject").state == "APPROVED"
        assert court.decide(three, "bo", "reject").state == "REVIEWING"
        assert court.write(find, three).by_grant is None


class TestEnding:
    def test_what_it_approved_and_has_not_started_goes_back_to_review(self, open_court: Any) -> None:
        court = open_court(sre(1))
        number = granted(court)
        waiting, running = court.review("bot"), court.review("bot")
        court.start(running)
        assert court.revoke("bo", number) == [f"A{waiting}"]
        assert [court.state(each) for each in (waiting, running)] == ["REVIEWING", "APPLYING"]
        assert court.state(court.review("bot")) == "REVIEWING"
        with code("ended"):
            court.revoke("bo", number)

    @pytest.mark.parametrize("name", ["bot", "ana", "bo", "cai"])
    def test_its_requester_their_owner_and_whoever_could_have_chosen_it_may_revoke(
        self, open_court: Any, name: str
    ) -> None:
        court = open_court(sre(1))
        court.revoke(name, granted(court))
        assert court.events("grant:ended")[0]["actor"] == name

    def test_nobody_else_may(self, open_court: Any) -> None:
        court = open_court(sre(1))
        with code("may_not_stop"):
            court.revoke("eve", granted(court))

    def test_it_ends_with_what_it_was_chosen_on(self, open_court: Any) -> None:
        court = open_court(sre(1, veto=("security",)))
        number = court.review("bot")
        court.grant(number, "bo")
        court.decide(number, "dee", "reject")
        assert court.events("grant:ended")[0]["why"] == f"A{number} ended REJECTED"
        assert court.state(court.review("bot")) == "REVIEWING"

    def test_an_approval_taken_back_takes_the_grant_with_it(self, open_court: Any) -> None:
        court = open_court(sre(1, reject=2))
        number = court.review("bot")
        court.grant(number, "bo")
        court.decide(number, "bo", "reject")
        assert court.events("grant:ended")[0]["why"] == f"A{number} went back to review"

    def test_a_world_that_moved_under_its_first_request_ends_it(self, open_court: Any) -> None:
        court = open_court(sre(1))
        number = court.review("bot")
        court.grant(number, "bo")
        used = court.review("bot")

        def move(tx: Any, moved: int) -> None:
            approval = find(tx, moved)
            bound = {**(approval.bound or {}), "revision": 2, "files": {"x": "1"}}
            reopen(tx, approval, bound=bound, preview=None, policy=court.world.policies[0], changed=[])

        court.write(move, used)
        assert court.write(find, used).by_grant is None
        assert court.events("grant:ended") == []
        court.write(move, number)
        assert court.events("grant:ended")[0]["why"] == f"the world moved under A{number}"


def test_two_requests_for_the_last_use_in_one_moment(any_database: Database) -> None:
    court = Court(None, PEOPLE, sre(1), db=any_database)
    granted(court, times=1)
    start = Barrier(2)

    def ask() -> str:
        start.wait(10)
        return court.state(court.review("bot"))

    with ThreadPoolExecutor(2) as threads:
        states = [each.result(30) for each in [threads.submit(ask), threads.submit(ask)]]
    assert sorted(states) == ["APPROVED", "REVIEWING"]
    assert court.write(match_state) == ()


class TestTwoNodes:
    """One node is held inside its transaction until the other waits for the row that it changed."""

    @pytest.fixture
    def nodes(self, postgres_dsn: str) -> Iterator[tuple[Court, Court]]:
        one, two = (Database(PostgresEngine(postgres_dsn)) for _ in range(2))
        for each in (one, two):
            each.open()
        yield Court(None, PEOPLE, sre(1), db=one), Court(None, PEOPLE, sre(1), db=two)
        for each in (one, two):
            each.close()

    def together(self, dsn: str, first: Any, second: Any) -> tuple[Any, Any]:
        """What both give: `first(hold)` calls `hold` inside its transaction, `second()` comes meanwhile."""
        inside, go_on = Event(), Event()

        def hold() -> None:
            inside.set()
            assert go_on.wait(20)

        with ThreadPoolExecutor(2) as threads, psycopg.connect(dsn, autocommit=True) as watching:
            held = threads.submit(first, hold)
            assert inside.wait(20)
            waiting = threads.submit(second)
            query = (
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            try:
                while not waiting.done() and watching.execute(query).fetchone() == (0,):
                    pass
            finally:
                go_on.set()
            return held.result(20), waiting.result(20)

    def test_the_last_use_is_given_once(self, nodes: tuple[Court, Court], postgres_dsn: str) -> None:
        one, two = nodes
        granted(one, times=1)
        first, second = self.together(
            postgres_dsn, lambda hold: one.review("bot", after=hold), lambda: two.review("bot")
        )
        assert (one.state(first), two.state(second)) == ("APPROVED", "REVIEWING")
        assert one.write(match_state) == ()

    def test_a_use_comes_before_its_revocation_which_sends_it_back(
        self, nodes: tuple[Court, Court], postgres_dsn: str
    ) -> None:
        one, two = nodes
        number = granted(one)
        used, back = self.together(
            postgres_dsn, lambda hold: one.review("bot", after=hold), lambda: two.revoke("bo", number)
        )
        assert back == [f"A{used}"]
        assert one.state(used) == "REVIEWING"
        assert one.write(match_state) == ()

    def test_a_revocation_comes_before_a_use_which_is_none(self, nodes: tuple[Court, Court], postgres_dsn: str) -> None:
        one, two = nodes
        number = granted(one)
        back, asked = self.together(
            postgres_dsn, lambda hold: one.revoke("bo", number, after=hold), lambda: two.review("bot")
        )
        assert (back, two.state(asked)) == ([], "REVIEWING")
        assert one.write(match_state) == ()
