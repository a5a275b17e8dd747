"""Receipts of what was approved without decisions of its own: by a grant, by break-glass, by a policy that allows."""

from __future__ import annotations

import copy
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from court import Court, person
from history import History, definition
from house import CONFIG, House, housed

from core.audit.canonical import canonical
from core.audit.keys import VerifierKey
from core.errors import Invalid
from core.policy.policy import BreakGlass, Policy, Requirement
from core.receipt.receipt import verify
from core.receipt.words import lines

pytestmark = pytest.mark.anyio

GLASS = """\
  - name: default
    require: [{group: sre, count: 2}]
    break_glass: {groups: [sre]}
"""


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    config = CONFIG.replace("  - name: default\n    require: [{group: sre, count: 2}]\n", GLASS)
    assert GLASS in config
    async with housed(tmp_path, config) as built:
        yield built


async def ended(house: House, who: str, body: dict[str, Any]) -> str:
    """The id of a request that ran without waiting for anybody."""
    made = (
        await house.ask(who, "POST", "/v1/approvals", {"action": "greet", "params": {"name": "bob"}, **body})
    ).json()
    for _ in range(20):
        seen = (await house.ask("ana", "GET", f"/v1/approvals/{made['id']}/wait?until=final&timeout=2")).json()
        if seen["state"] == "COMPLETED":
            return str(made["id"])
    raise AssertionError(seen)


async def granted(house: House, times: int = 2) -> str:
    """The id of a request on which Ana and Bo chose a grant."""
    seen = await house.review("cai")
    for who in ("ana", "bo"):
        body = {"approval": seen["id"], "digest": seen["digest"], "seconds": "30m", "times": times}
        assert (await house.ask(who, "POST", "/v1/grants", body)).status_code in (201, 202)
    return str(seen["id"])


async def receipt_of(house: House, name: str) -> tuple[dict[str, Any], VerifierKey]:
    answer = await house.ask("ana", "GET", f"/v1/approvals/{name}/receipt")
    assert answer.status_code == 200, answer.text
    return answer.json(), VerifierKey.parse((await house.ask("ana", "GET", "/v1/audit/key")).text.strip())


async def test_a_use_of_a_grant_says_who_chose_it_on_what_and_which_use_it_was(house: House) -> None:
    origin = await granted(house)
    await ended(house, "cai", {"reason": "first"})
    name = await ended(house, "cai", {"reason": "again"})
    receipt, key = await receipt_of(house, name)
    found = verify(receipt, [key])
    assert (found.ground, found.used and (found.used.grant, found.used.chosen_on)) == ("grant", ("G1", origin))
    assert found.used is not None
    assert (found.used.number, found.used.times) == (2, 2)
    assert [each.by for each in found.decisions] == ["ana", "bo"]
    assert f"grant    G1, use 2 of 2, chosen by them on {origin}" in "\n".join(lines(found))
    assert [run.ended for run in found.runs] == ["finished"]
    first, _ = await receipt_of(house, origin)
    assert "grant" not in first
    assert verify(first, [key]).used is None


async def test_what_people_decided_beside_a_grant_is_no_use_of_it(house: House) -> None:
    await granted(house)
    seen = await house.review("cai", name="eve")
    for who in ("ana", "bo"):
        await house.ask(who, "POST", f"/v1/approvals/{seen['id']}/approve", {"digest": seen["digest"]})
    receipt, key = await receipt_of(house, seen["id"])
    assert verify(receipt, [key]).ground == "policy"


async def test_whatever_is_cut_from_a_grant_proves_nothing(house: House) -> None:
    origin = await granted(house)
    name = await ended(house, "cai", {"reason": "again"})
    receipt, key = await receipt_of(house, name)
    other, _ = await receipt_of(house, origin)
    assert verify(receipt, [key])
    for spoilt in spoilt_ones(receipt, other):
        with pytest.raises(Invalid):
            verify(spoilt, [key])


