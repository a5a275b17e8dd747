"""The policy that a receipt is counted by is the one that the engine counted by."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.build import policy as built
from config.policy_schema import Policy as Written
from core.errors import Invalid
from core.receipt.terms import KNOWN, terms

COUNTED = ("name", "require", "allow", "distinct_people", "min_assurance", "confirm", "delegation", "reject", "veto")
names = st.sampled_from(["sre", "ops", "security"])
requirements = st.one_of(
    st.builds(lambda group, count: {"group": group, "count": count}, names, st.integers(1, 5)),
    st.builds(lambda person: {"person": person}, st.sampled_from(["ana", "bo"])),
)
written = st.fixed_dictionaries(
    {"name": st.just("p"), "require": st.lists(requirements, min_size=1, max_size=4)},
    optional={
        "distinct_people": st.integers(1, 5),
        "min_assurance": st.sampled_from(["email", "chat", "signed_in", "passkey"]),
        "confirm": st.sampled_from(["press", "typed"]),
        "delegation": st.sampled_from(["any", "members", "none"]),
        "reject": st.integers(1, 4),
        "veto": st.lists(names, max_size=2),
        "remind": st.just("30m"),
        "ask": st.just(["mail"]),
        "escalate": st.just([{"after": "1h", "to": "sre"}]),
        "hours": st.just({"from": "08:00"}),
    },
)


@given(written | st.just({"name": "free", "allow": True}))
def test_what_is_read_back_is_what_was_counted(rule: dict[str, object]) -> None:
    policy = built(Written.model_validate(rule), "UTC")
    found, visible_to = terms({"policy": {"definition": policy.canonical}, "definition": '{"name":"work"}'})
    assert [getattr(found, each) for each in COUNTED] == [getattr(policy, each) for each in COUNTED]
    assert visible_to == frozenset()


def test_the_seats_that_an_action_adds_are_counted_and_nothing_with_seats_is_simply_allowed() -> None:
    policy = built(Written.model_validate({"name": "free", "allow": True}), "UTC")
    action = '{"name":"work","reviewers":[{"person":"ana"}],"visible_to":["sre"]}'
    found, visible_to = terms({"policy": {"definition": policy.canonical}, "definition": action})
    assert (found.allow, [each.person for each in found.require], visible_to) == (False, ["ana"], frozenset({"sre"}))


def test_every_rule_that_hub_yaml_knows_was_thought_about() -> None:
    fields = {field.alias or name for name, field in Written.model_fields.items()}
    assert fields == KNOWN


@pytest.mark.parametrize(
    "rule",
    [
        "null",
        "[]",
        '{"require":[]}',
        '{"name":"p","require":[{"group":"x","person":"y"}]}',
        '{"name":"p","require":[{"count":0,"group":"x"}]}',
        '{"name":"p","require":[{"count":true,"group":"x"}]}',
        '{"name":"p","require":[{"group":["x"]}]}',
        '{"name":"p","require":7}',
        '{"name":"p","reject":0}',
        '{"min_assurance":"sworn","name":"p"}',
        '{"delegation":[],"name":"p"}',
        '{"name":"p","veto":[1]}',
    ],
)
def test_a_definition_that_is_none_is_refused(rule: str) -> None:
    with pytest.raises(Invalid):
        terms({"policy": {"definition": rule}, "definition": '{"name":"work"}'})
