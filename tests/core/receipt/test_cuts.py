"""Whatever is cut out of a receipt, put in, changed or moved, it never says more than the log does."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from court import Court, person
from history import History, definition
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.approvals.approval import find
from core.approvals.request import withdraw
from core.audit.canonical import canonical
from core.errors import Conflict, Forbidden, Invalid
from core.people.assurance import Assurance
from core.policy.policy import Policy, Requirement
from core.receipt.conclusion import Conclusion
from core.receipt.receipt import verify
from core.store.migrate import migrate

GROUPS = {"ana": ("x",), "bo": ("x", "y"), "cai": ("y", "v"), "dee": ("x",), "eve": ("x", "y", "v")}
SEATS = (
    (Requirement(group="x"),),
    (Requirement(group="x", count=2), Requirement(group="y")),
    (Requirement(person="ana"), Requirement(group="x")),
)
VERDICTS = ("approve", "approve", "approve", "reject")
moves = st.lists(
    st.tuples(st.sampled_from(["ana", "bo", "cai", "dee"]), st.sampled_from(VERDICTS)), min_size=1, max_size=7
)
policies = st.builds(
    lambda require, reject, veto, distinct: Policy(
        name="p", require=require, reject=reject, veto=veto, distinct_people=distinct
    ),
    st.sampled_from(SEATS),
    st.integers(1, 3),
    st.sampled_from([(), ("v",)]),
    st.sampled_from([None, 2, 3]),
)
ends = st.sampled_from(["", "start", "withdraw", ""])
few = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@cache
def _empty() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        migrate(Path(folder) / "hub.db")
        return (Path(folder) / "hub.db").read_bytes()


def told(policy: Policy, said: list[tuple[str, str]], end: str = "") -> tuple[History, str]:
    """What the engine recorded of those moves, and the state that they led to."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "hub.db").write_bytes(_empty())
        people = [person(name, *groups) for name, groups in GROUPS.items()]
        court = Court(Path(folder), people, replace(policy, canonical=definition(policy)))
        try:
            number = court.review("eve")
            for who, verdict in said:
                try:
                    court.decide(number, who, verdict)
                except (Conflict, Forbidden):
                    pass  # too late, or not theirs to say
            if end == "start" and court.state(number) == "APPROVED":
                court.start(number)
            if end == "withdraw" and court.state(number) in ("REVIEWING", "APPROVED"):
                court.write(lambda tx: withdraw(tx, find(tx, number), by=court.who("eve"), channel="test", reason=None))
            return History(court, number), court.state(number)
        finally:
            court.close()


def seated(policy: Policy, found: Conclusion) -> bool:
    """Whether those whom the receipt names fill the seats, found by trying every way of seating them."""
    people = [each.by for each in found.decisions]
    seats = [(each.group, each.person) for each in policy.require for _ in range(each.count)]
    fits = [[who for who in people if who == one or group in GROUPS[who]] for group, one in seats]
    return any(len(set(way)) == len(seats) for way in product(*fits)) and len(set(people)) >= (
        policy.distinct_people or 0
    )


@few
@given(policies, moves, ends)
def test_a_receipt_verifies_exactly_when_it_is_approved(policy: Policy, said: Any, end: str) -> None:
    history, state = told(policy, said, end)
    try:
        found = verify(history.receipt(), [history.key])
    except Invalid:
        assert state not in ("APPROVED", "APPLYING")
        return
    assert state in ("APPROVED", "APPLYING")
    assert seated(policy, found) or found.against


@few
@given(policies, moves, ends, st.data())
def test_entries_left_out_are_noticed(policy: Policy, said: Any, end: str, data: st.DataObject) -> None:
    history, _ = told(policy, said, end)
    kept = data.draw(st.lists(st.sampled_from(history.about), min_size=1, unique=True).map(sorted))
    if kept != history.about:
        with pytest.raises(Invalid):
            verify(history.receipt(kept), [history.key])


@few
@given(policies, moves, st.sampled_from(["", "start"]), st.data())
def test_no_vote_can_be_missing_even_where_the_statement_lies(
    policy: Policy, said: Any, end: str, data: st.DataObject
) -> None:
    """The count stands on its own: with a statement over the cut entries, what verifies still fills every seat."""
    history, _ = told(policy, said, end)
    kept = data.draw(st.lists(st.sampled_from(history.about), min_size=1, unique=True).map(sorted))
    try:
        found = verify(history.receipt(kept, stated=kept), [history.key])
    except Invalid:
        return
    assert seated(policy, found) or found.against
    assert len(found.against) < policy.reject


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_receipt_without_a_vote_says_which_is_missing(at: int) -> None:
    policy = Policy(name="p", require=(Requirement(group="x", count=2), Requirement(group="y")))
    history, _ = told(policy, [("ana", "approve"), ("bo", "approve"), ("dee", "approve")])
    decided = [seq for seq in history.about if history.entries[seq - 1].event == "approval:decided"]
    kept = [seq for seq in history.about if seq != decided[at]]
    with pytest.raises(Invalid, match=rf"{('ana', 'bo', 'dee')[at]} said approve, and no entry"):
        verify(history.receipt(kept, stated=kept), [history.key])
    without = [seq for seq in history.about if seq not in decided]
    with pytest.raises(Invalid, match="no entry of the receipt says so"):
        verify(history.receipt(without, stated=without), [history.key])


