"""Both verdicts over a real data directory, and what somebody who can write to it can and cannot hide."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from config import offline
from config.settings import Settings, read
from config.verifying import export_to, verifier_key, verify_data, verify_file
from core.errors import Invalid

CONFIG = "version: 1\npeople: {ana: {name: Ana, groups: [admins]}}\n"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A signed log that tells of two keys, one of them revoked."""
    (tmp_path / "hub.yaml").write_text(CONFIG)
    environ = {"XDG_STATE_HOME": str(tmp_path / "state")}
    settings = read(environ, config=tmp_path / "hub.yaml", data=tmp_path / "data")
    offline.create_key(settings, "ana", decide=True)
    ended = offline.create_key(settings, "ana", decide=False)
    offline.revoke_key(settings, ended[4:12])
    offline.sign_offline(settings)
    return settings


def tamper(settings: Settings, *statements: str) -> None:
    with closing(sqlite3.connect(settings.data / "hub.db")) as db, db:
        for statement in statements:
            assert db.execute(statement).rowcount != 0, statement


def test_an_untouched_log_is_intact_anchored_and_matches_its_tables(settings: Settings) -> None:
    report = verify_data(settings, keys=[], checkpoints=[])
    assert report.good
    assert report.log.anchored
    assert report.state == ()
    assert "The state tables match the log." in report.lines()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE api_key SET principal = 'bo' WHERE revoked_at IS NULL",
        "UPDATE api_key SET decide = 1 WHERE decide = 0",
        "UPDATE api_key SET revoked_at = NULL WHERE revoked_at IS NOT NULL",
        "DELETE FROM api_key WHERE revoked_at IS NULL",
        "INSERT INTO api_key (prefix, hash, principal, decide, created_at, created_by) VALUES ('zz', x'00', 'ana', 1, 1, 'ana')",
        "INSERT INTO decision (id, approval, revision, digest, by, verdict, channel, assurance, at) "
        "VALUES (1, 1, 1, 'd', 'ana', 'approve', 'x', 2, 1)",
        "INSERT INTO delegation (id, delegator, delegate, kind, assurance, until, created_at) "
        "VALUES (9, 'ana', 'bo', 'delegate', 2, 9, 1)",
        "INSERT INTO freeze (id, resources, reason, starts_at, ends_at, created_by, created_at) "
        "VALUES (9, '[\"env:prod\"]', 'x', 1, 9, 'ana', 1)",
        "INSERT INTO rollback_voice (approval, person, channel, assurance, at) VALUES (1, 'ana', 'x', 2, 1)",
    ],
)
def test_a_row_that_no_entry_tells_of_is_found_although_the_log_is_intact(settings: Settings, statement: str) -> None:
    tamper(settings, statement)
    report = verify_data(settings, keys=[], checkpoints=[])
    assert report.log.intact
    assert not report.good
    assert report.state is not None
    assert [finding.kind for finding in report.state] == ["state_mismatch"]


def test_a_log_replaced_by_another_is_told_by_a_kept_checkpoint_and_by_a_kept_key(
    settings: Settings, tmp_path: Path
) -> None:
    key = verifier_key(settings).text
    kept = tmp_path / "kept.log"
    shutil.copy(settings.data / "checkpoints.log", kept)
    shutil.rmtree(settings.data)
    offline.create_key(settings, "ana", decide=True)
    offline.sign_offline(settings)
    assert verify_data(settings, keys=[], checkpoints=[]).good, "by itself the new log is a log like any other"
    assert not verify_data(settings, keys=[], checkpoints=[kept]).good
    assert not verify_data(settings, keys=[key], checkpoints=[]).good


def test_checkpoints_of_other_logs_in_a_shared_anchor_are_told_and_not_held_against_this_one(
    settings: Settings,
) -> None:
    shutil.rmtree(settings.data)
    offline.create_key(settings, "ana", decide=True)
    offline.sign_offline(settings)
    report = verify_data(settings, keys=[], checkpoints=[])
    assert report.good
    assert any("of other logs" in note for note in report.notes)


def test_a_truncated_log_is_found_by_the_anchor_even_where_its_own_checkpoints_are_gone(settings: Settings) -> None:
    tamper(settings, "DELETE FROM checkpoint", "DELETE FROM log WHERE seq > 2")
    (settings.data / "checkpoints.log").unlink()
    report = verify_data(settings, keys=[], checkpoints=[])
    assert not report.log.intact


def test_a_key_may_be_given_as_text_or_as_a_file_and_a_wrong_one_is_refused(settings: Settings, tmp_path: Path) -> None:
    key = verifier_key(settings).text
    file = tmp_path / "key.txt"
    file.write_text(key + "\n")
    assert verify_data(settings, keys=[key], checkpoints=[]).good
    assert verify_data(settings, keys=[str(file)], checkpoints=[]).good
    with pytest.raises(Invalid) as refused:
        verify_data(settings, keys=["nonsense"], checkpoints=[])
    assert refused.value.code == "bad_key"


def test_an_export_is_verified_away_from_the_hub(settings: Settings, tmp_path: Path) -> None:
    key = verifier_key(settings).text
    file = tmp_path / "log.jsonl"
    count = export_to(settings, file, values=True)
    assert len(file.read_bytes().splitlines()) == count + 1
    elsewhere = read({}, config=tmp_path / "none.yaml", data=tmp_path / "none")
    assert verify_file(elsewhere, file, keys=[key], checkpoints=[]).good
    file.write_bytes(file.read_bytes().replace(b"key:created", b"key:revoked", 1))
    assert not verify_file(elsewhere, file, keys=[key], checkpoints=[]).good
