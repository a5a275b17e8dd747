"""A process is known by its number and its birth, and a zombie does not live."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from core.apply.identity import birth, boot, namespace


def test_a_birth_stays_the_same_and_ends_with_the_process() -> None:
    process = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    born = birth(process.pid)
    assert born is not None
    assert birth(process.pid) == born
    assert process.stdin is not None
    process.stdin.close()
    while birth(process.pid) is not None:
        time.sleep(0.001)
    process.wait()
    assert birth(process.pid) is None


def test_a_later_process_has_another_birth() -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        assert birth(process.pid) not in (None, birth(os.getpid()))
        process.kill()


def test_the_boot_and_the_namespace_stay_the_same() -> None:
    assert boot() == boot() != ""
    assert namespace() == namespace()