def spoilt_ones(receipt: dict[str, Any], other: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The receipt without its grant, without parts of it, with parts of another, and under another's names."""
    yield {key: value for key, value in receipt.items() if key != "grant"}
    yield {**other, "grant": receipt["grant"]}
    yield {**receipt, "grant": None}
    for part, given in receipt["grant"].items():
        for value in (None, [], "A9", given[1:], given[:-1], given[::-1]):
            if value != given:
                spoilt = copy.deepcopy(receipt)
                spoilt["grant"][part] = value
                yield spoilt
    for part in ("entries", "chosen"):
        for at in range(len(receipt["grant"][part])):
            spoilt = copy.deepcopy(receipt)
            del spoilt["grant"][part][at]
            yield spoilt
            spoilt = copy.deepcopy(receipt)
            spoilt["grant"][part][at]["entry"] = spoilt["grant"][part][at]["entry"].replace("30", "90", 1) + " "
            yield spoilt


async def test_break_glass_says_that_nobody_was_asked_and_what_the_review_said(house: House) -> None:
    name = await ended(house, "ana", {"reason": "it burns", "break_glass": True})
    receipt, key = await receipt_of(house, name)
    found = verify(receipt, [key])
    assert (found.ground, found.requester, found.decisions, found.review) == ("glass", "ana", (), None)
    told = "\n".join(lines(found))
    assert "NOBODY: ana ran it by break-glass" in told
    assert "review   not given before this checkpoint" in told
    body = {"verdict": "objected", "comment": "it could wait"}
    assert (await house.ask("bo", "POST", f"/v1/approvals/{name}/review", body)).status_code == 200
    receipt, _ = await receipt_of(house, name)
    found = verify(receipt, [key])
    assert found.review is not None
    assert (found.review.by, found.review.verdict, found.decisions) == ("bo", "objected", ())
    assert "review   objected, by bo in http" in "\n".join(lines(found))


async def test_break_glass_is_only_where_the_bound_policy_says_so(house: House) -> None:
    name = await ended(house, "ana", {"reason": "it burns", "break_glass": True})
    receipt, key = await receipt_of(house, name)
    spoilt = copy.deepcopy(receipt)
    spoilt["bound"]["policy"]["definition"] = spoilt["bound"]["policy"]["definition"].replace("sre", "dba")
    with pytest.raises(Invalid):
        verify(spoilt, [key])


@pytest.mark.parametrize(
    ("event", "ground", "why"),
    [
        ("approval:approved", {"by": "bo"}, "lets nobody, or somebody else did"),
        ("approval:approved", {"member": ["dba"]}, "does not say that ana may break the glass"),
        ("approval:approved", {"member": "sre"}, "does not say that ana may break the glass"),
        ("apply:started", {"member": []}, "does not say that ana may break the glass"),
        ("apply:started", {"kind": "policy"}, "too few votes"),
        ("apply:started", {"kind": "grant"}, "a grant that is not in the receipt"),
    ],
)
def test_a_ground_that_does_not_hold_proves_nothing(
    tmp_path: Path, event: str, ground: dict[str, Any], why: str
) -> None:
    rule = Policy(name="p", require=(Requirement(group="sre", count=2),), break_glass=BreakGlass(groups=("sre",)))
    said = json.loads(definition(rule)) | {"break_glass": {"groups": ["sre"]}}
    people = [person(name, "sre") for name in ("ana", "bo", "cai")]
    court = Court(tmp_path, people, replace(rule, canonical=canonical(said).decode()))
    number = court.review("ana", glass=True)
    court.start(number)
    history = History(court, number)
    court.close()
    assert verify(history.receipt(), [history.key]).ground == "glass"
    history.rewrite(event, lambda details: details["ground"].update(ground))
    with pytest.raises(Invalid, match=why):
        verify(history.receipt(), [history.key])
