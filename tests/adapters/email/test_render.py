"""What a mail's HTML shows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from adapters.email.render import mail
from adapters.email.settings import Settings
from hub.testing import sample_post

_SETTINGS = Settings.model_validate({"address": "hub@lab.test", "smtp": {"host": "localhost"}})


def _html(preview: str) -> str:
    post = sample_post("bo@lab.test")
    post = replace(post, card=replace(post.card, preview=preview))
    body = mail(_SETTINGS, post, root=None, now=datetime(2026, 11, 21, tzinfo=UTC), zone="UTC").get_body(("html",))
    assert body is not None
    found: str = body.get_content()
    return found


def test_a_unified_diff_shows_what_goes_and_what_comes() -> None:
    html = _html("--- a\n+++ b\n@@ -1 +1 @@\n-old <b>\n+new\n same\n")
    assert '<span class="minus">-old &lt;b&gt;</span>\n<span class="plus">+new</span>\n same</pre>' in html


def test_a_list_with_dashes_is_no_diff() -> None:
    assert "<span" not in _html("- one\n- two\n")
