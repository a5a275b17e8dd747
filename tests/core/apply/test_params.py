import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.apply.action import Action, CommandSpec, Param
from core.apply.params import MAX_INTEGER, bind
from core.errors import Invalid, TooLarge

DEPLOY = (
    Param(name="service", pattern="^[a-z][a-z0-9-]{1,40}$"),
    Param(name="env", enum=("staging", "prod")),
    Param(name="count", type="integer", required=False, minimum=1, maximum=9),
)


def action(*params: Param) -> Action:
    return Action(name="deploy", title="Deploy", params=params, apply=CommandSpec(argv=("./deploy",)))


def refused(code: str, given: dict[str, Any], *params: Param) -> Invalid:
    with pytest.raises(Invalid) as caught:
        bind(action(*params), given)
    assert caught.value.code == code
    return caught.value


def bound(value: Any, param: Param) -> Any:
    return bind(action(param), {param.name: value}).values[param.name]


def test_text_becomes_the_declared_types_and_defaults_fill_the_rest() -> None:
    params = (
        Param(name="service"),
        Param(name="count", type="integer"),
        Param(name="ratio", type="number"),
        Param(name="dry", type="boolean"),
        Param(name="tag", required=False, default="latest"),
        Param(name="note", required=False),
    )

    values = bind(action(*params), {"service": "web", "count": "3", "ratio": "0.50", "dry": "true"}).values

    assert values == {"service": "web", "count": 3, "ratio": "0.5", "dry": True, "tag": "latest"}


def test_typed_json_values_give_the_same_as_their_text() -> None:
    assert bound(3, Param(name="n", type="integer")) == bound("3", Param(name="n", type="integer"))
    assert bound(0.1, Param(name="n", type="number")) == bound("0.10", Param(name="n", type="number")) == "0.1"
    assert bound(1e3, Param(name="n", type="number")) == "1000"
    assert bound(False, Param(name="n", type="boolean")) is False


def test_an_unknown_parameter_is_refused_with_the_likely_name() -> None:
    error = refused("unknown_parameter", {"servce": "web", "env": "prod"}, *DEPLOY)

    assert "service" in error.message


def test_every_missing_parameter_is_named_at_once() -> None:
    error = refused("missing_parameter", {}, *DEPLOY)

    assert error.data["missing"] == ["service", "env"]


def test_null_is_the_same_as_not_given() -> None:
    refused("missing_parameter", {"service": None, "env": "prod"}, *DEPLOY)


@pytest.mark.parametrize(
    ("type", "value"),
    [
        ("string", 3),
        ("string", ["a"]),
        ("integer", "3.0"),
        ("integer", 3.0),
        ("integer", True),
        ("integer", "٣"),
        ("integer", " 3"),
        ("integer", "1_000"),
        ("number", "1e9"),
        ("number", "NaN"),
        ("number", float("inf")),
        ("number", True),
        ("boolean", "yes"),
        ("boolean", "True"),
        ("boolean", 1),
        ("boolean", {"a": 1}),
    ],
)
def test_a_value_of_another_type_is_refused(type: Any, value: Any) -> None:
    refused("wrong_type", {"x": value}, Param(name="x", type=type))


@pytest.mark.parametrize("value", [0, 10, "10", -1])
def test_a_number_outside_its_range_is_refused(value: Any) -> None:
    refused("out_of_range", {"x": value}, Param(name="x", type="integer", minimum=1, maximum=9))


def test_an_integer_that_json_would_round_is_refused() -> None:
    assert bound(MAX_INTEGER, Param(name="x", type="integer")) == MAX_INTEGER
    refused("out_of_range", {"x": MAX_INTEGER + 1}, Param(name="x", type="integer"))


def test_a_value_that_is_no_choice_is_refused_with_the_choices() -> None:
    assert "staging, prod" in refused("not_a_choice", {"service": "web", "env": "qa"}, *DEPLOY).message


