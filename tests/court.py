"""One request under review on a real store with a hand-moved clock: what decides, without the hub around it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import select

from core.apply.action import Action, CommandSpec
from core.approvals import delegation as delegating
from core.approvals import grant as granting
from core.approvals import request as asking
from core.approvals.approval import find
from core.approvals.decide import Decided, decide, recount
from core.approvals.decision import Again, Decision, decisions
from core.approvals.delegation import Delegation
from core.approvals.finish import finish
from core.approvals.flags import publish
from core.approvals.proposal import bound_value, propose
from core.approvals.review import Checked, enter_review
from core.approvals.reviewing import review
from core.approvals.revoking import revoke
from core.approvals.run import find_run
from core.approvals.start import start
from core.approvals.whom import who
from core.audit.entry import decode
from core.clock import SECOND, ManualClock
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

ACTION = Action(name="work", title="Work", apply=CommandSpec(argv=("true",)), canonical='{"name":"work"}')
OTHER = Action(name="play", title="Play", apply=CommandSpec(argv=("true",)), canonical='{"name":"play"}')
_LOG = Statement(select(schema.log.c.entry).order_by(schema.log.c.seq))


def person(name: str, *groups: str) -> Principal:
    return Principal(id=name, kind=Kind.PERSON, name=name.title(), groups=frozenset(groups))


def agent(name: str, *owners: str) -> Principal:
    return Principal(id=name, kind=Kind.AGENT, name=name, owners=frozenset(owners))


def sre(count: int = 1, **more: Any) -> Policy:
    return Policy(name="default", require=(Requirement(group="sre", count=count),), canonical="p", **more)


def _opened(folder: Path, clock: ManualClock) -> Database:
    path = folder / "hub.db"
    if not path.exists():
        migrate(path)
    db = Database(SqliteEngine(path, clock))
    db.open()
    return db


class Court:
    """The engine as the pipeline calls it, one transaction a call."""

    def __init__(
        self, folder: Path | None, people: Iterable[Principal], policy: Policy, db: Database | None = None, **world: Any
    ) -> None:
        """On a SQLite store below `folder`, or on `db`, which is open and keeps its own clock."""
        self.clock = ManualClock()
        self.db = db or _opened(folder or Path(), self.clock)
        self.world = World(
            version=self.db.write_now(publish, "d"),
            digest="d",
            root=Path("/"),
            public_url="",
            people=Directory({each.id: each for each in people}),
            rights=Rights(),
            actions={"work": ACTION, "play": OTHER},
            policies=(policy,),
            **world,
        )

    def write(self, fn: Callable[..., Any], *args: Any) -> Any:
        return self.db.write_now(fn, *args)

    def who(self, name: str) -> Principal:
        found = self.world.people.find(name)
        assert found is not None
        return found

    def now_are(self, *people: Principal) -> None:
        """The people of another configuration, which is in force from now on."""
        version = self.write(publish, f"d{self.world.version}")
        self.world = replace(self.world, version=version, people=Directory({each.id: each for each in people}))

    def review(
        self,
        requester: str,
        action: str = "work",
        after: Callable[[], object] = lambda: None,
        *,
        checked_after: float = 0.0,
        meanwhile: Callable[[], object] = lambda: None,
        glass: bool = False,
        assurance: Assurance = Assurance.CHAT,
    ) -> int:
        """A request of `requester` that was checked, which took so many seconds; `after` is called before that ends.

        `meanwhile` is called between asking and checking.
        """
        by = self.who(requester)
        proposal = propose(
            self.world,
            action=action,
            params={},
            requester=by,
            channel="test",
            assurance=assurance,
            now_us=self.write(lambda tx: tx.now_us),
            seal=lambda context, value: b"",
            glass=glass,
        )

        def ask(tx: Tx) -> int:
            return asking.request(
                tx,
                proposal,
                requester=by,
                channel="test",
                address=None,
                assurance=assurance,
                reason="it burns" if glass else None,
                draft=False,
                limits=self.world.limits,
                glass=glass,
            )

        def check(tx: Tx, number: int) -> None:
            bound = bound_value(
                action=self.world.actions[action],
                policy=proposal.policy,
                params={},
                secrets={},
                resources=proposal.resources,
                requester=requester,
                approval=f"A{number}",
                revision=1,
                fingerprints={},
                preview=None,
            )
            checked = Checked(validation=[], preview=None, bound=bound, problems=[])
            enter_review(tx, self.world, find(tx, number), checked, proposal.policy)
            after()

        made: int = self.write(ask)
        self.clock.advance(checked_after)
        meanwhile()
        self.write(check, made)
        return made

    def state(self, number: int) -> str:
        return str(self.write(find, number).state)

    def decide(
        self,
        number: int,
        name: str,
        verdict: Any = "approve",
        *,
        assurance: Assurance = Assurance.CHAT,
        channel: str = "test",
        typed: str | None = None,
        again: Again | None = None,
    ) -> Decided:
        def run(tx: Tx) -> Decided:
            approval = find(tx, number)
            return decide(
                tx,
                self.world,
                approval,
                verdict=verdict,
                by=self.who(name),
                digest=approval.digest,
                channel=channel,
                assurance=assurance,
                comment=None,
                typed=typed,
                again=again,
            )

        decided: Decided = self.write(run)
        return decided

    def decisions(self, number: int) -> list[Decision]:
        return self.write(decisions, number, self.write(find, number).revision)  # type: ignore[no-any-return]

    def delegate(self, by: str, to: str, *, seconds: float = 3600, **given: Any) -> Delegation:
        def run(tx: Tx) -> Delegation:
            return delegating.delegate(
                tx,
                self.world,
                by=self.who(by),
                to=to,
                until=tx.now_us + int(seconds * SECOND),
                channel="test",
                **{"assurance": Assurance.CHAT, **given},
            )

        made: Delegation = self.write(run)
        return made

    def leave(self, by: str, *, seconds: float = 3600) -> Delegation:
        def run(tx: Tx) -> Delegation:
            until = tx.now_us + int(seconds * SECOND)
            return delegating.leave(tx, by=self.who(by), until=until, channel="test", assurance=Assurance.CHAT)

        made: Delegation = self.write(run)
        return made

    def grant(self, number: int, name: str, *, seconds: int = 1800, times: int = 3, **given: Any) -> Decided:
        """`name` approves, and chooses that the same may run again."""
        return self.decide(number, name, again=Again(seconds=seconds, times=times), **given)

    def revoke(self, by: str, number: int, after: Callable[[], object] = lambda: None) -> list[str]:
        """`by` ends the grant; the requests that went back to review."""

        def run(tx: Tx) -> list[str]:
            grant = granting.find(tx, number)
            back = revoke(tx, self.world, grant, by=self.who(by), channel="test", reason=None)[1]
            after()
            return back

        back: list[str] = self.write(run)
        return back

    def look_back(
        self, number: int, name: str, verdict: Any = "ok", comment: str | None = "seen", **given: Any
    ) -> None:
        """`name` reviews what ran by break-glass."""

        def run(tx: Tx) -> None:
            who, proof = self.who(name), {"assurance": Assurance.CHAT, **given}
            approval = find(tx, number)
            review(tx, self.world, approval, verdict=verdict, by=who, channel="test", comment=comment, **proof)

        self.write(run)

    def end(self, number: int, state: Any = "completed") -> None:
        """The approval's run has ended."""

        def run(tx: Tx) -> None:
            found = find_run(tx, find(tx, number).run or 0)
            finish(tx, found, state=state, exit_code=0, why=None, output="", dropped=0)

        self.write(run)

    def undelegate(self, by: str, *numbers: int) -> list[Delegation]:
        return self.write(lambda tx: delegating.revoke(tx, numbers, by=self.who(by), channel="test"))  # type: ignore[no-any-return]

    def start(self, number: int) -> int:
        def run(tx: Tx) -> int:
            approval = find(tx, number)
            return start(tx, self.world, approval, digest=approval.digest or "", lease=None, holder="h")

        made: int = self.write(run)
        return made

    def recount(self, number: int) -> bool:
        """Whether the approved request went back to review, because what it rested on is gone."""
        return bool(self.write(recount, self.world, number))

    def ask_who(self, number: int) -> dict[str, Any]:
        return self.write(who, self.world, number)  # type: ignore[no-any-return]

    def events(self, *names: str) -> list[dict[str, Any]]:
        found = [decode(bytes(row["entry"])) for row in self.write(lambda tx: tx.all(_LOG))]
        return [
            {"event": each.event, "actor": each.actor, "subject": each.subject, **each.details}
            for each in found
            if not names or each.event in names
        ]

    def close(self) -> None:
        self.db.close()


@contextmanager
def code(expected: str) -> Iterator[None]:
    """The block is refused with that code."""
    try:
        yield
    except Refusal as refusal:
        assert refusal.code == expected, f"{refusal.code}: {refusal.message}"
    else:
        raise AssertionError(f"nothing refused it with {expected}")
