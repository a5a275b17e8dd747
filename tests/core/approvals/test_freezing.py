"""A freeze and a start, on two nodes at the same time: one comes first, and the log says so."""

from __future__ import annotations

from court import Court, person, sre
from nodes import nodes, overlapping

from core.approvals import freeze
from core.approvals.approval import change, find
from core.approvals.start import start
from core.clock import SECOND
from core.errors import Conflict
from core.leases.terms import LEASE_LOCKS
from core.store.database import Database
from core.store.tx import Tx

PEOPLE = (person("ana", "sre"), person("bo", "sre"), person("cai", "admins"))


def approved(court: Court) -> int:
    number = court.review("ana")
    court.decide(number, "bo")
    court.write(lambda tx: change(tx, find(tx, number), resources=["env:prod"]))
    return number


def starting(tx: Tx, court: Court, number: int) -> int:
    approval = find(tx, number)
    return start(tx, court.world, approval, digest=approval.digest or "", lease=None, holder="h")


def freezing(tx: Tx, court: Court) -> str:
    until = tx.now_us + 3600 * SECOND
    by = court.who("cai")
    return freeze.create(tx, by=by, resources=["env:*"], reason="the audit", until=until, channel="test").name


def test_a_start_that_comes_while_a_freeze_is_written_sees_it(postgres_dsn: str) -> None:
    with nodes(postgres_dsn) as (first, second):
        court = Court(None, PEOPLE, sre(), first)
        number = approved(court)
        made, refused = overlapping(
            postgres_dsn,
            first,
            lambda tx: freezing(tx, court),
            second,
            lambda tx: starting(tx, court, number),
            locks=LEASE_LOCKS,
        )
        assert made == "F1"
        assert isinstance(refused, Conflict) and refused.code == "frozen"
        assert court.state(number) == "APPROVED"


def test_a_freeze_that_comes_while_a_run_is_started_comes_after_it(postgres_dsn: str) -> None:
    with nodes(postgres_dsn) as (first, second):
        court = Court(None, PEOPLE, sre(), first)
        number = approved(court)
        run, made = overlapping(
            postgres_dsn,
            first,
            lambda tx: starting(tx, court, number),
            second,
            lambda tx: freezing(tx, court),
            locks=LEASE_LOCKS,
        )
        assert (court.state(number), made) == ("APPLYING", "F1")
        told = [each["event"] for each in court.events("apply:started", "freeze:created")]
        assert (run, told) == (1, ["apply:started", "freeze:created"])


def test_every_verb_that_a_start_must_see_shares_its_lock() -> None:
    from commands.registry import Registry

    verbs = {verb.name: verb.locks for verb in Registry.installed()}
    for name in ("freeze", "unfreeze", "override", "delegate", "away", "undelegate", "stop", "withdraw", "edit"):
        assert set(LEASE_LOCKS) <= set(verbs[name]), name


def test_a_freeze_during_the_start_wins(any_database: Database) -> None:
    court = Court(None, PEOPLE, sre(), any_database)
    number = approved(court)
    seen = court.write(find, number)
    court.write(lambda tx: freezing(tx, court))
    try:
        court.write(lambda tx: start(tx, court.world, seen, digest=seen.digest or "", lease=None, holder="h"))
    except Conflict as refusal:
        assert refusal.code == "frozen"
    assert court.state(number) == "APPROVED"
