"""Deciding and delegating under random moves, held against a model that knows the rules in words only.

The model keeps who said what, for whom, and by which delegation, and counts by trying every seating. It shares no code
with the engine; what it takes from the engine is with which voices somebody spoke, and it checks that they had them.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

from court import Court, person
from history import History, definition
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from core.approvals.delegation import expire_delegations
from core.audit.state_match import match_state
from core.errors import Invalid, Refusal
from core.policy.policy import Policy, Requirement
from core.receipt.receipt import verify
from core.store.migrate import migrate

NAMES = ("ana", "bo", "cai", "dee", "eve")
REQUESTER = "eve"
WEEK = 7 * 86_400.0

names = st.sampled_from(NAMES)
START = {"ana": {"x"}, "bo": {"x", "y"}, "cai": {"y", "v"}, "dee": set[str](), "eve": set[str]()}
groups = st.dictionaries(st.sampled_from(NAMES[1:]), st.sets(st.sampled_from(["x", "y", "v"])), max_size=1).map(
    lambda drawn: {name: set(each) for name, each in (START | drawn).items()}
)
seats = st.sampled_from(
    [
        (Requirement(group="x", count=2),),
        (Requirement(group="x", count=2), Requirement(group="y")),
        (Requirement(group="x"), Requirement(group="y")),
        (Requirement(person="ana"), Requirement(group="y")),
        (Requirement(person="ana"), Requirement(person="cai")),
        (Requirement(group="x"),),
    ]
)


@cache
def _empty() -> bytes:
    """A store in which nothing happened yet."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hub.db"
        migrate(path)
        return path.read_bytes()


@dataclass
class Lent:
    """A delegation as the model remembers it."""

    by: str
    to: str
    when: str | None
    until: float
    ended: bool = False


@dataclass
class Said:
    """Something that somebody said and has not taken back."""

    actor: str
    voice: str
    verdict: str
    lent: int | None


@dataclass
class Model:
    """The world in words."""

    groups: dict[str, set[str]]
    policy: Policy
    said: list[Said] = field(default_factory=list)
    lent: dict[int, Lent] = field(default_factory=dict)
    state: str = "REVIEWING"

    def fits(self, seat: Requirement, who: str) -> bool:
        return seat.person == who if seat.person else seat.group in self.groups[who]

    def entitled(self, who: str) -> bool:
        return who != REQUESTER and any(self.fits(seat, who) for seat in self.policy.require)

    def may_speak(self, to: str) -> bool:
        allowed = {"any": True, "members": self.entitled(to), "none": False}[self.policy.delegation]
        return to != REQUESTER and allowed

    def has_approved(self, who: str, said: list[Said]) -> bool:
        return self.entitled(who) and any(
            each.actor == each.voice == who and each.verdict == "approve" and each.lent is None for each in said
        )

    def voices(self, now: float, said: list[Said]) -> dict[str, Said]:
        """Each voice that is heard, and what it says."""
        heard: dict[str, Said] = {}
        own = {each.voice for each in said if each.lent is None}
        for each in said:
            if each.lent is None and self.entitled(each.voice):
                heard[each.voice] = each
        for each in said:
            if each.lent is None or each.voice in own or each.voice in heard or not self.entitled(each.voice):
                continue
            lent = self.lent[each.lent]
            met = lent.when in (None, lent.to) or self.has_approved(str(lent.when), said)
            if not lent.ended and lent.until > now and met and self.may_speak(each.actor):
                heard[each.voice] = each
        return heard

    def satisfied(self, now: float, said: list[Said]) -> bool:
        yes = [each for each in self.voices(now, said).values() if each.verdict == "approve"]
        actors = sorted({each.actor for each in yes})
        chairs = [seat for seat in self.policy.require for _ in range(seat.count)]
        if len(actors) < max(len(chairs), self.policy.distinct_people or 0):
            return False
        ways = [
            [actor for actor in actors if any(each.actor == actor and self.fits(chair, each.voice) for each in yes)]
            for chair in chairs
        ]
        return any(len(set(way)) == len(way) for way in product(*ways))

    def progress(self, now: float, said: list[Said]) -> int:
        """How many seats are filled, and how many of the distinct people who are wanted there are."""
        yes = [each for each in self.voices(now, said).values() if each.verdict == "approve"]
        actors = sorted({each.actor for each in yes})
        chairs = [seat for seat in self.policy.require for _ in range(seat.count)]
        ways: list[list[str | None]] = [
            [
                None,
                *(
                    actor
                    for actor in actors
                    if any(each.actor == actor and self.fits(chair, each.voice) for each in yes)
                ),
            ]
            for chair in chairs
        ]
        seatings = ([who for who in way if who is not None] for way in product(*ways))
        filled = max(len(way) for way in seatings if len(set(way)) == len(way))
        return filled + min(len(actors), self.policy.distinct_people or 0)

    def ends(self, now: float) -> bool:
        """Whether what was said against it is enough to end it."""
        for each in self.said:
            alone = each.lent is None and each.verdict == "reject" and each.voice != REQUESTER
            if alone and set(self.policy.veto) & self.groups[each.voice]:
                return True
        against = {each.actor for each in self.voices(now, self.said).values() if each.verdict == "reject"}
        if not against:
            return False
        gone = {each.voice for each in self.said if each.lent is None and each.verdict == "reject"}
        left = [Said(who, who, "approve", None) for who in NAMES if who not in gone]
        return len(against) >= self.policy.reject or not self.satisfied(now, left)