def test_choices_of_numbers_compare_by_value() -> None:
    param = Param(name="x", type="number", enum=(0.5, 1))

    assert bound("0.50", param) == "0.5"
    assert bound("1.0", param) == "1"
    refused("not_a_choice", {"x": "2"}, param)


@pytest.mark.parametrize("value", ["Web", "web\n", "x" * 60, "web; rm -rf", "w"])
def test_a_pattern_must_match_the_whole_value(value: str) -> None:
    with pytest.raises(Invalid):
        bind(action(*DEPLOY), {"service": value, "env": "prod"})


def test_an_unanchored_pattern_still_matches_the_whole_value() -> None:
    refused("pattern_mismatch", {"x": "abc1"}, Param(name="x", pattern="a|[a-z]+"))
    assert bound("abc", Param(name="x", pattern="a|[a-z]+")) == "abc"


def test_a_catastrophic_pattern_is_decided_at_once() -> None:
    begun = time.process_time()
    refused("pattern_mismatch", {"x": "a" * 1000 + "b"}, Param(name="x", pattern="(a+)+$"))

    assert time.process_time() - begun < 1


@pytest.mark.parametrize("value", ["-rf", "--force", "-"])
def test_a_value_that_a_command_could_take_for_an_option_is_refused(value: str) -> None:
    refused("leading_dash", {"x": value}, Param(name="x"))
    assert bound(value, Param(name="x", leading_dash=True)) == value


def test_a_negative_number_needs_a_declared_minimum() -> None:
    refused("leading_dash", {"x": "-3"}, Param(name="x", type="integer"))
    assert bound("-3", Param(name="x", type="integer", minimum=-5)) == -3


def test_invisible_characters_are_refused_and_named() -> None:
    error = refused("invalid_characters", {"x": "pro\u200bd"}, Param(name="x"))

    assert error.data["code_point"] == "U+200B"
    assert error.data["param"] == "x"
    assert bound("a\nb", Param(name="x", multiline=True)) == "a\nb"
    refused("invalid_characters", {"x": "a\nb"}, Param(name="x"))


def test_empty_text_is_refused_unless_the_pattern_wants_it() -> None:
    refused("empty_parameter", {"x": ""}, Param(name="x"))
    assert bound("", Param(name="x", pattern="[a-z]*")) == ""


def test_long_values_and_large_requests_are_refused() -> None:
    refused("too_long", {"x": "a" * 1025}, Param(name="x"))
    many = tuple(Param(name=f"p{n}", max_length=8000) for n in range(3))
    with pytest.raises(TooLarge) as caught:
        bind(action(*many), {param.name: "é" * 3000 for param in many})
    assert caught.value.code == "params_too_large"


def test_secrets_are_kept_apart_and_never_shown() -> None:
    params = (Param(name="service"), Param(name="token", secret=True))

    both = bind(action(*params), {"service": "web", "token": "hunter2"})

    assert both.values == {"service": "web"}
    assert both.secrets == {"token": "hunter2"}
    assert "hunter2" not in repr(both)


def test_a_refused_secret_is_not_in_the_message() -> None:
    for param in (Param(name="t", secret=True, pattern="[0-9]+"), Param(name="t", secret=True, enum=("a",))):
        with pytest.raises(Invalid) as caught:
            bind(action(param), {"t": "hunter2"})
        assert "hunter2" not in str(caught.value) + repr(caught.value.data)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=6))
def test_a_number_keeps_its_exact_value(number: Decimal) -> None:
    param = Param(name="x", type="number", minimum=-1e10)

    text = bound(f"{number:f}", param)

    assert Decimal(text) == number
    assert bound(text, param) == text


@given(
    st.dictionaries(
        st.text(max_size=8), st.one_of(st.none(), st.text(), st.integers(), st.floats(), st.lists(st.text()))
    )
)
def test_whatever_is_sent_is_bound_or_refused_with_a_code(given: dict[str, Any]) -> None:
    try:
        values = bind(action(*DEPLOY), given).values
    except Invalid as refusal:
        assert refusal.code
    else:
        assert set(values) <= {"service", "env", "count"}
