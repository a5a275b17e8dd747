"""Linked accounts, realms, told groups and the vault, on every store."""

from __future__ import annotations

from typing import Any

import pytest

from core import vault
from core.audit.state_match import match_state
from core.errors import Conflict, Refusal, Unproven
from core.people import linking, told
from core.people.directory import Directory, Kind, Principal
from core.store.database import Database

BO = Principal(id="bo", kind=Kind.PERSON, name="Bo")
CAI = Principal(id="cai", kind=Kind.PERSON, name="Cai", identities={"slack": "T1/U3"})
DEE = Principal(id="dee", kind=Kind.PERSON, name="Dee")
PEOPLE = Directory({"bo": BO, "cai": CAI, "dee": DEE})


def linked(database: Database, code: str, identity: str = "T1/U2") -> Any:
    try:
        return database.write_now(lambda tx: linking.link(tx, code, channel="slack", identity=identity, people=PEOPLE))
    except Refusal as refusal:
        return refusal


def offered(database: Database, who: Principal = BO) -> str:
    return database.write_now(lambda tx: linking.offer(tx, principal=who, channel="page"))


def test_a_code_links_once_and_the_table_says_what_the_log_says(any_database: Database) -> None:
    code = offered(any_database)
    assert linked(any_database, f" {code.lower()} ").principal == "bo"
    assert isinstance(linked(any_database, code, "T1/U9"), Unproven)
    assert any_database.read_now(linking.stands, "slack", "T1/U2", "bo")
    assert any_database.read_now(match_state) == ()


def test_a_refused_link_leaves_its_code_good(any_database: Database) -> None:
    code = offered(any_database)
    assert isinstance(linked(any_database, code, "T1/U3"), Conflict)
    assert linked(any_database, code).identity == "T1/U2"


def test_one_account_in_each_workspace_and_one_person_for_each_account(any_database: Database) -> None:
    assert linked(any_database, offered(any_database)).identity == "T1/U2"
    assert linked(any_database, offered(any_database), "T1/U8").code == "already_linked"
    assert linked(any_database, offered(any_database, DEE), "T1/U2").code == "already_linked"
    assert linked(any_database, offered(any_database, CAI), "T1/U8").code == "bound_in_config"
    assert linked(any_database, offered(any_database), "T2/U8").identity == "T2/U8"
    assert [each.identity for each in any_database.read_now(linking.unlinkable, "bo", None)] == ["T1/U2", "T2/U8"]


def test_a_forged_link_is_found(any_database: Database) -> None:
    new = linking._NEW
    any_database.write_now(lambda tx: tx.run(new, channel="slack", identity="T1/U6", principal="bo", at=tx.now_us))
    (finding,) = any_database.read_now(match_state)
    assert "T1/U6" in finding.message and "never in the log" in finding.message


def test_a_realm_is_pinned_once(any_database: Database) -> None:
    any_database.write_now(told.pin, "slack", "T1")
    any_database.write_now(told.pin, "slack", "T1")
    with pytest.raises(Conflict, match="first seen in T1"):
        any_database.write_now(told.pin, "slack", "T2")
    assert any_database.read_now(told.realms) == {"slack": "T1"}
    assert any_database.read_now(match_state) == ()


def test_a_group_keeps_its_members_and_their_time_when_it_cannot_be_read(any_database: Database) -> None:
    assert any_database.write_now(told.tell_group, "slack:S1", ["T1/U2", "T1/U1"])
    before = any_database.read_now(told.told_groups)["slack:S1"]
    assert any_database.write_now(told.tell_group, "slack:S1", None, "no answer")
    after = any_database.read_now(told.told_groups)["slack:S1"]
    assert (after.members, after.at, after.problem) == (before.members, before.at, "no answer")
    assert not any_database.write_now(told.tell_group, "slack:S1", None, "still none")


def test_of_two_that_want_a_value_one_gets_it(any_database: Database) -> None:
    put, claim, take = vault.put, vault.claim, vault.take
    write = any_database.write_now
    assert write(lambda tx: put(tx, "slack", "w", b"1", after=None, entry=None))
    assert write(claim, "slack", "w", 1, 30.0) and not write(claim, "slack", "w", 1, 30.0)
    assert write(lambda tx: put(tx, "slack", "w", b"2", after=1, entry=None))
    assert not write(lambda tx: put(tx, "slack", "w", b"3", after=1, entry=None))
    assert write(claim, "slack", "w", 2, 0.0) and write(claim, "slack", "w", 2, 30.0), "a claim lapses"
    assert write(take, "slack", "w", None).sealed == b"2"
    assert write(take, "slack", "w", None) is None
