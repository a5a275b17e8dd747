"""One mailbox or none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.email.address import address, mailbox


@pytest.mark.parametrize(
    "value",
    [
        "bo@example.com",
        " bo@example.com ",
        "<bo@example.com>",
        "Bo Lind <bo@example.com>",
        '"Lind, Bo" <bo@example.com>',
        '"alice@corp.test" <bo@example.com>',
        "Bo Lïnd <BO@Example.COM>",
        "=?utf-8?q?Bo_L=C3=AFnd?= <bo@example.com>",
    ],
)
def test_one_mailbox_is_read_whatever_its_name(value: str) -> None:
    assert mailbox(value) == "bo@example.com"


@pytest.mark.parametrize(
    "value",
    [
        "alice@corp.test <bob@evil.test>",
        "alice@corp.test, bob@evil.test",
        "<alice@corp.test> <bob@evil.test>",
        "Alice <alice@corp.test>, Bob <bob@evil.test>",
        "Alice <alice@corp.test> (bob@evil.test)",
        "(alice@corp.test) bob@evil.test",
        "friends: alice@corp.test;",
        "<alice@corp.test>bob@evil.test",
        "<<alice@corp.test>>",
        '"alice@corp.test" bob@evil.test',
        '"Alice\\" <alice@corp.test>" <bob@evil.test',
        "=?utf-8?q?alice=40corp.test?= bob@evil.test",
        "alice@corp.test\r\nBcc: x@y.test",
        "alice @corp.test",
        "alice@corp..test",
        ".alice@corp.test",
        "alice@[127.0.0.1]",
        "alice@localhost",
        "älice@corp.test",
        '"alice"@corp.test',
        f"{'a' * 65}@corp.test",
        "@corp.test",
        "",
    ],
)
def test_whatever_could_be_read_in_two_ways_has_no_sender(value: str) -> None:
    assert mailbox(value) is None


@given(st.text(alphabet='ab@.<>," ()\\;:é\t', max_size=60))
def test_what_is_read_is_one_address_that_stands_in_the_header(value: str) -> None:
    found = mailbox(value)
    if found is not None:
        assert address(found) == found
        assert found in value.lower()
