"""Exits 1 when a file that git tracks, or would track, holds what looks like a secret.

A line that must hold such a text on purpose says `not a secret` on the same line.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ALLOWED = "not a secret"
MAX_BYTES = 2_000_000
PATTERNS = {
    "an Interlock API key": r"\bilk_[0-9A-Za-z]{36}\b",
    "a private key": r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----",
    "a signing key of the log": r"PRIVATE\+KEY\+[^\s+]+\+[0-9a-f]{8}\+[A-Za-z0-9+/]{40,}",
    "a webhook secret": r"\bwhsec_[A-Za-z0-9+/]{24,}={0,2}",
    "a Slack token": r"\bxox[abeprs]-[0-9A-Za-z-]{20,}|\bxapp-[0-9A-Za-z-]{20,}",
    "a GitHub token": r"\bgh[pousr]_[0-9A-Za-z]{36,}\b|\bgithub_pat_[0-9A-Za-z_]{40,}",
    "a cloud access key": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "a JSON web token": r"\beyJ[A-Za-z0-9_-]{15,}\.eyJ[A-Za-z0-9_-]{15,}\.[A-Za-z0-9_-]{20,}",
    "a password in an address": r"\b[a-z][a-z0-9+]*://[^\s/:@{}$<>'\"]+:[^\s/@{}$<>'\"]{6,}@",
}
FAKED_IN_TESTS = "a webhook secret"
"""Tests sign with secrets of their own; of the other kinds not even a fake may stand in a test unmarked."""
NEVER = re.compile(r"(^|/)(\.env|.*\.key|.*\.pem|id_(rsa|ed25519))$")
"""Files of these names are secrets whatever they hold."""


def findings(path: Path, text: str) -> list[str]:
    """One line for each secret in `text`, without the secret itself."""
    found: list[str] = []
    if NEVER.search(path.as_posix()):
        found.append(f"{path}: a file of this name holds secrets; it does not belong here")
    for number, line in enumerate(text.splitlines(), 1):
        if ALLOWED in line:
            continue
        for what, pattern in PATTERNS.items():
            if what == FAKED_IN_TESTS and path.parts[0] == "tests":
                continue
            if re.search(pattern, line):
                found.append(f"{path}:{number}: {what}")
    return found


def candidates(arguments: list[str]) -> list[Path]:
    """The files given, or everything that git does not ignore."""
    if arguments:
        return [Path(each) for each in arguments]
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], capture_output=True, check=True
    )
    return [Path(name) for name in listed.stdout.decode().split("\0") if name]


def main(arguments: list[str]) -> int:
    """Tell what was found; the exit code."""
    found: list[str] = []
    count = 0
    for path in candidates(arguments):
        if not path.is_file() or path.is_symlink() or path.stat().st_size > MAX_BYTES:
            continue
        count += 1
        found += findings(path, path.read_text(encoding="utf-8", errors="replace"))
    for line in found:
        print(line, file=sys.stderr)
    print(f"{len(found)} secrets in {count} files")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
