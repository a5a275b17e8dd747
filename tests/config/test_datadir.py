from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from config.datadir import hold, is_held, key_file, make_key, prepare, random_key, read_key
from core.errors import Conflict, Forbidden, StoreError


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_a_new_data_directory_is_private(data: Path) -> None:
    prepare(data)
    assert data.stat().st_mode & 0o777 == 0o700


def test_a_directory_that_others_can_enter_is_refused(data: Path) -> None:
    data.mkdir(mode=0o755)
    data.chmod(0o755)
    with pytest.raises(Forbidden, match="chmod 700") as refused:
        prepare(data)
    assert refused.value.code == "exposed_data"


def test_a_file_in_its_place_is_refused(data: Path) -> None:
    data.write_text("")
    with pytest.raises(StoreError):
        prepare(data)


def test_while_one_process_holds_it_another_is_told_which(data: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from config.datadir import hold\n"
        "with hold(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(data)]
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        assert is_held(data)
        with pytest.raises(Conflict) as refused, hold(data):
            pass
        assert refused.value.code == "data_in_use"
        assert str(other.pid) in refused.value.message
        other.kill()
        other.wait()
    assert not is_held(data), "the lock goes with the process, however it ended"
    with hold(data):
        assert is_held(data)


def test_a_key_is_made_once_and_private(data: Path) -> None:
    prepare(data)
    first = random_key(data, "session")
    assert len(first) == 32
    assert random_key(data, "session") == first
    assert make_key(data, "session", b"x" * 32) == first, "an existing key is never replaced"
    assert key_file(data, "session").stat().st_mode & 0o777 == 0o600
    assert random_key(data, "press") != first


def test_a_key_that_others_can_read_is_refused(data: Path) -> None:
    prepare(data)
    random_key(data, "sealing")
    key_file(data, "sealing").chmod(0o640)
    with pytest.raises(Forbidden, match="chmod 600"):
        read_key(data, "sealing")


def test_a_key_that_is_a_link_is_refused(data: Path, tmp_path: Path) -> None:
    prepare(data)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"x" * 32)
    elsewhere.chmod(0o600)
    (data / "keys").mkdir()
    key_file(data, "session").symlink_to(elsewhere)
    with pytest.raises(StoreError):
        read_key(data, "session")


def test_a_truncated_key_is_refused(data: Path) -> None:
    prepare(data)
    make_key(data, "session", b"short")
    with pytest.raises(StoreError, match="32 bytes"):
        random_key(data, "session")
