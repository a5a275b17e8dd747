"""Canonical JSON: one value, one sequence of bytes, and nothing that has two."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import Enum, StrEnum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.audit.canonical import canonical, parse
from core.errors import Invalid

KEYS = st.text(st.characters(codec="ascii"), max_size=8)
SCALARS = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=20)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4))


class State(StrEnum):
    REVIEWING = "REVIEWING"


class Hidden(Enum):
    ONE = 1


@given(VALUES)
def test_a_value_survives_the_way_there_and_back(value: Any) -> None:
    assert parse(canonical(value)) == value


@given(VALUES)
def test_the_bytes_are_those_of_an_independent_writer_with_sorted_keys(value: Any) -> None:
    independent = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert canonical(value) == independent.encode()


@given(st.dictionaries(KEYS, SCALARS, min_size=2))
def test_the_order_in_which_keys_were_given_does_not_show(value: dict[str, Any]) -> None:
    assert canonical(dict(reversed(value.items()))) == canonical(value)


def test_text_is_escaped_as_rfc_8785_says() -> None:
    assert (
        canonical('\x00\b\t\n\f\r\x1f"\\/é\u2028\x7f') == '"\\u0000\\b\\t\\n\\f\\r\\u001f\\"\\\\/é\u2028\x7f"'.encode()
    )


def test_text_keeps_the_composition_that_it_was_given() -> None:
    assert canonical("e\u0301") != canonical("\u00e9")


def test_an_enum_of_text_and_a_tuple_are_written_as_what_they_are() -> None:
    assert canonical({"state": State.REVIEWING, "of": (1, 2)}) == b'{"of":[1,2],"state":"REVIEWING"}'


@pytest.mark.parametrize(
    "value",
    [
        1.0,
        {"a": [0.5]},
        float("nan"),
        2**53,
        {"a": -(2**53)},
        "\ud800",
        {"\ud800": 1},
        {"é": 1},
        {1: 2},
        {"a": b"bytes"},
        {"at": datetime(2026, 1, 1, tzinfo=UTC)},
        {"id": UUID(int=1)},
        Hidden.ONE,
        {"a": {1, 2}},
        object(),
    ],
)
def test_what_json_has_no_single_form_for_is_refused(value: object) -> None:
    with pytest.raises(Invalid) as caught:
        canonical(value)
    assert caught.value.code == "not_canonical"


def test_endless_nesting_is_refused_without_exhausting_the_stack() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(Invalid):
        canonical(value)
    with pytest.raises(Invalid):
        parse(b"[" * 100_000 + b"]" * 100_000)
    with pytest.raises(Invalid):
        parse(b"[" * 500 + b"]" * 500)


@pytest.mark.parametrize(
    "data",
    [
        b'{"b":1,"a":2}',
        b'{"a":1,"a":1}',
        b'{"a": 1}',
        b'{"a":1}\n',
        b'{"a":-0}',
        b'{"a":1.0}',
        b'{"a":1e2}',
        b'{"a":9007199254740993}',
        b'{"a":123456789012345678901234567890}',
        b'"\\u00e9"',
        b'"\\/"',
        b'"\\u000A"',
        b'"\\u000a"',
        b'"\\ud800"',
        b"\xef\xbb\xbf1",
        b'"\xff"',
        b"NaN",
        b"",
        b"{",
    ],
)
def test_bytes_that_read_alike_but_are_not_the_canonical_ones_are_refused(data: bytes) -> None:
    with pytest.raises(Invalid) as caught:
        parse(data)
    assert caught.value.code == "not_canonical"
