"""The approval's life under random moves, compared with a small model of its own after every step."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule
from sqlalchemy import bindparam, select

from core.apply.action import Action, CommandSpec
from core.approvals import request as asking
from core.approvals.approval import find
from core.approvals.decide import decide
from core.approvals.expire import expire
from core.approvals.finish import finish, resolve
from core.approvals.flags import publish
from core.approvals.proposal import bound_value, propose
from core.approvals.review import Checked, enter_review
from core.approvals.run import find_run
from core.approvals.start import start
from core.approvals.stop import stop
from core.audit.entry import decode
from core.clock import ManualClock
from core.errors import Refusal
from core.people.assurance import Assurance
from core.people.directory import Directory, Kind, Principal
from core.people.rights import Rights
from core.policy.policy import Policy, Requirement
from core.store import schema
from core.store.database import Database
from core.store.migrate import migrate
from core.store.sqlite import SqliteEngine
from core.store.statement import Statement
from core.store.tx import Tx
from core.world import World

PEOPLE = ("ana", "bo", "cai", "dee")
POLICY = Policy(
    name="default", require=(Requirement(group="team", count=2),), review_seconds=100, apply_seconds=50, canonical="p"
)
ACTION = Action(name="work", title="Work", apply=CommandSpec(argv=("true",)), canonical="a")
WORLD = World(
    version=1,
    digest="d",
    root=Path("/"),
    public_url="",
    people=Directory(
        {name: Principal(id=name, kind=Kind.PERSON, name=name, groups=frozenset({"team", "admins"})) for name in PEOPLE}
    ),
    rights=Rights(),
    actions={"work": ACTION},
    policies=(POLICY,),
)
_LOG = Statement(
    select(schema.log.c.entry).where(schema.log.c.subject == bindparam("subject")).order_by(schema.log.c.seq)
)


@dataclass
class Model:
    """What one approval should be."""

    requester: str
    state: str = "SUBMITTED"
    approvals: set[str] = field(default_factory=set)
    review_ends: float = 0.0
    apply_ends: float = 0.0
    runs: int = 0


class Life(RuleBasedStateMachine):
    """Random moves of several people on several approvals."""

    approvals = Bundle("approvals")
    people = st.sampled_from(PEOPLE)

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "hub.db"
        migrate(path)
        self.clock = ManualClock()
        self.db = Database(SqliteEngine(path, self.clock))
        self.db.open()
        self.db.write_now(publish, "d")
        self.models: dict[int, Model] = {}

    def teardown(self) -> None:
        self.db.close()
        self.folder.cleanup()

    def attempt(self, fn: Any, *args: Any) -> str | None:
        """None when it was done, else the refusal's code."""
        try:
            self.db.write_now(fn, *args)
        except Refusal as refusal:
            return refusal.code
        return None

    @property
    def now(self) -> float:
        return self.clock.monotonic()

    @rule(target=approvals, who=people)
    def request(self, who: str) -> int:
        requester = WORLD.people.find(who)
        assert requester is not None
        proposal = propose(
            WORLD,
            action="work",
            params={},
            requester=requester,
            channel="test",
            assurance=Assurance.CHAT,
            now_us=self.clock.wall_us(),
            seal=lambda context, value: b"",
        )
        number = self.db.write_now(
            lambda tx: asking.request(
                tx,
                proposal,
                requester=requester,
                channel="test",
                address=None,
                assurance=Assurance.CHAT,
                reason=None,
                draft=False,
                limits=WORLD.limits,
            )
        )
        self.models[number] = Model(requester=who, review_ends=self.now + 100)
        return number

    @rule(number=approvals, fine=st.booleans())
    def check(self, number: int, fine: bool) -> None:
        def run(tx: Tx) -> None:
            approval = find(tx, number)
            bound = bound_value(
                action=ACTION,
                policy=POLICY,
                params={},
                secrets={},
                resources=(),
                requester=approval.requester,
                approval=approval.name,
                revision=approval.revision,
                fingerprints={},
                preview=None,
            )
            problems = [] if fine else ["it is broken"]
            checked = Checked(validation=[], preview=None, bound=bound, problems=problems)
            enter_review(tx, WORLD, approval, checked, POLICY)

        model = self.models[number]
        code = self.attempt(run)
        if model.state == "SUBMITTED" and not fine:
            model.state = "DRAFT"
        elif model.state == "SUBMITTED" and self.now < model.review_ends:
            model.state, model.review_ends = "REVIEWING", self.now + 100
        else:
            assert code is not None

    @rule(number=approvals)
    def submit(self, number: int) -> None:
        model = self.models[number]
        by = WORLD.people.find(model.requester)
        assert by is not None

        def run(tx: Tx) -> None:
            asking.submit(tx, WORLD, find(tx, number), by=by, channel="test", policy=POLICY)

        code = self.attempt(run)
        if model.state == "DRAFT":
            model.state, model.review_ends = "SUBMITTED", self.now + 100
            model.approvals.clear()
        else:
            assert code == "wrong_state"

    @rule(number=approvals, who=people, verdict=st.sampled_from(["approve", "reject", "request-changes"]))
    def decide(self, number: int, who: str, verdict: Any) -> None:
        model = self.models[number]
        by = WORLD.people.find(who)
        assert by is not None

        def run(tx: Tx) -> None:
            approval = find(tx, number)
            decide(
                tx,
                WORLD,
                approval,
                verdict=verdict,
                by=by,
                digest=approval.digest or "none",
                channel="test",
                assurance=Assurance.CHAT,
                comment=None,
            )

        code = self.attempt(run)
        live = model.state == "REVIEWING" or (verdict == "reject" and model.state == "APPROVED")
        late = model.state == "REVIEWING" and self.now >= model.review_ends
        if not live or who == model.requester:
            assert code in ("wrong_state", "own_request")
        elif verdict == "reject":
            assert code is None
            model.state = "REJECTED"
        elif verdict == "approve" and who in model.approvals:
            assert code is None
        elif late:
            assert code == "expired"
        elif verdict == "request-changes":
            assert code is None
            model.state = "DRAFT"
            model.approvals.discard(who)
        else:
            assert code is None
            model.approvals.add(who)
            if len(model.approvals) == 2:
                model.state, model.apply_ends = "APPROVED", self.now + 50

    @rule(number=approvals, who=people)
    def withdraw(self, number: int, who: str) -> None:
        model = self.models[number]
        by = WORLD.people.find(who)
        assert by is not None
        code = self.attempt(lambda tx: asking.withdraw(tx, find(tx, number), by=by, channel="test", reason=None))
        if who != model.requester:
            assert code == "not_yours"
        elif model.state in ("DRAFT", "SUBMITTED", "REVIEWING", "APPROVED"):
            assert code is None
            model.state = "WITHDRAWN"
        else:
            assert code == "wrong_state"

    @rule(number=approvals)
    def begin(self, number: int) -> None:
        model = self.models[number]

        def run(tx: Tx) -> None:
            approval = find(tx, number)
            start(tx, WORLD, approval, digest=approval.digest or "none", lease=None, holder="h")

        code = self.attempt(run)
        if model.state == "APPROVED" and self.now < model.apply_ends:
            assert code is None
            model.state, model.runs = "APPLYING", model.runs + 1
        else:
            assert code is not None
        assert model.runs <= 1

    @rule(number=approvals, outcome=st.sampled_from(["completed", "failed", "unknown"]))
    def end(self, number: int, outcome: Any) -> None:
        model = self.models[number]

        def run(tx: Tx) -> bool:
            approval = find(tx, number)
            if approval.run is None:
                return False
            run = find_run(tx, approval.run)
            return finish(tx, run, state=outcome, exit_code=0, why=None, output="", dropped=0)

        changed = self.db.write_now(run)
        assert changed == (model.state == "APPLYING")
        if changed:
            model.state = {"completed": "COMPLETED", "failed": "FAILED", "unknown": "UNKNOWN"}[outcome]

    @rule(number=approvals, outcome=st.sampled_from(["completed", "failed"]))
    def settle(self, number: int, outcome: Any) -> None:
        model = self.models[number]
        ana = WORLD.people.find("ana")
        assert ana is not None

        def run(tx: Tx) -> None:
            approval = find(tx, number)
            run = find_run(tx, approval.run or 0)
            resolve(tx, approval, run, by=ana, channel="test", outcome=outcome, reason="I looked")

        code = self.attempt(run)
        if model.state == "UNKNOWN":
            assert code is None
            model.state = outcome.upper()
        else:
            assert code in ("wrong_state", "not_found")

    @rule(number=approvals)
    def halt(self, number: int) -> None:
        model = self.models[number]
        ana = WORLD.people.find("ana")
        assert ana is not None
        code = self.attempt(lambda tx: stop(tx, find(tx, number), by=ana, channel="test", reason="stop"))
        ends = {"REVIEWING": "REJECTED", "APPROVED": "REJECTED", "SUBMITTED": "WITHDRAWN", "DRAFT": "WITHDRAWN"}
        if model.state in ends:
            assert code is None
            model.state = ends[model.state]
        else:
            assert (code is None) == (model.state == "APPLYING")

    @rule(seconds=st.sampled_from([1, 20, 49, 60, 120]))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule()
    def expire(self) -> None:
        self.db.write_now(expire)
        for model in self.models.values():
            reviewing = model.state in ("SUBMITTED", "REVIEWING") and model.review_ends <= self.now
            if reviewing or (model.state == "APPROVED" and model.apply_ends <= self.now):
                model.state = "EXPIRED"

    @invariant()
    def the_rows_are_what_the_model_and_the_log_say(self) -> None:
        for number, model in self.models.items():
            row = self.db.read_now(find, number)
            assert row.state == model.state
            entries = [decode(bytes(each["entry"])) for each in self.db.read_now(_entries, row.name)]
            assert [each.details["state"] for each in entries if "state" in each.details][-1] == model.state


def _entries(reader: Any, subject: str) -> Any:
    return reader.all(_LOG, subject=subject)


Life.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestLife = Life.TestCase
