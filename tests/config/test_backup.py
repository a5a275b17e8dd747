from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from config import offline
from config.backup import restore_backup, write_backup
from config.datadir import key_file
from config.settings import Settings, read
from config.verifying import verify_data
from core.errors import Conflict, Invalid

CONFIG = """\
version: 1
people: {ana: {name: Ana, groups: [admins]}}
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A data directory with a log of a few entries, signed."""
    return make(tmp_path / "one")


def make(root: Path, *, filled: bool = True) -> Settings:
    root.mkdir()
    (root / "hub.yaml").write_text(CONFIG)
    environ = {"XDG_STATE_HOME": str(root / "state")}
    settings = read(environ, config=root / "hub.yaml", data=root / "data")
    if filled:
        offline.create_key(settings, "ana", decide=True)
        offline.sign_offline(settings)
    return settings


def test_a_backup_comes_back_whole_in_an_empty_directory(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "copy.tar"
    manifest = write_backup(settings, file, keys=True)
    assert file.stat().st_mode & 0o777 == 0o600
    other = make(tmp_path / "two", filled=False)
    report = restore_backup(other, file)
    assert report["size"] == manifest["size"] == report["lost_to"]
    assert verify_data(other, keys=[], checkpoints=[]).good
    assert len(offline.list_keys(other)) == 1


def test_a_backup_without_keys_needs_the_log_s_key(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "copy.tar"
    write_backup(settings, file)
    with tarfile.open(file) as archive:
        assert not [name for name in archive.getnames() if name.startswith("keys")]
    other = make(tmp_path / "two", filled=False)
    with pytest.raises(Conflict) as refused:
        restore_backup(other, file)
    assert refused.value.code == "no_key"
    assert not (other.data / "hub.db").exists()


def test_what_was_appended_after_the_backup_is_named_as_lost(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "copy.tar"
    size = write_backup(settings, file)["size"]
    offline.create_key(settings, "ana", decide=True)
    offline.sign_offline(settings)
    report = restore_backup(settings, file, force=True)
    assert report["lost_to"] > size
    assert Path(report["aside"]).exists(), "the database that was replaced is kept"
    verdict = verify_data(settings, keys=[], checkpoints=[])
    assert verdict.good
    assert [finding.kind for finding in verdict.log.losses] == ["lost"]


@pytest.mark.parametrize("name", ["../escape", "/etc/passwd", "keys/other.key", "hub.db/../x"])
def test_an_archive_with_any_other_name_is_refused(settings: Settings, tmp_path: Path, name: str) -> None:
    hostile = tmp_path / "hostile.tar"
    with tarfile.open(hostile, "w") as archive:
        member = tarfile.TarInfo(name)
        member.size = 1
        archive.addfile(member, io.BytesIO(b"x"))
    with pytest.raises(Invalid) as refused:
        restore_backup(settings, hostile, force=True)
    assert refused.value.code == "bad_backup"
    assert not (tmp_path / "escape").exists()


def test_a_link_in_an_archive_is_refused(settings: Settings, tmp_path: Path) -> None:
    hostile = tmp_path / "hostile.tar"
    with tarfile.open(hostile, "w") as archive:
        member = tarfile.TarInfo("hub.db")
        member.type = tarfile.SYMTYPE
        member.linkname = "/etc/passwd"
        archive.addfile(member)
    with pytest.raises(Invalid):
        restore_backup(settings, hostile, force=True)


def test_a_changed_backup_is_refused_and_the_old_database_stays(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "copy.tar"
    write_backup(settings, file)
    data = file.read_bytes()
    at = data.index(b'"key:created"')
    file.write_bytes(data[:at] + b'"key:revoked"' + data[at + 13 :])
    before = (settings.data / "hub.db").read_bytes()
    with pytest.raises(Invalid) as refused:
        restore_backup(settings, file, force=True)
    assert refused.value.code == "not_intact"
    assert (settings.data / "hub.db").read_bytes() == before


def test_a_backup_never_overwrites_a_file(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "copy.tar"
    file.write_text("mine")
    with pytest.raises(Conflict):
        write_backup(settings, file)
    assert file.read_text() == "mine"


def test_a_log_whose_signing_key_is_gone_is_not_signed_by_a_new_one(settings: Settings) -> None:
    from core.errors import StoreError

    key_file(settings.data, "checkpoint").unlink()
    with pytest.raises(StoreError, match="put it back"):
        offline.create_key(settings, "ana", decide=True)
