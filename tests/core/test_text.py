import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Invalid
from core.text import normalise_typing, refuse_invisible, show

INVISIBLE = {
    "NUL": "\x00",
    "escape": "\x1b",
    "delete": "\x7f",
    "C1 control": "\x9b",
    "zero width space": "\u200b",
    "zero width joiner": "\u200d",
    "right-to-left override": "\u202e",
    "isolate": "\u2066",
    "byte order mark": "\ufeff",
    "soft hyphen": "\u00ad",
    "tag": "\U000e0041",
    "line separator": "\u2028",
    "paragraph separator": "\u2029",
    "lone surrogate": "\ud800",
    "private use": "\ue000",
    "noncharacter": "\uffff",
    "variation selector": "\ufe0f",
    "hangul filler": "\u3164",
}


@pytest.mark.parametrize("character", list(INVISIBLE.values()), ids=list(INVISIBLE))
def test_what_nobody_can_see_is_refused_by_code_point_and_position(character: str) -> None:
    with pytest.raises(Invalid) as refused:
        refuse_invisible(f"prod{character}", multiline=True)

    assert refused.value.code == "invalid_characters"
    assert refused.value.data["position"] == 5
    assert refused.value.data["code_point"] == f"U+{ord(character):04X}"
    assert refused.value.message.isprintable()


@pytest.mark.parametrize("text", ["prod", "señal", "日本語", "Ω≈ç√", "🚀", "a b", "~!@#$%^&*()", ""])
def test_text_that_shows_what_it_is_passes_unchanged(text: str) -> None:
    refuse_invisible(text)

    assert show(text) == text


def test_line_breaks_and_tabs_pass_only_where_several_lines_are_allowed() -> None:
    refuse_invisible("one\n\ttwo", multiline=True)

    for text in ("one\ntwo", "one\ttwo"):
        with pytest.raises(Invalid):
            refuse_invisible(text)
    with pytest.raises(Invalid):
        refuse_invisible("one\r\ntwo", multiline=True)


def test_a_bidi_override_is_written_out_where_it_is_shown() -> None:
    assert show("a\u202eb") == "a⟨U+202E⟩b"
    assert show("a\nb") == "a⟨U+000A⟩b"
    assert show("a\nb\x1b", multiline=True) == "a\nb⟨U+001B⟩"


@given(st.text(), st.booleans())
def test_what_is_shown_is_never_refused(text: str, multiline: bool) -> None:
    refuse_invisible(show(text, multiline=multiline), multiline=multiline)


@given(st.text())
def test_every_control_and_format_character_is_refused(text: str) -> None:
    hidden = any(unicodedata.category(c) in {"Cc", "Cf", "Zl", "Zp", "Cs", "Co"} for c in text)
    try:
        refuse_invisible(text)
    except Invalid:
        return
    assert not hidden


def test_what_a_phone_makes_of_quotes_dashes_and_spaces_is_undone() -> None:
    typed = "run \u201cdeploy\u201d \u2014dry \u2013f it\u2019s\u00a0v1\u20112 \u2212x"

    assert normalise_typing(typed) == 'run "deploy" --dry -f it\'s v1-2 -x'


@given(st.text())
def test_normalising_twice_is_normalising_once(text: str) -> None:
    assert normalise_typing(normalise_typing(text)) == normalise_typing(text)
