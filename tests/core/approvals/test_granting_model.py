"""Grants under random moves, held against a model that knows the rules in words only.

Never more uses than times, never after until, never for another requester or action, never on the word of people who
are no longer enough. The model shares no code with the engine.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from court import Court, agent, code, person
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from core.approvals.approval import find
from core.approvals.grant import expire_grants
from core.audit.state_match import match_state
from core.errors import Refusal
from core.policy.policy import Policy, Requirement
from core.store.migrate import migrate

PEOPLE = ("ana", "bo", "cai", "dee")
REQUESTERS = ("bot", "tot", "dee")
people = st.sampled_from(PEOPLE)
requesters = st.sampled_from(REQUESTERS)
actions = st.sampled_from(["work", "work", "play"])


@cache
def _empty() -> bytes:
    """A store in which nothing happened yet."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hub.db"
        migrate(path)
        return path.read_bytes()


@dataclass
class Grant:
    """A grant as the model remembers it."""

    requester: str
    action: str
    until: float
    times: int
    chosen_on: int
    by: set[str]
    used: int = 0
    ended: bool = False


@dataclass
class Request:
    """A request as the model remembers it: who approved it, and with which choice."""

    requester: str
    action: str
    owner: str
    """Who owned the bot when it was asked for."""
    said: dict[str, tuple[int, int] | None] = field(default_factory=dict)
    state: str = "REVIEWING"
    by_grant: int | None = None


