"""The closed list of events, in code and in docs/events.md."""

from __future__ import annotations

import re
from pathlib import Path

from core.audit.events import EVENTS, MEANINGS

PAGE = Path(__file__).parents[3] / "docs" / "events.md"


def test_the_page_lists_every_event_with_its_meaning_and_no_other() -> None:
    rows = re.findall(r"^\| `([a-z_]+:[a-z_]+)` \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    assert dict(rows) == dict(MEANINGS)
    assert len(rows) == len(EVENTS)


def test_every_meaning_is_one_sentence_or_a_few_on_one_line() -> None:
    for event, meaning in MEANINGS.items():
        assert re.fullmatch(r"[A-Z][^\n]+\.", meaning), event


def test_the_list_cannot_be_changed_by_whoever_imports_it() -> None:
    assert not hasattr(MEANINGS, "__setitem__")
    assert not hasattr(EVENTS, "add")
