from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core.apply.action import Action, CommandSpec, Param
from core.errors import Refusal
from core.people.assurance import Assurance
from core.people.directory import Kind, Principal
from core.policy.choose import choose
from core.policy.context import NAMES, Context
from core.policy.policy import Policy, Requirement

ANA = Principal(id="ana", kind=Kind.PERSON, name="Ana Ruiz", groups=frozenset({"sre"}))
BOT = Principal(id="bot", kind=Kind.AGENT, name="bot", owners=frozenset({"ana"}))
DEPLOY = Action(
    name="deploy",
    title="Deploy",
    params=(Param(name="env"), Param(name="ratio", type="number")),
    apply=CommandSpec(argv=("x",)),
)
ASK = (Requirement(group="sre"),)


def context(
    requester: Principal = ANA, now: datetime = datetime(2026, 7, 1, 21, 30, tzinfo=UTC), **values: Any
) -> Context:
    return Context.of(
        DEPLOY,
        values or {"env": "prod", "ratio": "0.5"},
        requester=requester,
        channel="http",
        assurance=Assurance.CHAT,
        resources=("env:prod",),
        now=now,
    )


def policies(*whens: str | None) -> tuple[Policy, ...]:
    return tuple(Policy(name=f"p{at}", when=when, require=ASK) for at, when in enumerate(whens, start=1))


def test_the_first_policy_whose_condition_is_true_is_in_force() -> None:
    rules = policies('params.env == "staging"', 'action == "deploy"', "true", None)

    assert choose(rules, context()).name == "p2"


def test_a_policy_without_condition_covers_everything() -> None:
    assert choose(policies("false", None), context()).name == "p2"


def test_an_error_refuses_instead_of_falling_through_to_a_weaker_policy() -> None:
    rules = (*policies('params.region == "eu"'), Policy(name="open", allow=True))

    with pytest.raises(Refusal) as refused:
        choose(rules, context())

    assert refused.value.code == "policy_error"
    assert refused.value.data["policy"] == "p1"


def test_an_error_behind_the_policy_in_force_does_not_matter() -> None:
    assert choose(policies("true", "params.region == 1"), context()).name == "p1"


def test_a_broken_expression_refuses_too() -> None:
    for broken in ("1 +", "nobody == 1", '"text"'):
        with pytest.raises(Refusal) as refused:
            choose(policies(broken, None), context())
        assert refused.value.code == "policy_error"


def test_without_any_matching_policy_the_request_is_refused() -> None:
    for rules in ((), policies("false")):
        with pytest.raises(Refusal) as refused:
            choose(rules, context())
        assert refused.value.code == "no_policy"


def test_expressions_see_exactly_the_documented_names() -> None:
    seen = context(requester=BOT).variables()

    assert seen.keys() == NAMES
    assert seen["requester"] == {"name": "bot", "kind": "agent", "groups": [], "owners": ["ana"]}
    assert seen["assurance"] == "chat"


def test_a_number_parameter_compares_as_a_number() -> None:
    assert choose(policies("params.ratio < 0.75", None), context()).name == "p1"


@pytest.mark.parametrize(
    ("zone", "hour"), [(UTC, 21), (ZoneInfo("Europe/Madrid"), 23), (timezone(timedelta(hours=-5)), 16)]
)
def test_now_counts_hours_in_the_zone_that_the_caller_gives(zone: Any, hour: int) -> None:
    moment = datetime(2026, 7, 1, 21, 30, tzinfo=UTC).astimezone(zone)
    rules = policies(f'now.getHours() == {hour} && now > timestamp("2026-07-01T21:29:00Z")', None)

    assert choose(rules, context(now=moment)).name == "p1"