class Granting(RuleBasedStateMachine):
    """Requests that come and go, people who choose grants, groups and time that change."""

    court: Court

    @initialize(count=st.sampled_from([1, 2]))
    def begin(self, count: int) -> None:
        self.folder = tempfile.TemporaryDirectory()
        (Path(self.folder.name) / "hub.db").write_bytes(_empty())
        self.count = count
        self.members = {"ana", "bo", "cai"}
        self.owner = "ana"
        policy = Policy(
            name="p",
            require=(Requirement(group="x", count=count),),
            review_seconds=10**7,
            apply_seconds=10**7,
            canonical="p",
        )
        self.court = Court(Path(self.folder.name), self.everybody(), policy)
        self.requests: dict[int, Request] = {}
        self.grants: dict[int, Grant] = {}

    def everybody(self) -> list[Any]:
        found = [person(name, *(["x"] if name in self.members else [])) for name in PEOPLE]
        return [*found, agent("bot", self.owner), agent("tot")]

    def teardown(self) -> None:
        if hasattr(self, "court"):
            assert self.court.write(match_state) == ()
            self.court.close()
            self.folder.cleanup()

    @property
    def now(self) -> float:
        return self.court.clock.wall_us() / 1_000_000

    def barred(self, request: Request) -> set[str]:
        return {request.requester, *({self.owner, request.owner} if request.requester == "bot" else ())}

    def enough(self, who: set[str], request: Request) -> bool:
        """Whether these people are a quorum for the request now."""
        return len((who & self.members) - self.barred(request)) >= self.count

    def in_force(self, grant: Grant) -> bool:
        return not grant.ended and grant.until > self.now and grant.used < grant.times

    @rule(requester=requesters, action=actions)
    def ask(self, requester: str, action: str) -> None:
        """What is asked for is approved exactly by a grant for the same that is in force and still backed."""
        made = Request(requester, action, self.owner)
        try:
            number = self.court.review(requester, action)
        except Refusal as refusal:
            assert refusal.code == "unsatisfiable"
            assert not self.enough(set(PEOPLE), made)
            return
        self.requests[number] = made
        fitting = {
            name: grant
            for name, grant in self.grants.items()
            if (grant.requester, grant.action) == (requester, action)
            and self.in_force(grant)
            and self.enough(grant.by, made)
        }
        used = self.court.write(find, number).by_grant
        assert (used is None) == (not fitting)
        if used is not None:
            assert used in fitting
            fitting[used].used += 1
            made.state, made.by_grant = "APPROVED", used

    def open(self, *states: str) -> list[int]:
        return [number for number, each in self.requests.items() if each.state in states]

    @precondition(lambda self: self.open("REVIEWING"))
    @rule(
        data=st.data(),
        who=people,
        chosen=st.sampled_from([None, (60, 1), (60, 2), (3600, 2), (3600, 2), (3600, 2)]),
    )
    def approve(self, data: st.DataObject, who: str, chosen: tuple[int, int] | None) -> None:
        """An approval, with a grant or without; the grant exists once those who chose the same are a quorum."""
        number = data.draw(st.sampled_from(self.open("REVIEWING")))
        request = self.requests[number]
        may = who in self.members and who not in self.barred(request)
        try:
            if chosen is None:
                decided = self.court.decide(number, who)
            else:
                decided = self.court.grant(number, who, seconds=chosen[0], times=chosen[1])
        except Refusal as refusal:
            assert refusal.code in ("own_request", "not_eligible")
            assert not may
            return
        assert may
        first = request.said.get(who, "nothing") != chosen
        request.said[who] = chosen
        assert decided.first == first
        enough = first and self.enough(set(request.said), request)
        assert (decided.state == "APPROVED") == enough
        if not enough:
            assert decided.grant is None
            return
        request.state = "APPROVED"
        same = {name for name, said in request.said.items() if said == chosen}
        assert (decided.grant is not None) == (chosen is not None and self.enough(same, request))
        if decided.grant is not None and chosen is not None:
            until = self.now + chosen[0]
            self.grants[decided.grant.id] = Grant(request.requester, request.action, until, chosen[1], number, same)

    @precondition(lambda self: self.open("APPROVED"))
    @rule(data=st.data())
    def start(self, data: st.DataObject) -> None:
        """A run starts only while those behind it are enough; otherwise it goes back to people."""
        number = data.draw(st.sampled_from(self.open("APPROVED")))
        request = self.requests[number]
        behind = set(request.said)
        if request.by_grant is not None:
            behind |= self.grants[request.by_grant].by
        if self.enough(behind, request):
            self.court.start(number)
            request.state = "APPLYING"
            return
        with code("no_longer_satisfied"):
            self.court.start(number)
        assert self.court.recount(number)
        request.state, request.by_grant = "REVIEWING", None
        self.undone(number)

    def undone(self, number: int) -> None:
        for grant in self.grants.values():
            if grant.chosen_on == number:
                grant.ended = True

    @precondition(lambda self: self.open("APPROVED", "REVIEWING"))
    @rule(data=st.data(), who=people)
    def reject(self, data: st.DataObject, who: str) -> None:
        """What is rejected before it starts takes with it the grants that were chosen on it."""
        number = data.draw(st.sampled_from(self.open("APPROVED", "REVIEWING")))
        try:
            self.court.decide(number, who, "reject")
        except Refusal as refusal:
            assert refusal.code in ("own_request", "not_eligible")
            return
        self.requests[number].state = "REJECTED"
        self.undone(number)

    @precondition(lambda self: self.grants)
    @rule(data=st.data(), who=st.sampled_from([*PEOPLE, "tot"]))
    def revoke(self, data: st.DataObject, who: str) -> None:
        """What a revoked grant approved and has not started is back in review."""
        number = data.draw(st.sampled_from(sorted(self.grants)))
        grant = self.grants[number]
        waiting = [f"A{n}" for n in self.open("APPROVED") if self.requests[n].by_grant == number]
        try:
            back = self.court.revoke(who, number)
        except Refusal as refusal:
            assert refusal.code in ("may_not_stop", "ended")
            return
        assert not grant.ended
        assert grant.used < grant.times
        assert back == waiting
        grant.ended = True
        for name in back:
            self.requests[int(name[1:])].state = "REVIEWING"
            self.requests[int(name[1:])].by_grant = None
            self.undone(int(name[1:]))

    @rule(seconds=st.sampled_from([1.0, 30.0, 60.0, 1800.0]), tell=st.booleans())
    def time_passes(self, seconds: float, tell: bool) -> None:
        self.court.clock.advance(seconds)
        if tell:
            self.court.write(expire_grants)

    @rule(who=people)
    def a_group_changes(self, who: str) -> None:
        self.members = self.members ^ {who}
        self.court.now_are(*self.everybody())

    @rule(who=people)
    def an_owner_changes(self, who: str) -> None:
        self.owner = who
        self.court.now_are(*self.everybody())

    @invariant()
    def nothing_went_further_than_was_chosen(self) -> None:
        if not hasattr(self, "court"):
            return
        for number, request in self.requests.items():
            assert self.court.state(number) == request.state
        uses: dict[str, list[dict[str, Any]]] = {}
        for each in self.court.events("grant:used"):
            uses.setdefault(each["subject"], []).append(each)
        for number, grant in self.grants.items():
            mine = uses.get(f"G{number}", [])
            assert [each["use"] for each in mine] == list(range(1, grant.used + 1))
            assert grant.used <= grant.times


TestGranting = Granting.TestCase
TestGranting.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
