from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from mail import Lab, mail_lab
from servers import missing


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """A real Dovecot and a real Exim."""
    for name in ("dovecot", "exim4"):
        if shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin") is None:
            missing(
                name,
                "install it (Debian: apt-get install dovecot-imapd dovecot-lmtpd dovecot-sieve exim4-daemon-light)",
            )
    with mail_lab() as running:
        yield running
