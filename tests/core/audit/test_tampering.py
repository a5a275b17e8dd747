"""The tamper suite over entries, values and checkpoints: each way to bend a log is found, each by its name.

`forge` means that the leaf hashes are computed again, as whoever can write to the database would do; only a
checkpoint stands in their way then. Where the key is needed too, only a checkpoint held outside does.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from core.audit.canonical import canonical, parse
from core.audit.judge import Held
from core.audit.keys import SigningKey
from core.audit.merkle import leaf_hash


def change_actor(entry: bytes) -> bytes:
    return entry.replace(b'"actor":"ana"', b'"actor":"bob"')


def renumber(log: Any) -> None:
    """Write every row again under the number of its place, hashes and columns included: a perfect forgery."""
    rows = []
    for seq, row in enumerate(log.rows, 1):
        entry = canonical({**parse(row[1]), "seq": seq})
        rows.append((seq, entry, leaf_hash(entry), *row[3:]))
    log.rows = rows


# 1. Edit one entry.


def test_an_edited_entry_is_found_by_its_leaf_hash(log: Any) -> None:
    seq, entry, stored, *columns = log.rows[9]
    log.rows[9] = (seq, change_actor(entry), stored, *columns)
    found = log.found()
    assert found["edited"] == [10]
    assert "rewritten" in found


def test_an_edited_entry_with_a_new_hash_is_found_by_the_next_checkpoint(log: Any) -> None:
    log.rewrite(30, change_actor)
    log.rows[29] = (*log.rows[29][:5], "bob", *log.rows[29][6:])
    findings = log.verify().findings
    assert [finding.kind for finding in findings] == ["rewritten"]
    assert "entries 21 to 41" in findings[0].message


def test_an_entry_edited_after_the_last_checkpoint_is_found_by_one_held_outside(log: Any) -> None:
    outside = log.note()
    log.rewrite(45, change_actor)
    log.rows[44] = (*log.rows[44][:5], "bob", *log.rows[44][6:])
    assert log.verify().intact
    assert list(log.found(outside)) == ["rewritten"]


@pytest.mark.parametrize(("column", "value"), [(3, 5), (4, "approval:approved"), (5, None), (6, "A1"), (7, "email")])
def test_a_forged_column_is_found(log: Any, column: int, value: object) -> None:
    row = list(log.rows[9])
    row[column] = value
    log.rows[9] = tuple(row)
    assert log.found() == {"column": [10]}


def test_a_forged_leaf_hash_is_found(log: Any) -> None:
    log.rows[9] = (*log.rows[9][:2], bytes(32), *log.rows[9][3:])
    assert log.found() == {"edited": [10]}


@pytest.mark.parametrize("garbage", [b"", b"{}", b"\xff\xfe", b"null", "text", None, 5])
def test_whatever_stands_in_place_of_an_entry_is_a_finding_and_no_error(log: Any, garbage: Any) -> None:
    log.rows[9] = (10, garbage, *log.rows[9][2:])
    assert 10 in [finding.seq for finding in log.verify().findings]


# 2. Delete.


def test_a_deleted_entry_is_found(log: Any) -> None:
    del log.rows[9]
    assert log.found()["missing"] == [10]


def test_deleted_entries_are_named(log: Any) -> None:
    del log.rows[9:12]
    assert any("entries 10 to 12 are missing" in finding.message for finding in log.verify().findings)


def test_a_deleted_entry_with_all_later_ones_renumbered_is_found(log: Any) -> None:
    log.values.clear()
    del log.rows[9]
    renumber(log)
    assert "rewritten" in log.found()


def test_a_deleted_first_entry_is_found(log: Any) -> None:
    del log.rows[0]
    assert log.found()["missing"] == [1]


# 3. Reorder.


def test_swapped_entries_are_found(log: Any) -> None:
    one, two = log.rows[9], log.rows[10]
    log.rows[9], log.rows[10] = (10, *two[1:]), (11, *one[1:])
    found = log.found()
    assert found["misplaced"] == [10, 11]
    assert {"clock_back", "rewritten"} <= set(found)


def test_rows_out_of_order_are_found(log: Any) -> None:
    log.rows[9], log.rows[10] = log.rows[10], log.rows[9]
    assert {"missing", "out_of_order"} <= set(log.found())


# 4. Insert.


def test_an_inserted_entry_is_found(log: Any) -> None:
    log.rows.insert(9, (*log.rows[8],))
    renumber(log)
    assert "rewritten" in log.found()


def test_an_entry_appended_behind_the_hub_is_found_by_its_number_or_time(log: Any) -> None:
    log.rows.append((len(log.rows) + 1, *log.rows[3][1:]))
    assert {"misplaced", "clock_back"} <= set(log.found())


def test_a_number_used_twice_is_found(log: Any) -> None:
    log.rows.insert(10, log.rows[9])
    assert "out_of_order" in log.found()


# 5. Cut the tail.


def test_a_tail_cut_below_a_checkpoint_is_found(log: Any) -> None:
    del log.rows[35:]
    log.values = [value for value in log.values if value[0] <= 35]
    assert "truncated" in log.found()


def test_a_tail_cut_together_with_its_checkpoint_is_found_by_one_held_outside(log: Any) -> None:
    outside = log.note(41)
    del log.rows[35:]
    log.values = [value for value in log.values if value[0] <= 35]
    del log.checkpoints[1]
    assert log.verify().intact
    assert list(log.found(outside)) == ["truncated"]


def test_a_log_that_was_emptied_is_found(log: Any) -> None:
    outside = log.note()
    log.rows.clear()
    log.values.clear()
    assert "truncated" in log.found()
    log.checkpoints.clear()
    assert list(log.found(outside)) == ["truncated"]


# 6. Rewrite everything with new hashes, and new checkpoints signed by the log's own key.


def test_a_full_rewrite_is_found_by_a_checkpoint_held_outside_and_by_nothing_else(log: Any, new_log: Any) -> None:
    outside = log.note(20)
    forged = new_log(origin=log.origin, key=log.key)
    forged.fill(20)
    forged.checkpoint()
    forged.fill(30)
    verdict = forged.verify()
    assert verdict.intact
    assert not verdict.anchored
    findings = forged.verify(outside).findings
    assert {finding.kind for finding in findings} == {"rewritten", "forked"}
    assert any("the anchor" in finding.message for finding in findings)


# 7. Fork: two views, each signed.


def test_two_signed_views_of_one_size_are_found_even_before_the_log_gets_there(log: Any, new_log: Any) -> None:
    other = new_log(origin=log.origin, key=log.key)
    other.fill(60)
    log.fill(13)
    outside = [log.note(60), other.note(60)]
    del log.rows[50:]
    log.values = [value for value in log.values if value[0] <= 50]
    assert "forked" in log.found(*outside)


# 8. Replay of an old checkpoint: it proves what it covered, and does not hide what came after.


def test_an_old_checkpoint_presented_again_does_not_hide_a_newer_one(log: Any) -> None:
    old, new = log.note(20), log.note()
    del log.rows[30:]
    log.values = [value for value in log.values if value[0] <= 30]
    log.checkpoints = [Held(source="the database", note=old)]
    assert log.verify(old).anchored_size == 20
    assert list(log.found(old, new)) == ["truncated"]


# 9 and 10. Edit a value, swap salts.


def test_an_edited_value_is_found(log: Any) -> None:
    seq, field, salt, _ = log.values[0]
    log.values[0] = (seq, field, salt, b'"another"')
    assert log.found() == {"value_changed": [1]}


def test_a_value_given_another_salt_is_found(log: Any) -> None:
    (seq, one, salt_one, first), (_, two, salt_two, second) = log.values[0], log.values[1]
    log.values[0], log.values[1] = (seq, one, salt_two, first), (seq, two, salt_one, second)
    assert log.found() == {"value_changed": [1, 1]}


def test_a_value_moved_to_another_field_or_entry_is_found(log: Any) -> None:
    (_, field, salt, value), other = log.values[0], log.values[2]
    log.values[2] = (other[0], field, salt, value)
    assert "value_changed" in log.found()


def test_a_salt_of_another_length_cannot_shift_bytes_between_salt_and_value(log: Any) -> None:
    seq, field, salt, value = log.values[0]
    log.values[0] = (seq, field, salt + seq.to_bytes(8)[:1], value)
    assert log.found() == {"value_changed": [1]}


def test_a_deleted_value_is_found(log: Any) -> None:
    del log.values[0]
    assert log.found() == {"value_missing": [1]}


@pytest.mark.parametrize("stray", [(0, "x", b"", b""), (2, "x", bytes(32), b"1"), (10**9, "x", b"", b"")])
def test_a_value_that_no_entry_has_is_found(log: Any, stray: tuple[Any, ...]) -> None:
    log.values = sorted([*log.values, stray])
    assert list(log.found()) == ["value_stray"]


@pytest.mark.parametrize("broken", [(1, None, None, None), (None, "x", b"", b""), (1, "params", "text", 5)])
def test_a_value_row_of_any_type_is_a_finding_and_no_error(log: Any, broken: tuple[Any, ...]) -> None:
    log.values[0] = broken
    assert not log.verify().intact


# 11. Canonicalisation: bytes that read alike.


@pytest.mark.parametrize(
    "change",
    [
        lambda entry: entry.replace(b'"v":1', b'"v":1,"v":1'),
        lambda entry: entry.replace(b'"v":1', b'"v": 1'),
        lambda entry: entry.replace(b'"revision":1', b'"revision":1.0'),
        lambda entry: entry.replace(b'"revision":1', b'"revision":-0'),
        lambda entry: entry.replace(b'"revision":1', b'"revision":18446744073709551617'),
        lambda entry: entry.replace(b'"ana"', b'"\\u0061na"'),
        lambda entry: entry.replace(b'"actor":"ana","channel":"slack"', b'"channel":"slack","actor":"ana"'),
        lambda entry: entry + b" ",
    ],
)
def test_bytes_that_read_alike_are_not_the_entry(log: Any, change: Callable[[bytes], bytes]) -> None:
    log.rewrite(45, change)
    assert log.found()["not_canonical"] == [45]


# 12. Splice from another log.


def test_an_entry_of_another_log_is_found(log: Any, new_log: Any) -> None:
    other = new_log(origin="interlock.log/other", key=log.key)
    other.fill(47)
    log.rows[44] = other.rows[44]
    assert log.found()["other_log"] == [45]


def test_a_checkpoint_of_another_log_is_found_even_under_the_same_key(log: Any, new_log: Any) -> None:
    other = new_log(origin="interlock.log/other", key=log.key)
    other.fill(5)
    assert list(log.found(other.note())) == ["other_log"]


def test_another_log_in_place_of_this_one_is_found(log: Any, new_log: Any) -> None:
    outside = log.note(20)
    other = new_log(origin="interlock.log/other", key=log.key)
    other.fill(50)
    assert other.verify().intact
    assert list(other.found(outside)) == ["other_log"]


# 13. Swap the key of the checkpoints.


def test_checkpoints_signed_again_by_another_key_are_found(log: Any) -> None:
    thief = SigningKey.generate(log.origin)
    log.checkpoints = [Held(source="the database", note=log.note(size, thief)) for size in (20, 41)]
    assert set(log.found()) == {"unknown_key"}


def test_a_swapped_key_is_found_by_a_checkpoint_held_outside(log: Any) -> None:
    outside = log.note(20)
    thief = SigningKey.generate(log.origin)
    log.checkpoints = [Held(source="the database", note=log.note(size, thief)) for size in (20, 41)]
    assert set(log.found(outside, keys=[thief.verifier])) == {"unknown_key"}


def test_an_edited_checkpoint_is_found(log: Any) -> None:
    note = log.checkpoints[1].note
    log.checkpoints[1] = Held(source="the database", note=note.replace("\n41\n", "\n40\n"))
    assert set(log.found()) == {"bad_signature", "checkpoint_removed"}


# 14. Verify a copy.


def test_a_copy_gives_the_same_verdict(log: Any, new_log: Any) -> None:
    outside = log.note(41)
    copy = new_log(log.origin, log.key, list(log.rows), list(log.values), list(log.checkpoints))
    assert copy.verify(outside) == log.verify(outside)
    copy.rewrite(10, change_actor)
    assert not copy.verify(outside).intact
    assert log.verify(outside).intact


# Checkpoints removed, time set back, and anything at random.


def test_a_removed_checkpoint_is_found_because_the_log_tells_of_it(log: Any) -> None:
    del log.checkpoints[0]
    assert log.found() == {"checkpoint_removed": [21]}


def test_a_time_before_the_one_before_is_found(log: Any) -> None:
    log.add(ts=1)
    assert log.found() == {"clock_back": [len(log.rows)]}


def test_a_checkpoint_that_the_log_tells_wrongly_is_found(log: Any) -> None:
    log.add("log:checkpoint", details={"size": 20, "root": "A" * 43 + "="})
    assert log.found() == {"rewritten": [len(log.rows)]}


@pytest.mark.parametrize("seed", list(range(60)))
def test_any_flipped_bit_anywhere_is_found(log: Any, seed: int) -> None:
    dice = random.Random(seed)
    outside = log.note()
    table = dice.choice([log.rows, log.values])
    at = dice.randrange(len(table))
    row = list(table[at])
    column = dice.choice([number for number, cell in enumerate(row) if isinstance(cell, bytes)])
    cell = bytearray(row[column])
    cell[dice.randrange(len(cell))] ^= 1 << dice.randrange(8)
    row[column] = bytes(cell)
    table[at] = tuple(row)
    assert not log.verify(outside).intact
