"""Output stays bounded, readable and free of secrets, however it is cut into chunks."""

from __future__ import annotations

import hashlib
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.apply.output import REDACTED, Capture, Redaction

SECRETS = ("abcabc", "abcabcdef", "cdefgh", "aaaaaa")


@given(
    st.lists(st.sampled_from([*SECRETS, "a", "b", "abc", "def", "gh", "z"]), max_size=12),
    st.lists(st.integers(1, 9), max_size=40),
)
def test_no_cut_lets_a_secret_through(parts: list[str], cuts: list[int]) -> None:
    stream = "".join(parts).encode()
    whole = Redaction(SECRETS)
    at_once = whole.feed(stream) + whole.end()
    redaction = Redaction(SECRETS)
    shown, at = b"", 0
    for cut in cuts:
        shown += redaction.feed(stream[at : at + cut])
        at += cut
    shown += redaction.feed(stream[at:]) + redaction.end()
    for result in (at_once, shown):
        assert not [secret for secret in SECRETS if secret.encode() in result]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_a_secret_is_replaced_wherever_it_is_cut(size: int) -> None:
    stream = "x hunter22 y hunter2 hunter22hunter22 ü hunter".encode()
    redaction = Redaction(["hunter22"])
    shown = b"".join(redaction.feed(stream[at : at + size]) for at in range(0, len(stream), size)) + redaction.end()
    assert shown.decode() == f"x {REDACTED} y hunter2 {REDACTED}{REDACTED} ü hunter"


def test_a_secret_that_begins_another_does_not_give_the_rest_away() -> None:
    redaction = Redaction(["secret1", "secret12"])
    assert redaction.feed(b"a secret1") == b"a "
    assert redaction.feed(b"2 b") + redaction.end() == f"{REDACTED} b".encode()


def test_what_cannot_become_a_secret_is_shown_at_once() -> None:
    assert Redaction(["hunter22"]).feed(b"password? ") == b"password? "


def test_short_values_are_left_alone() -> None:
    redaction = Redaction(["prod", ""])
    assert redaction.feed(b"prod") + redaction.end() == b"prod"


@pytest.mark.parametrize("secret", ["x" * 16_000, "x" * 15_999 + "y", "xy" * 8_000])
def test_a_flood_that_looks_like_the_secret_is_not_slow(secret: str) -> None:
    redaction = Redaction([secret])
    began = time.monotonic()
    for _ in range(100):
        redaction.feed(b"x" * 65_536)
    assert time.monotonic() - began < 10


def test_secrets_that_overlap_across_a_cut_go_as_one() -> None:
    redaction = Redaction(["abcdef", "efghij"])
    shown = redaction.feed(b"x abcdef") + redaction.feed(b"ghij y") + redaction.end()
    assert shown.decode() == f"x {REDACTED} y"


def test_a_chain_of_overlapping_secrets_is_not_held_for_ever() -> None:
    redaction = Redaction(["abcdef", "defabc"])
    tracemalloc.start()
    shown = [redaction.feed(b"abcdef" * 1000) for _ in range(500)]
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert all(part for part in shown)
    assert held < 300_000


def test_the_hash_covers_what_was_left_out_and_no_secret() -> None:
    capture = Capture(limit=10, secrets=["hunter22"])
    capture.feed(b"0123456789 hunter22")
    capture.end()
    assert capture.truncated_bytes == 12  # no half of a character is kept
    assert capture.sha256 == hashlib.sha256(f"0123456789 {REDACTED}".encode()).hexdigest()


def test_a_gap_says_how_much_is_missing() -> None:
    capture = Capture(limit=4)
    capture.feed(b"abcdefgh")
    capture.end()
    assert capture.text() == "ab\n[4 bytes left out]\ngh"


def test_undecodable_bytes_and_nul_are_readable() -> None:
    capture = Capture()
    capture.feed(b"a\x00\xff\xc3\xa9")
    capture.end()
    assert capture.text() == "a\ufffd\ufffdé"


def test_a_character_cut_in_two_is_shown_whole() -> None:
    shown: list[str] = []
    capture = Capture(show=shown.append)
    for byte in "é€😀".encode():
        capture.feed(bytes([byte]))
    capture.end()
    assert "".join(shown) == capture.text() == "é€😀"


def test_everything_is_shown_also_what_is_not_kept() -> None:
    shown: list[str] = []
    capture = Capture(limit=4, show=shown.append)
    for _ in range(5):
        capture.feed(b"abcdef")
    capture.end()
    assert "".join(shown) == "abcdef" * 5
    assert capture.truncated_bytes == 26


@given(st.lists(st.integers(1, 9), min_size=1, max_size=40))
def test_what_is_shown_never_holds_a_secret_however_it_was_cut(cuts: list[int]) -> None:
    stream = "é hunter22 ü hunter2 abcabcdef hunter22".encode()
    shown: list[str] = []
    capture = Capture(secrets=["hunter22", *SECRETS], show=shown.append)
    at = 0
    for cut in cuts:
        capture.feed(stream[at : at + cut])
        assert not any(secret in "".join(shown) for secret in ("hunter22", *SECRETS))
        at += cut
    capture.feed(stream[at:])
    capture.end()
    assert "".join(shown) == f"é {REDACTED} ü hunter2 {REDACTED} {REDACTED}"
