"""`lease check-history`: the exit code and the words for a log that can be and for one that cannot."""

from __future__ import annotations

import json
from pathlib import Path

import orjson
import pytest

from config.cli import main
from core.audit.canonical import canonical


def line(seq: int, event: str, actor: str, subject: str, **details: object) -> bytes:
    entry = {
        "v": 1,
        "origin": "interlock.log/test",
        "seq": seq,
        "ts": seq,
        "event": event,
        "actor": actor,
        "subject": subject,
        "channel": None,
        "details": details,
        "private": {},
    }
    return orjson.dumps({"entry": canonical(entry).decode(), "leaf_hash": "", "seq": seq, "values": None})


def granted(seq: int, actor: str, subject: str, token: int) -> bytes:
    return line(
        seq, "lease:acquired", actor, subject, token=token, resources=["env:prod"], mode="exclusive", holder=subject
    )


GOOD = [granted(1, "ana", "L1", 5), line(2, "lease:released", "ana", "L1", token=5), granted(3, "bo", "L2", 6)]


def test_a_history_that_can_be_is_said_to_be_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "log.jsonl"
    file.write_bytes(b"\n".join([*GOOD, b'{"checkpoint": "x"}']))
    assert main.run(["lease", "check-history", str(file)]) == 0
    assert "3 entries of leases, 2 grants" in capsys.readouterr().out


def test_two_holders_end_with_exit_1_and_the_entry_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "log.jsonl"
    file.write_bytes(b"\n".join([GOOD[0], GOOD[2]]))
    assert main.run(["lease", "check-history", str(file), "--json"]) == 1
    (found,) = json.loads(capsys.readouterr().out)["findings"]
    assert (found["code"], found["seq"]) == ("two_holders", 3)


@pytest.mark.parametrize("content", [b"not json", b"[]", b'{"entry": "{}"}'])
def test_what_is_no_export_is_a_usage_error(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "log.jsonl"
    file.write_bytes(content)
    assert main.run(["lease", "check-history", str(file)]) == 2
    assert main.run(["lease", "check-history", str(tmp_path / "nowhere")]) == 2
