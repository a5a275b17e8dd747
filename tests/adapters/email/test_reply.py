"""What somebody says in a reply, and what they decide."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.email.html import text_of
from adapters.email.reply import Said, decision, own_words

CORPUS = Path(
    os.environ.get("INTERLOCK_REPLY_CORPUS", Path(__file__).parents[4] / "shared" / "fixtures" / "email-replies")
)
QUOTE = (
    "\n\nOn Tue, 3 Nov 2026 at 10:02, Interlock <hub@example.com> wrote:\n> Reply with approve or reject because …\n"
)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("approve", Said(verdict="approve")),
        ("Approved.", Said(verdict="approve")),
        ("APPROVE because the tests passed", Said(verdict="approve", reason="the tests passed")),
        ("reject because not on a Friday", Said(verdict="reject", reason="not on a Friday")),
        ("Rejected: too late", Said(verdict="reject", reason="too late")),
        ("reject - too late", Said(verdict="reject", reason="too late")),
        ("reject", Said(verdict="reject")),
        ("request-changes because use v2", Said(verdict="request-changes", reason="use v2")),
    ],
)
def test_the_closed_grammar_decides(line: str, said: Said) -> None:
    assert decision(line + QUOTE) == said
    assert decision("\n\n  " + line + "\r\n\r\nbest\r\n-- \r\nBo") == said


@pytest.mark.parametrize(
    "line",
    [
        "don't approve",
        "do not approve",
        "approve?",
        "approve not",
        "approve!?",
        "not approved",
        "I approve",
        "approve or reject",
        "approvereject",
        "approve\u200b",
        "ap\u00adprove",
        "yes",
        "no",
        "ok",
        "> approve",
        "Approve A142 and A143",
        "reject because",
        "unapproved",
        "Should I approve",
        "аpprove",
    ],
)
def test_anything_else_decides_nothing(line: str) -> None:
    assert decision(line + QUOTE) is None


def test_our_own_quoted_instructions_decide_nothing() -> None:
    assert decision(QUOTE) is None
    assert decision("thanks" + QUOTE) is None
    assert decision("From: Interlock\nSent: today\n\napprove") is None
    assert decision("---------- Forwarded message ---------\napprove") is None


def test_yes_and_no_decide_only_where_they_may() -> None:
    assert decision("Yes." + QUOTE, short=True) == Said(verdict="approve")
    assert decision("no" + QUOTE, short=True) == Said(verdict="reject")
    assert decision("yes but later" + QUOTE, short=True) is None


def test_html_is_read_as_it_is_seen() -> None:
    page = (
        "<html><head><title>reject</title><style>p{}</style></head><body><div>approve<br></div>"
        '<span style="display: none">reject</span><div class="gmail_quote">On Tue Bo wrote:<blockquote>reject</blockquote></div>'
    )
    assert own_words(text_of(page)) == "approve"


def test_hostile_text_takes_no_time() -> None:
    for text in (
        "On " * 340_000,
        "On \n" * 250_000,
        "> " * 500_000,
        "From:\n" * 170_000,
        "-" * 1_000_000,
        "(" * 1_000_000,
    ):
        begun = time.process_time()
        own_words(text)
        decision(text)
        assert time.process_time() - begun < 0.5, text[:20]


@given(st.text(alphabet="OnwroteapprovFsS:>- _\n\r.\t", max_size=400))
def test_no_quoted_line_is_ever_somebodys_own(text: str) -> None:
    assert not any(line.lstrip().startswith(">") for line in own_words(text).split("\n"))


# What each mail of the corpus says: (beginning, end, words that are not the sender's own).
EXPECTED = {
    "correct_sig": ("this is an email with a correct -- signature.", "signature.", ("rick",)),
    "email_1_1": ("Hi folks", "I am currently using the Java HTTP API.", ("Abhishek", "riak-users")),
    "email_1_2": ("Hi,\n\nYou can list", 'delete them all individually."', ("Abhishek", "> ", "riak-users")),
    "email_1_3": ("Oh thanks.", "Having the function would be great.", ("Abhishek", "Russell", "riak-users")),
    "email_1_4": ("Awesome!", "another problem with it.", ("defunkt", "Loader")),
    "email_1_5": ("One: Here's what I've got.", "for a while.", ()),
    "email_1_6": ("I get proper rendering as well.", "torch of pixels", ("Donohoe", "caching")),
    "email_1_7": (":+1:", ":+1:", ("Wanstrath", "prod")),
    "email_1_8": ("I will reply under this one", "and under this.", ("okay", "signature", "Tim")),
    "email_2_1": ("Outlook with a reply", "Outlook with a reply", ("Google",)),
    "email_2_2": ("Outlook with a reply directly above line", "above line", ("CRM", "replying")),
    "email_2_3": ("Outlook with a reply directly above line", "above line", ("CRM", "replying")),
    "email_BlackBerry": ("Here is another email", "another email", ("BlackBerry",)),
    "email_bullets": ("test 2 this should list second", "   - and another", ("Give us", "Joe Smith")),
    "email_iPhone": ("Here is another email", "another email", ("iPhone",)),
    "email_long_quote": ("Hi folks", ">>>>", ()),
    "email_multi_word_sent_from_my_mobile_device": ("Here is another email", "another email", ("Verizon",)),
    "email_one_is_not_on": ("Thank, this is really helpful.", "when I run...", ("Tapley", "good news")),
    "email_sent_from_my_not_signature": ("Here is another email", "then my mobile phone.", ()),
    "email_sig_delimiter_in_middle_of_line": ("Hi there!", "kthxbai", ()),
    "greedy_on": ("On your remote host you can run:", "the tunnel is not working.", ("Plymale", "ssh set")),
    "pathological": ("I think you're onto something.", "get back to a computer.", ("Sullivan", "ATGG")),
}


# The same to the letter: (lines, the beginning of SHA-256) of what each says, read by eye before it was written down.
EXACT = {
    "correct_sig": (1, "5f9baae9efe03939"),
    "email_1_1": (5, "c5281dbbd27cbae1"),
    "email_1_2": (28, "a31edfceea3bd12d"),
    "email_1_3": (3, "45a699de166ff01c"),
    "email_1_4": (1, "d5df5f5ea29dc7b2"),
    "email_1_5": (15, "18d397a40a4fcfd9"),
    "email_1_6": (3, "f82076b7930081c9"),
    "email_1_7": (1, "4069a5e4143991d9"),
    "email_1_8": (4, "11d486a9b5c78b28"),
    "email_2_1": (1, "6877eb4efc86e0cc"),
    "email_2_2": (1, "c56b35a13deeb2a0"),
    "email_2_3": (1, "c56b35a13deeb2a0"),
    "email_BlackBerry": (1, "f00d7af645cdf8a6"),
    "email_bullets": (9, "668b99fbc4c87b7d"),
    "email_iPhone": (1, "f00d7af645cdf8a6"),
    "email_long_quote": (6, "09751622ff17a668"),
    "email_multi_word_sent_from_my_mobile_device": (1, "f00d7af645cdf8a6"),
    "email_one_is_not_on": (5, "cc1568514a1d2e4e"),
    "email_sent_from_my_not_signature": (3, "eef4f758069d65e0"),
    "email_sig_delimiter_in_middle_of_line": (7, "058c82f46d29372b"),
    "greedy_on": (6, "a20fd18ab4df6c6e"),
    "pathological": (2, "e81421c2206e4876"),
}


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the reply corpus is other people's data and is not kept here")
@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_real_reply_is_read_as_its_sender_meant_it(name: str) -> None:
    begins, ends, not_own = EXPECTED[name]
    begun = time.process_time()
    own = own_words((CORPUS / "github" / f"{name}.txt").read_bytes().decode())
    assert time.process_time() - begun < 0.5
    assert own.startswith(begins), own
    assert own.endswith(ends), own
    assert [word for word in not_own if word in own] == []
    assert (own.count("\n") + 1, hashlib.sha256(own.encode()).hexdigest()[:16]) == EXACT[name]
