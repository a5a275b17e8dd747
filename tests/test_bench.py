"""The benchmarks' command line."""

from __future__ import annotations

import subprocess
import sys


def test_a_name_that_no_benchmark_has_ends_with_exit_2_and_the_names_that_there_are() -> None:
    done = subprocess.run([sys.executable, "-m", "bench", "no such thing"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "lease handoffs, 32 waiters" in done.stderr