class Deciding(RuleBasedStateMachine):
    """Several people, one request, delegations that come and go."""

    court: Court

    @initialize(
        groups=groups,
        require=seats,
        delegation=st.sampled_from(["any", "any", "any", "any", "members", "none"]),
        reject=st.sampled_from([1, 2, 2, 3]),
        veto=st.booleans(),
        distinct=st.sampled_from([None, None, 2, 3]),
    )
    def begin(self, groups: Any, require: Any, delegation: Any, reject: int, veto: bool, distinct: int | None) -> None:
        self.folder = tempfile.TemporaryDirectory()
        policy = Policy(
            name="p",
            require=tuple(require),
            delegation=delegation,
            reject=reject,
            veto=("v",) if veto else (),
            distinct_people=distinct,
            review_seconds=60 * WEEK,
            apply_seconds=60 * WEEK,
        )
        policy = replace(policy, canonical=definition(policy))
        (Path(self.folder.name) / "hub.db").write_bytes(_empty())
        self.court = Court(Path(self.folder.name), [person(n, *g) for n, g in groups.items()], policy)
        self.model = Model(groups=dict(groups), policy=policy)
        self.number = 0
        self.started = False
        for by in ("ana", "bo"):
            made = self.court.delegate(by, "dee", seconds=WEEK)
            self.model.lent[made.id] = Lent(by, "dee", None, self.now + WEEK)
        self.ask()

    @precondition(lambda self: not self.open())
    @rule()
    def ask(self) -> None:
        """Ask anew; delegations stay."""
        try:
            self.number = self.court.review(REQUESTER)
        except Refusal as refusal:
            assert refusal.code == "unsatisfiable"
            everybody = [Said(who, who, "approve", None) for who in NAMES]
            assert not self.model.satisfied(self.now, everybody)
            return
        self.model.said, self.model.state, self.started = [], "REVIEWING", False

    def teardown(self) -> None:
        if hasattr(self, "court"):
            assert self.court.write(match_state) == ()
            if self.number:
                self._receipt()
            self.court.close()
            self.folder.cleanup()

    def _receipt(self) -> None:
        """It verifies exactly when it is approved or was started, and names nobody whose say did not stand."""
        history = History(self.court, self.number)
        state = self.court.state(self.number)
        try:
            found = verify(history.receipt(), [history.key])
        except Invalid:
            assert state not in ("APPROVED", "APPLYING")
            return
        assert state in ("APPROVED", "APPLYING")
        standing = {(row.by, row.on_behalf_of, row.verdict) for row in self.court.decisions(self.number)}
        assert standing.issuperset((each.by, each.on_behalf_of, "approve") for each in found.decisions)

    @property
    def now(self) -> float:
        return self.court.clock.wall_us() / 1_000_000

    def open(self) -> bool:
        return bool(self.number) and not self.started and self.model.state in ("REVIEWING", "APPROVED")

    @precondition(lambda self: self.open() and any(not each.ended for each in self.model.lent.values()))
    @rule(data=st.data(), verdict=st.sampled_from(["approve", "approve", "reject"]))
    def a_delegate_decides(self, data: st.DataObject, verdict: str) -> None:
        self._decide(
            data.draw(st.sampled_from([each.to for each in self.model.lent.values() if not each.ended])), verdict
        )

    @precondition(open)
    @rule(who=names, verdict=st.sampled_from(["approve", "approve", "reject"]))
    def decide(self, who: str, verdict: str) -> None:
        self._decide(who, verdict)

    def _decide(self, who: str, verdict: str) -> None:
        """Who has a voice says it, and nobody else can; what it leads to is what the model says."""
        model = self.model
        others = [each for each in model.said if each.actor != who]
        own = model.entitled(who)
        veto = verdict == "reject" and bool(set(model.policy.veto) & model.groups[who])
        heard = model.voices(self.now, others)
        lendable = {
            number: lent
            for number, lent in model.lent.items()
            if lent.to == who
            and not lent.ended
            and lent.until > self.now
            and model.may_speak(who)
            and model.entitled(lent.by)
            and lent.by not in heard
            and not any(each.lent is None and each.voice == lent.by for each in others)
            and (lent.when is None or verdict == "approve")
            and (lent.when in (None, who) or model.has_approved(str(lent.when), others))
        }
        try:
            decided = self.court.decide(self.number, who, verdict)
        except Refusal as refusal:
            if verdict == "approve" and model.state == "APPROVED":
                assert refusal.code == "wrong_state"
            elif who == REQUESTER:
                assert refusal.code == "own_request"
            else:
                assert refusal.code == "not_eligible"
                assert not own and not veto and not lendable
            return
        assert who != REQUESTER
        assert own or veto or lendable
        if not decided.first:
            return
        rows = [row for row in self.court.decisions(self.number) if row.by == who]
        assert rows and all(row.verdict == verdict for row in rows)
        for row in rows:
            if row.on_behalf_of is None:
                assert own or veto
            else:
                assert lendable[row.delegation or 0].by == row.on_behalf_of
        voices = {row.voice for row in rows}
        if verdict == "approve":  # every seat that any of their voices could answer to is answered by one of them
            could = {lent.by for lent in lendable.values()} | ({who} if own else set())
            for seat in model.policy.require:
                fitting = [each for each in could if model.fits(seat, each)]
                assert not fitting or any(model.fits(seat, each) for each in voices)
        model.said = others + [Said(who, row.voice, verdict, row.delegation) for row in rows]
        if verdict == "reject":
            if model.ends(self.now):
                model.state = "REJECTED"
            elif model.state == "APPROVED" and not model.satisfied(self.now, model.said):
                model.state = "REVIEWING"
        elif model.satisfied(self.now, model.said):
            model.state = "APPROVED"

    @rule(
        by=st.sampled_from(NAMES[:4]),
        to=st.sampled_from(NAMES[1:]),
        when=st.one_of(st.none(), st.none(), names),
        seconds=st.sampled_from([60.0, WEEK, WEEK]),
    )
    def delegate(self, by: str, to: str, when: str | None, seconds: float) -> None:
        try:
            made = self.court.delegate(by, to, when=when, seconds=seconds)
        except Refusal as refusal:
            assert refusal.code == "delegate_to_oneself"
            assert by in (to, when)
            return
        for lent in self.model.lent.values():
            if (lent.by, lent.to, lent.when) == (by, to, when):
                lent.ended = True
        self.model.lent[made.id] = Lent(by, to, when, self.now + seconds)

    @precondition(lambda self: any(not each.ended for each in self.model.lent.values()))
    @rule(data=st.data())
    def undelegate(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(n for n, each in self.model.lent.items() if not each.ended)))
        lent = self.model.lent[number]
        try:
            self.court.undelegate(data.draw(st.sampled_from([lent.by, lent.to])), number)
        except Refusal as refusal:
            assert refusal.code == "ended"
            assert lent.until <= self.now
        lent.ended = True

    @rule(seconds=st.sampled_from([30.0, 60.0, 3600.0]), tell=st.booleans())
    def time_passes(self, seconds: float, tell: bool) -> None:
        self.court.clock.advance(seconds)
        if tell:
            self.court.write(expire_delegations)

    @rule(who=names, group=st.sampled_from(["x", "y", "v"]))
    def a_group_changes(self, who: str, group: str) -> None:
        self.model.groups[who] = self.model.groups[who] ^ {group}
        self.court.now_are(*(person(name, *each) for name, each in self.model.groups.items()))

    @precondition(lambda self: self.open() and self.model.state == "APPROVED")
    @rule()
    def start(self) -> None:
        enough = self.model.satisfied(self.now, self.model.said)
        try:
            self.court.start(self.number)
        except Refusal as refusal:
            assert refusal.code == "no_longer_satisfied"
            assert not enough
        else:
            assert enough
            self.started = True

    @precondition(open)
    @rule()
    def who(self) -> None:
        """Whoever `who` names may approve, and nobody else could bring it closer."""
        answer = self.court.ask_who(self.number)
        if self.model.state != "REVIEWING":
            return
        enough = self.model.satisfied(self.now, self.model.said)
        assert ("Nothing is missing" in answer["words"]) == enough
        for each in answer["could"]:
            assert self.model.entitled(each["id"])
        for each in answer["delegations"]:
            assert self.model.entitled(each["on_behalf_of"]["id"]) and self.model.may_speak(each["by"]["id"])
        for each in answer["could"]:  # each of them fills a seat, or is one more of the people who are wanted
            own = Said(each["id"], each["id"], "approve", None)
            assert self.model.progress(self.now, [*self.model.said, own]) > self.model.progress(
                self.now, self.model.said
            )
        if not enough:
            named = {each["id"] for each in answer["could"]}
            for who in NAMES:
                own = Said(who, who, "approve", None)
                said = [each for each in self.model.said if each.lent is not None or each.voice != who]
                if len(said) == len(self.model.said) and self.model.satisfied(self.now, [*said, own]):
                    assert who in named

    @invariant()
    def the_state_is_the_models(self) -> None:
        if getattr(self, "number", 0):
            expected = "APPLYING" if self.started else self.model.state
            assert self.court.state(self.number) == expected


TestDeciding = Deciding.TestCase
TestDeciding.settings = settings(max_examples=250, stateful_step_count=40, deadline=None)
