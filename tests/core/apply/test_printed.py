"""What a run printed is read on from any place: nothing is missed, nothing comes twice, and what is not kept is told."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from core.apply import printed as printing
from core.apply.printed import Piece, Printed


def rest(printed: Printed, offset: int = 0) -> list[Piece]:
    """Every piece from `offset` on."""
    pieces: list[Piece] = []
    while (piece := printed.read(offset)) is not None:
        pieces.append(piece)
        offset = piece.next
    return pieces


def _read(printed: Printed, offset: int) -> tuple[str, int]:
    """What is read from `offset` on, and how much is told as missing."""
    pieces = rest(printed, offset)
    return "".join(each.text for each in pieces), sum(each.skipped for each in pieces)


TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=30)


@given(TEXTS, st.integers(0, 80))
def test_what_is_kept_is_the_beginning_and_the_end_in_whole_characters(texts: list[str], limit: int) -> None:
    printed = Printed(limit)
    for text in texts:
        printed.feed(text)
    stream = "".join(texts).encode()
    pieces = rest(printed)
    assert printed.total == len(stream)
    assert sum(len(each.text.encode()) for each in pieces) == len(stream) - printed.dropped <= limit
    for each in pieces:
        assert stream[each.offset : each.next].decode() == each.text
    if len(stream) <= limit // 2:
        assert "".join(each.text for each in pieces) == "".join(texts)


@given(TEXTS, st.integers(2, 60), st.integers(0, 400))
def test_offsets_mean_the_same_after_it_was_stored(texts: list[str], limit: int, offset: int) -> None:
    printed = Printed(limit)
    for text in texts:
        printed.feed(text)
    again = Printed.of(*printed.stored())
    assert (again.total, again.dropped, again.text()) == (printed.total, printed.dropped, printed.text())
    assert _read(again, offset) == _read(printed, offset)


@given(TEXTS, st.integers(20, 300), st.integers(0, 20))
def test_less_can_be_stored_than_is_kept(texts: list[str], limit: int, most: int) -> None:
    printed = Printed(limit)
    for text in texts:
        printed.feed(text)
    stored, dropped = printed.stored(most)
    short = Printed.of(stored, dropped)
    assert short.total == printed.total
    stream = "".join(texts).encode()
    for each in rest(short):
        assert stream[each.offset : each.next].decode() == each.text
    assert sum(len(each.text.encode()) for each in rest(short)) <= most


@given(TEXTS, st.lists(st.integers(0, 12), max_size=30))
def test_a_reader_who_keeps_up_has_everything_however_little_is_kept(texts: list[str], reads: list[int]) -> None:
    printed = Printed(80)
    offset, seen, missed = 0, "", 0
    for text, times in zip(texts, [*reads, *[1] * len(texts)], strict=False):
        printed.feed(text)
        for _ in range(times):
            if (piece := printed.read(offset)) is not None:
                offset, seen, missed = piece.next, seen + piece.text, missed + piece.skipped
    for piece in rest(printed, offset):
        offset, seen, missed = piece.next, seen + piece.text, missed + piece.skipped
    assert len(seen.encode()) + missed == offset == len("".join(texts).encode())


def test_who_comes_too_late_is_told_how_much_is_missing() -> None:
    printed = Printed(10)
    printed.feed("0123456789abcdefghij")
    assert rest(printed) == [
        Piece(offset=0, text="01234", next=5, skipped=0),
        Piece(offset=15, text="fghij", next=20, skipped=10),
    ]
    assert printed.read(7) == Piece(offset=15, text="fghij", next=20, skipped=8)
    assert printed.read(18) == Piece(offset=18, text="ij", next=20, skipped=0)
    assert printed.read(20) is printed.read(99) is None


def test_where_only_the_beginning_was_kept_the_rest_is_told_as_missing() -> None:
    assert rest(Printed.of(b"begun\n", 40)) == [
        Piece(offset=0, text="begun\n", next=6, skipped=0),
        Piece(offset=46, text="", next=46, skipped=40),
    ]


def test_a_piece_is_bounded_and_ends_with_a_whole_character() -> None:
    printed = Printed()
    printed.feed("x" + "é" * printing.PIECE)
    first = printed.read(0)
    assert first is not None
    assert (first.next, first.text[-1]) == (printing.PIECE - 1, "é")


def test_a_flood_takes_no_memory() -> None:
    printed = Printed(10_000)
    tracemalloc.start()
    for _ in range(200_000):
        printed.feed("x")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert printed.dropped == 190_000
    assert peak < 200_000
