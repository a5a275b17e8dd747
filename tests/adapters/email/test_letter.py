"""A mail as received: whatever arrives is read within bounds, or put aside."""

from __future__ import annotations

import time
from email import message_from_bytes
from email.message import EmailMessage

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mail import written

from adapters.email import letter
from adapters.email.address import mailbox
from adapters.email.letter import Unreadable, read


def raw(message: EmailMessage) -> bytes:
    return message.as_bytes()


def test_a_plain_mail_is_read() -> None:
    found = read(raw(written("Bo Lind <bo@lab.test>", "hub+r.x@lab.test", "approve\n", In_Reply_To="<a@b>")))
    assert found.sender == "bo@lab.test"
    assert found.words.strip() == "approve"
    assert found.recipients == ("hub+r.x@lab.test",)
    assert found.answers == ("<a@b>",)
    assert found.automatic is None
    assert not found.forward


def test_the_same_mail_has_the_same_key_and_another_body_another() -> None:
    mail = raw(written("bo@lab.test", "hub@lab.test", "approve\n"))
    assert read(mail).key == read(b"Received: by x\n" + mail).key
    assert read(mail).key != read(mail.replace(b"approve", b"reject")).key


@pytest.mark.parametrize(
    "forged",
    [
        b"From: carol@lab.test\nFrom: bo@lab.test\n",
        b"From: bo@lab.test\nFROM: carol@lab.test\n",
        b"From: bo@lab.test <carol@lab.test>\n",
        b"From: bo@lab.test, carol@lab.test\n",
        b"From : bo@lab.test\n",
        b"From: bo@lab.test\nbroken line\n",
        b"From: bo@lab.test\nSubject: x\rFrom: carol@lab.test\n",
        b"From: bo@lab.test\nX: \0\n",
        b"Sender: bo@lab.test\n",
        b"From: =?utf-8?q?bo=40lab=2Etest?=\n",
    ],
)
def test_a_forged_or_broken_head_names_no_sender(forged: bytes) -> None:
    assert read(forged + b"To: hub@lab.test\n\napprove\n").sender is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Auto-Submitted", "auto-replied (vacation)"),
        ("Precedence", "bulk"),
        ("X-Auto-Response-Suppress", "DR, AutoReply"),
        ("List-Id", "<x.lab.test>"),
        ("X-Autoreply", "yes"),
        ("Return-Path", "<>"),
        ("X-Loop", "somebody@else.test"),
    ],
)
def test_a_machines_mail_is_known(name: str, value: str) -> None:
    mail = written("bo@lab.test", "hub@lab.test", "approve\n")
    mail[name] = value
    assert read(raw(mail)).automatic is not None
    assert read(raw(written("no-reply@lab.test", "hub@lab.test", "approve\n"))).automatic is not None


def test_a_forward_is_known() -> None:
    assert read(raw(written("bo@lab.test", "hub@lab.test", "approve\n", subject="Fwd: [A1] it"))).forward
    mail = written("bo@lab.test", "hub@lab.test", "approve\n")
    mail.add_attachment(written("ana@lab.test", "bo@lab.test", "approve\n"))
    assert read(raw(mail)).forward


def test_a_report_says_what_came_back() -> None:
    report = (
        b"Return-Path: <>\nFrom: Mail Delivery <Mailer-Daemon@lab.test>\nTo: hub+b.x@lab.test\nMIME-Version: 1.0\n"
        b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        b"--b\nContent-Type: text/plain\n\nIt did not arrive.\n"
        b"--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; lab.test\n\n"
        b"Action: Failed\nFinal-Recipient: rfc822;gone@lab.test\nStatus: 5.1.1\n"
        b"Diagnostic-Code: smtp; 550 no such\n user here\n\n--b--\n"
    )
    bounce = read(report).bounce
    assert bounce is not None
    assert (bounce.failed, bounce.status, bounce.recipient) == (True, "5.1.1", "gone@lab.test")
    assert bounce.detail == "550 no such user here"
    delayed = read(report.replace(b"Action: Failed", b"Action: delayed")).bounce
    assert delayed is not None
    assert not delayed.failed


def test_broken_charsets_and_encodings_are_read_as_far_as_they_go() -> None:
    head = b"From: bo@lab.test\nMIME-Version: 1.0\n"
    assert "approve" in read(head + b"Content-Type: text/plain; charset=no-such\n\napprove \xff\n").words
    assert "approve" in read(head + b"Content-Type: text/plain; charset=utf-7\n\napprove\n").words
    mail = head + b"Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n!!!not base64\n"
    assert isinstance(read(mail).words, str)


@pytest.mark.parametrize(
    "mail",
    [
        b"x" * (letter.MOST_BYTES + 1),
        b"From: a@b.test\n" + b"X: y\n" * 100_000 + b"\n",
        b"X: " + b"y" * 300_000 + b"\n\n",
        b'Content-Type: multipart/mixed; boundary="b"\n\n' + b"--b\n\nx\n" * 3_000,
        b"".join(b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (at, at) for at in range(60)),
    ],
)
def test_too_much_is_put_aside_at_once(mail: bytes) -> None:
    begun = time.process_time()
    with pytest.raises(Unreadable):
        read(mail)
    assert time.process_time() - begun < 2


def test_one_long_line_takes_no_time() -> None:
    begun = time.process_time()
    found = read(b"From: a@b.test\n\n" + b"On " * 340_000)
    assert found.words.startswith("On On")
    assert time.process_time() - begun < 0.5


_HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            [b"From", b"To", b"Subject", b"Content-Type", b"Content-Transfer-Encoding", b"MIME-Version", b"Date"]
        ),
        st.one_of(
            st.sampled_from(
                [
                    b"a@b.test",
                    b'multipart/mixed; boundary="b"',
                    b"message/rfc822",
                    b"base64",
                    b"multipart/report",
                    b"text/html",
                ]
            ),
            st.binary(max_size=30),
        ),
    ),
    max_size=6,
)


_LINES = [
    *(b"--b\n", b"--b--\n", b"\n", b"\r\n", b"\r", b"approve\n", b"Content-Type: text/html\n", b"\xff\n", b"> x\n"),
    b"From: c@d.test\n",
]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_HEADERS, st.lists(st.sampled_from(_LINES), max_size=30))
def test_no_mail_stops_the_reader(headers: list[tuple[bytes, bytes]], body: list[bytes]) -> None:
    mail = b"".join(name + b": " + value + b"\n" for name, value in headers) + b"\n" + b"".join(body)
    try:
        found = read(mail)
    except Unreadable:
        return
    seen = message_from_bytes(mail).get_all("from", [])
    assert found.sender is None or [mailbox(str(each)) for each in seen] == [found.sender]
    assert isinstance(found.words, str)
