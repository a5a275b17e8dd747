"""Frames of clients: what each means, and that nothing else means anything."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.websocket.parse import (
    MOST_BYTES,
    BadFrame,
    CommandFrame,
    PingFrame,
    PressFrame,
    SubscribeFrame,
    frame_of,
)
from core.errors import TooLarge


def test_each_type_of_frame_is_read() -> None:
    assert frame_of('{"type": "command", "id": "c1", "text": "status"}') == CommandFrame(
        id="c1", text="status", key=None
    )
    assert frame_of('{"type": "press", "id": 7, "token": "t", "comment": "ok"}') == PressFrame(
        id=7, token="t", comment="ok", confirm=None
    )
    assert frame_of('{"type": "press", "token": "t", "confirm": "A1"}') == PressFrame(
        id=None, token="t", comment=None, confirm="A1"
    )
    assert frame_of('{"type": "subscribe", "after": 4, "events": ["approval:approved"]}') == SubscribeFrame(
        after=4, events=frozenset({"approval:approved"}), cards="live"
    )
    assert frame_of('{"type": "ping"}') == PingFrame()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "null",
        "[]",
        '"command"',
        "{",
        "{}",
        '{"type": 1}',
        '{"type": "decide"}',
        '{"type": "command", "id": 1}',
        '{"type": "command", "id": 1, "text": 3}',
        '{"type": "command", "id": 1, "text": null}',
        '{"type": "command", "id": {}, "text": "x"}',
        '{"type": "command", "id": 1.5, "text": "x"}',
        '{"type": "command", "id": true, "text": "x"}',
        '{"type": "command", "id": 99999999999999999999999999, "text": "x"}',
        '{"type": "command", "id": "' + "i" * 200 + '", "text": "x"}',
        '{"type": "command", "id": 1, "text": "x", "key": ""}',
        '{"type": "command", "id": 1, "text": "x", "key": 4}',
        '{"type": "press", "id": 1, "token": 5}',
        '{"type": "press", "id": 1, "token": "t", "comment": ["x"]}',
        '{"type": "subscribe", "after": -1}',
        '{"type": "subscribe", "after": 1e3}',
        '{"type": "subscribe", "after": true}',
        '{"type": "subscribe", "after": "4"}',
        '{"type": "subscribe", "events": "approval:approved"}',
        '{"type": "subscribe", "events": [1]}',
        '{"type": "subscribe", "cards": "all"}',
        '{"type": "watch"}',
        '{"type": "watch", "run": 9}',
        '{"type": "watch", "run": "R9", "offset": -1}',
        '{"type": "watch", "run": "R9", "offset": "0"}',
        '{"type": "watch", "run": "R9", "offset": true}',
        '{"type": "watch", "run": "' + "R" * 200 + '"}',
        '{"type": "unwatch"}',
        '{"type": "command", "id": 1, "text": "\\ud800"}',
        "[" * 5000,
        '{"a":' * 2000,
        '{"type": "ping"}\x00',
        '{"type": "command", "id": NaN, "text": "x"}',
    ],
)
def test_a_bad_frame_is_refused_as_such(text: str) -> None:
    with pytest.raises(BadFrame) as bad:
        frame_of(text)
    assert bad.value.code == "bad_frame"


def test_a_bad_frame_names_itself_where_it_can_be_read() -> None:
    with pytest.raises(BadFrame) as bad:
        frame_of('{"type": "command", "id": "c9"}')
    assert bad.value.id == "c9"


def test_a_frame_past_the_bound_is_too_large_also_when_its_characters_are_wide() -> None:
    with pytest.raises(TooLarge):
        frame_of('"' + "x" * MOST_BYTES + '"')
    with pytest.raises(TooLarge):
        frame_of('"' + "é" * (MOST_BYTES // 2) + '"')


def test_nul_and_zero_width_characters_are_handed_over_for_the_hub_to_refuse() -> None:
    frame = frame_of('{"type": "command", "id": 1, "text": "a\\u0000b\\u200bc"}')
    assert isinstance(frame, CommandFrame)
    assert frame.text == "a\x00b\u200bc"


def test_the_hash_is_that_of_the_text_and_only_with_a_key() -> None:
    one = frame_of('{"type": "command", "id": 1, "text": "a", "key": "k"}')
    two = frame_of('{"type": "command", "id": 2, "text": "b", "key": "k"}')
    bare = frame_of('{"type": "command", "id": 2, "text": "b"}')
    assert isinstance(one, CommandFrame) and isinstance(two, CommandFrame) and isinstance(bare, CommandFrame)
    assert one.body_hash != two.body_hash
    assert bare.body_hash == b""


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
keys = st.sampled_from(["type", "id", "text", "token", "comment", "after", "events", "cards", "key"])
kinds = st.sampled_from(["command", "press", "subscribe", "ping"])


@given(st.dictionaries(keys, json_values | kinds, max_size=6))
def test_no_object_does_anything_but_mean_something_or_be_refused(frame: dict[str, object]) -> None:
    try:
        text = orjson.dumps(frame).decode()
    except (TypeError, orjson.JSONEncodeError):
        return
    try:
        read = frame_of(text)
    except BadFrame:
        return
    assert isinstance(read, CommandFrame | PressFrame | SubscribeFrame | PingFrame)