def test_a_rejection_that_stood_cannot_be_left_out() -> None:
    policy = Policy(name="p", require=(Requirement(group="x", count=2),), reject=2)
    history, state = told(policy, [("ana", "approve"), ("dee", "reject"), ("bo", "approve")])
    assert state == "APPROVED"
    assert [each.by for each in verify(history.receipt(), [history.key]).against] == ["dee"]
    kept = [seq for seq in history.about if history.entries[seq - 1].actor != "dee"]
    with pytest.raises(Invalid, match="dee said reject"):
        verify(history.receipt(kept, stated=kept), [history.key])


def test_what_was_approved_and_then_taken_back_does_not_verify() -> None:
    policy = Policy(name="p", require=(Requirement(group="x"),))
    for said, end, why in (
        ([("ana", "approve"), ("dee", "reject")], "", "rejected"),
        ([("ana", "approve")], "withdraw", "withdrawn"),
    ):
        history, _ = told(policy, said, end)
        with pytest.raises(Invalid, match=f"was approved, and then {why}"):
            verify(history.receipt(), [history.key])
        early = [seq for seq in history.about if "approved" not in history.entries[seq - 1].event][:-1]
        with pytest.raises(Invalid, match="taken out"):
            verify(history.receipt(early), [history.key])


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"ground": None}, "does not say whose votes were counted"),
        ({"ground": {"kind": "friendship"}}, "ground 'friendship', which this version cannot check"),
        ({"ground": {"votes": []}}, "does not count what ana said"),
        ({"ground": {"votes": [{"by": "ana", "verdict": "approve"}]}}, "does not count what bo said"),
        ({"ground": {"votes": [{"by": "ana", "verdict": "reject"}, {"by": "bo", "verdict": "approve"}]}}, "no entry"),
        ({"ground": {"votes": 2 * [{"by": "ana", "verdict": "approve"}]}}, "twice"),
        ({"ground": {"votes": [{"by": 1}]}}, "no vote"),
        ({"ground": {"votes": "ana"}}, "does not list the votes"),
        ({"ground": {"groups": {"ana": ["x"]}}}, "1 of x missing"),
        ({"ground": {"groups": {"ana": ["x"], "bo": "x"}}}, "in which groups bo was"),
        ({"ground": {"groups": []}}, "who could take part"),
        ({"ground": {"barred": ["eve", "bo"]}}, "1 of x missing"),
        ({"ground": {"barred": []}}, "who could take part"),
    ],
)
def test_a_ground_that_does_not_hold_proves_nothing(change: dict[str, Any], why: str) -> None:
    policy = Policy(name="p", require=(Requirement(group="x", count=2),))
    history, _ = told(policy, [("ana", "approve"), ("bo", "approve")])

    def edit(details: dict[str, Any]) -> None:
        ground = change["ground"]
        details["ground"] = ground and ({} if "kind" in ground else details["ground"]) | ground

    history.rewrite("approval:approved", edit)
    with pytest.raises(Invalid, match=why):
        verify(history.receipt(), [history.key])


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (lambda details: details.update(assurance="email"), "proved as email where chat is needed"),
        (lambda details: details.update(assurance="sworn"), "no assurance"),
        (lambda details: details.update(verdict="reject"), "no entry of the receipt says so"),
        (lambda details: details.update(digest="0" * 64), "no entry of the receipt says so"),
    ],
)
def test_a_decision_that_says_something_else_is_not_counted(edit: Callable[[Any], None], why: str) -> None:
    history, _ = told(Policy(name="p", require=(Requirement(group="x"),)), [("ana", "approve")])
    history.rewrite("approval:decided", edit)
    with pytest.raises(Invalid, match=why):
        verify(history.receipt(), [history.key])


def test_a_policy_rule_that_is_not_known_proves_nothing() -> None:
    policy = Policy(name="p", require=(Requirement(group="x"),), min_assurance=Assurance.EMAIL)
    said = canonical(json.loads(definition(policy)) | {"seances": 2}).decode()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "hub.db").write_bytes(_empty())
        court = Court(Path(folder), [person(n, *g) for n, g in GROUPS.items()], replace(policy, canonical=said))
        number = court.review("eve")
        court.decide(number, "ana")
        history = History(court, number)
        court.close()
    with pytest.raises(Invalid, match="'seances', which this version cannot count"):
        verify(history.receipt(), [history.key])


@cache
def _good() -> tuple[History, str]:
    policy = Policy(name="p", require=(Requirement(group="x", count=2),), reject=2)
    history, _ = told(policy, [("ana", "approve"), ("dee", "reject"), ("bo", "approve")], "start")
    return history, repr(verify(history.receipt(), [history.key]))


def _places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield way
    for key, each in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from _places(each, (*way, key))


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_any_part_removed_changed_moved_or_doubled_proves_nothing_more(data: st.DataObject) -> None:
    history, said = _good()
    receipt = history.receipt()
    place = data.draw(st.sampled_from(list(_places(receipt))[1:]))
    spoilt = copy.deepcopy(receipt)
    target: Any = spoilt
    for step in place[:-1]:
        target = target[step]
    last = place[-1]
    match data.draw(st.sampled_from(["remove", "change", "double", "move"])):
        case "remove":
            del target[last]
        case "double" if isinstance(target, list):
            target.insert(data.draw(st.integers(0, len(target))), copy.deepcopy(target[last]))
        case "move" if isinstance(target, list):
            target.insert(data.draw(st.integers(0, len(target))), target.pop(last))
        case _:
            target[last] = data.draw(junk)
    try:
        found = verify(spoilt, [history.key])
    except Invalid:
        return
    assert repr(found) == said


@given(junk)
def test_what_is_no_receipt_at_all_proves_nothing(value: Any) -> None:
    with pytest.raises(Invalid):
        verify(value, [])
