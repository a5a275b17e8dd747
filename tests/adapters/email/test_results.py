"""Authentication-Results: whom to believe, and what they say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.email.results import aligned, parse, trusted

OURS = "mx.example.com"
PASS = f"{OURS}; dmarc=pass (p=REJECT sp=none) header.from=corp.test"


def test_a_header_as_a_large_provider_writes_it_is_read() -> None:
    found = parse(
        "mx.google.com; dkim=pass header.i=@corp.test header.s=sel1 header.b=AbC0/x12; "
        "arc=pass (i=1 spf=pass spfdomain=corp.test); "
        'spf=pass (google.com: domain of bo@corp.test designates 192.0.2.1 as permitted sender) smtp.mailfrom="bo@corp.test"; '
        "dmarc=pass (p=QUARANTINE sp=QUARANTINE dis=NONE) header.from=corp.test"
    )
    assert found is not None
    assert [each.method for each in found.results] == ["dkim", "arc", "spf", "dmarc"]
    assert aligned(found, "corp.test") == "dmarc"


@pytest.mark.parametrize(
    ("value", "domain", "method"),
    [
        (PASS, "corp.test", "dmarc"),
        (PASS, "other.test", None),
        (f"{OURS}; dmarc=fail header.from=corp.test; dkim=pass header.d=corp.test", "corp.test", None),
        (f"{OURS}; dkim=pass header.d=corp.test", "mail.corp.test", "dkim"),
        (f"{OURS}; dkim=pass header.d=mail.corp.test", "corp.test", None),
        (f"{OURS}; dkim=pass header.d=test", "corp.test", None),
        (f"{OURS}; dkim=pass header.d=evilcorp.test", "corp.test", None),
        (f"{OURS}; dkim=fail header.d=corp.test; dkim=pass header.d=corp.test", "corp.test", "dkim"),
        (f"{OURS}; dmarc=pass header.from=corp.test; dmarc=fail header.from=corp.test", "corp.test", None),
        (f"{OURS}; spf=pass smtp.mailfrom=corp.test", "corp.test", None),
        (f"{OURS}; none", "corp.test", None),
    ],
)
def test_only_a_pass_for_the_very_domain_counts(value: str, domain: str, method: str | None) -> None:
    found = parse(value)
    assert found is not None
    assert aligned(found, domain) == method


@pytest.mark.parametrize(
    "value",
    [
        f'{OURS}; spf=fail smtp.mailfrom="a; dmarc=pass header.from=corp.test"@evil.test',
        f"{OURS}; spf=fail (; dmarc=pass header.from=corp.test",
        f"{OURS}; spf=fail (a (b) ; dmarc=pass header.from=corp.test",
        f"{OURS}; dmarc=fail header.from=evil.test header.from=corp.test",
        f"{OURS}; dmarc=pass header.from=corp.test; x",
        f"{OURS}; dmarc=pass =header.from=corp.test",
        "=x; dmarc=pass header.from=corp.test",
        "a b c; dmarc=pass header.from=corp.test",
        "",
    ],
)
def test_what_does_not_follow_the_grammar_proves_nothing(value: str) -> None:
    found = parse(value)
    assert found is None or aligned(found, "corp.test") is None


def test_the_topmost_of_ours_above_the_first_foreign_received_is_believed() -> None:
    border = ("received", "from evil by mx.example.com with ESMTPS")
    foreign = ("received", "from x by relay.evil.test with ESMTP")
    real, fake = (
        ("authentication-results", f"{OURS}; dmarc=fail header.from=corp.test"),
        ("authentication-results", PASS),
    )

    seen = trusted([real, border, fake, foreign], OURS, ())
    assert seen is not None
    assert aligned(seen, "corp.test") is None
    assert trusted([border, foreign, fake], OURS, ()) is None
    assert trusted([("received", "unreadable"), fake], OURS, ()) is None
    assert (
        trusted([("authentication-results", "other.test; dmarc=pass header.from=corp.test"), border], OURS, ()) is None
    )
    inside = ("received", "from mx.example.com by imap.inside.test with LMTP")
    assert trusted([inside, fake, border], OURS, ()) is None
    assert trusted([inside, fake, border], OURS, ("inside.test",)) is not None


@given(st.text(alphabet='a;=()"\\ .@dmarc', max_size=200))
def test_nothing_that_arrives_stops_the_reader(value: str) -> None:
    found = parse(value)
    assert found is None or isinstance(found.server, str)
