"""Sealed values open where they were put, for who has the key, and nowhere else."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.apply.sealing import Sealer, SealingKey, create_key, read_key
from core.errors import Refusal, Unavailable

KEY = bytes(range(32))


def sealer(key: bytes = KEY) -> Sealer:
    return Sealer(SealingKey(key))


def unreadable(by: Sealer, sealed: bytes, context: str = "A142|pin|1") -> bool:
    with pytest.raises(Refusal) as refused:
        by.open(sealed, context)
    assert "canary" not in str(refused.value) + repr(refused.value)
    assert refused.value.__cause__ is None
    return refused.value.code == "secret_unreadable"


@given(st.text(), st.text())
def test_a_value_opens_under_its_context(value: str, context: str) -> None:
    assert sealer().open(sealer().seal(value, context), context) == value


def test_the_same_value_never_looks_the_same() -> None:
    assert len({sealer().seal("canary", "A142|pin|1") for _ in range(100)}) == 100


def test_nothing_of_the_value_is_readable() -> None:
    assert b"canary" not in sealer().seal("canary" * 10, "A142|pin|1")


def test_every_single_changed_byte_is_noticed() -> None:
    sealed = sealer().seal("canary", "A142|pin|1")
    for at in range(len(sealed)):
        assert unreadable(sealer(), sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :])


def test_every_cut_is_noticed() -> None:
    sealed = sealer().seal("", "A142|pin|1")
    for size in range(len(sealed)):
        assert unreadable(sealer(), sealed[:size])
    assert unreadable(sealer(), sealed + b"x")


@pytest.mark.parametrize("context", ["A143|pin|1", "A142|pin|2", "A142|pin", "", "A142|pin|1 "])
def test_a_value_that_was_moved_does_not_open(context: str) -> None:
    assert unreadable(sealer(), sealer().seal("canary", "A142|pin|1"), context)


def test_parts_of_two_values_make_no_third() -> None:
    one, two = sealer().seal("canary", "A142|pin|1"), sealer().seal("yranac", "A142|pin|1")
    for at in range(12, len(one)):
        if (third := one[:at] + two[at:]) not in (one, two):  # by chance the two may agree up to here
            assert unreadable(sealer(), third)


def test_another_key_does_not_open_it() -> None:
    assert unreadable(sealer(secrets.token_bytes(32)), sealer().seal("canary", "A142|pin|1"))


def test_a_rotated_key_still_opens_and_rewraps() -> None:
    old, new = SealingKey(KEY), SealingKey(secrets.token_bytes(32))
    sealed = Sealer(old).seal("canary", "A142|pin|1")
    rotated = Sealer(new, [old])
    assert rotated.open(sealed, "A142|pin|1") == "canary"
    rewrapped = rotated.rewrap(sealed)
    assert Sealer(new).open(rewrapped, "A142|pin|1") == "canary"
    assert rotated.rewrap(rewrapped) == rewrapped
    assert unreadable(Sealer(old), rewrapped)


def test_what_cannot_be_opened_cannot_be_rewrapped() -> None:
    with pytest.raises(Refusal) as refused:
        sealer(secrets.token_bytes(32)).rewrap(sealer().seal("canary", "A142|pin|1"))
    assert refused.value.code == "secret_unreadable"


def test_no_repr_shows_a_key() -> None:
    key = SealingKey(KEY)
    assert KEY.hex()[:16] not in repr(key) + repr(Sealer(key))
    assert str(KEY)[2:10] not in repr(key)


def test_a_key_file_is_new_and_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "sealing.key"
    made = create_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_key(path).id == made.id
    with pytest.raises(FileExistsError):
        create_key(path)
    assert read_key(path).id == made.id


def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sealing.key"
    create_key(path)
    path.chmod(0o640)
    with pytest.raises(Unavailable) as refused:
        read_key(path)
    assert refused.value.code == "sealing_key_exposed"


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_key_of_another_length_is_refused(tmp_path: Path, size: int) -> None:
    path = tmp_path / "sealing.key"
    path.write_bytes(b"x" * size)
    path.chmod(0o600)
    with pytest.raises(Refusal) as refused:
        read_key(path)
    assert refused.value.code == "bad_sealing_key"
