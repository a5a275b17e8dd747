"""Anchors: real files, real inodes, and a pipe that hangs."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from core.audit.anchors import Anchor, Anchors, is_outside, parse_anchor, read_notes, split_notes
from core.errors import Invalid


def test_notes_are_read_back_in_the_order_they_were_appended(tmp_path: Path, log: Any) -> None:
    anchor = Anchor(tmp_path / "far" / "away" / "checkpoints.log")
    notes = [log.note(size) for size in (5, 10, 20)]
    assert [anchor.append(note).problem for note in notes] == [None, None, None]
    assert read_notes(anchor.path) == notes


def test_the_file_is_for_its_owner_alone(tmp_path: Path, log: Any) -> None:
    path = tmp_path / "checkpoints.log"
    Anchor(path).append(log.note())
    assert path.stat().st_mode & 0o777 == 0o600


def test_another_process_may_append_to_the_same_file(tmp_path: Path, log: Any) -> None:
    one, two = Anchor(tmp_path / "a"), Anchor(tmp_path / "a")
    notes = [log.note(size) for size in (1, 2, 3)]
    results = [one.append(notes[0]), two.append(notes[1]), one.append(notes[2])]
    assert [result.problem for result in results] == [None] * 3
    assert read_notes(tmp_path / "a") == notes


def test_a_file_that_was_replaced_is_refused_and_left_alone(tmp_path: Path, log: Any) -> None:
    path = tmp_path / "checkpoints.log"
    anchor = Anchor(path)
    anchor.append(log.note(1))
    path.rename(tmp_path / "aside")
    path.write_text("")
    result = anchor.append(log.note(2))
    assert result.problem is not None
    assert "replaced" in result.problem
    assert path.read_text() == ""
    (tmp_path / "aside").rename(path)
    assert anchor.append(log.note(2)).problem is None


def test_a_file_that_was_removed_is_reported(tmp_path: Path, log: Any) -> None:
    path = tmp_path / "checkpoints.log"
    anchor = Anchor(path)
    anchor.append(log.note(1))
    keep = path.open()  # so that the new file cannot get the same inode
    path.unlink()
    assert "replaced" in (anchor.append(log.note(2)).problem or "")
    keep.close()


def test_a_file_that_was_cut_is_reported(tmp_path: Path, log: Any) -> None:
    path = tmp_path / "checkpoints.log"
    anchor = Anchor(path)
    anchor.append(log.note(1))
    os.truncate(path, 10)
    assert "cut" in (anchor.append(log.note(2)).problem or "")


def test_a_note_torn_by_a_crash_does_not_swallow_the_next(tmp_path: Path, log: Any) -> None:
    path = tmp_path / "checkpoints.log"
    first, torn, third = log.note(1), log.note(2), log.note(3)
    path.write_text(first + "\n" + torn[: len(log.origin) + 10])
    assert Anchor(path).append(third).problem is None
    assert read_notes(path) == [first, third]


@pytest.mark.parametrize("kind", ["folder", "device", "below a file"])
def test_what_cannot_be_a_file_is_a_result_and_no_error(tmp_path: Path, log: Any, kind: str) -> None:
    (tmp_path / "file").write_text("")
    path = {"folder": tmp_path, "device": Path("/dev/null"), "below a file": tmp_path / "file" / "x"}[kind]
    assert Anchor(path).append(log.note()).problem


def test_an_anchor_that_hangs_holds_up_neither_the_others_nor_the_next_append(
    tmp_path: Path, log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck = tmp_path / "stuck"
    release = threading.Event()
    fsync = os.fsync

    def hang(fd: int) -> None:
        if os.path.samestat(os.fstat(fd), os.stat(stuck)):
            release.wait(30)
        fsync(fd)

    stuck.touch()
    monkeypatch.setattr(os, "fsync", hang)
    anchors = Anchors([stuck, tmp_path / "good"], timeout_seconds=0.2)
    began = time.monotonic()
    first = anchors.append(log.note(1))
    second = anchors.append(log.note(2))
    assert time.monotonic() - began < 10
    assert [result.path for result in first] == [stuck, tmp_path / "good"]
    assert "no answer" in (first[0].problem or "")
    assert "still hangs" in (second[0].problem or "")
    assert first[1].problem is second[1].problem is None
    release.set()
    for thread in [thread for thread in threading.enumerate() if thread.name == "anchor"]:
        thread.join(10)
    assert anchors.append(log.note(3))[0].problem is None
    assert read_notes(tmp_path / "good") == [log.note(1), log.note(2), log.note(3)]


def test_an_anchor_is_written_as_the_path_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert parse_anchor("/var/lib/far.log", root=tmp_path) == Path("/var/lib/far.log")
    assert parse_anchor("../far.log", root=tmp_path / "hub") == tmp_path / "far.log"
    assert parse_anchor("~/far.log", root=tmp_path) == tmp_path / "home" / "far.log"


@pytest.mark.parametrize(
    "text", ["https://example.com/log", "s3://bucket/log", "file:///x", "", " ", "folder/", "a\0b", "~nobody-here/x"]
)
def test_anything_else_is_no_anchor(text: str, tmp_path: Path) -> None:
    with pytest.raises(Invalid) as caught:
        parse_anchor(text, root=tmp_path)
    assert caught.value.code == "bad_anchor"


def test_a_file_in_the_data_directory_is_not_outside_by_any_path(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (tmp_path / "link").symlink_to(data)
    assert is_outside(tmp_path / "anchors.log", data)
    assert not is_outside(data / "anchors.log", data)
    assert not is_outside(tmp_path / "link" / "anchors.log", data)
    assert not is_outside(tmp_path / "x" / ".." / "data" / "anchors.log", data)


def test_a_file_without_a_checkpoint_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("")
    (tmp_path / "prose").write_text("nothing\n\nsigned here\n")
    for name in ("empty", "prose", "absent"):
        with pytest.raises(Invalid) as caught:
            read_notes(tmp_path / name)
        assert caught.value.code == "no_checkpoint"


def test_one_note_alone_is_a_checkpoint_file_too(tmp_path: Path, log: Any) -> None:
    (tmp_path / "one").write_text(log.note())
    assert read_notes(tmp_path / "one") == [log.note()]


def test_damage_to_one_note_leaves_the_others_readable(log: Any) -> None:
    first, second = log.note(1), log.note(2)
    damaged = first.replace("\u2014 ", "\ufffd ")
    assert split_notes(damaged + "\n" + second + "\n") == [second]
