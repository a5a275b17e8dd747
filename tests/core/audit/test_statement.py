"""Statements of the key's holder: bound to their log, their purpose and their keys."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from core.audit.keys import SigningKey
from core.audit.note import sign
from core.audit.statement import Loss, change_key, open_key_change, open_loss
from core.errors import Invalid

OLD, NEW = SigningKey.generate("log"), SigningKey.generate("log")


def test_a_loss_is_opened_as_it_was_signed() -> None:
    loss = Loss(origin="log", kept=3, lost=9)
    assert open_loss(loss.signed(OLD), [OLD.verifier]) == loss
    assert [size for size in range(12) if loss.covers(size)] == [4, 5, 6, 7, 8, 9]


def test_a_change_is_opened_as_both_keys_signed_it() -> None:
    change = open_key_change(change_key("log", old=OLD, new=NEW))
    assert (change.origin, change.old, change.new) == ("log", OLD.verifier, NEW.verifier)


@pytest.mark.parametrize("signers", [[OLD], [NEW], [SigningKey.generate("log")]])
def test_a_change_that_only_one_of_the_keys_signed_is_none(signers: list[SigningKey]) -> None:
    text = f"interlock log key changed\nlog\n{OLD.verifier.text}\n{NEW.verifier.text}\n"
    with pytest.raises(Invalid) as caught:
        open_key_change(sign(text, signers).render())
    assert caught.value.code == "unknown_key"


@pytest.mark.parametrize(
    "text",
    [
        "interlock log restored\nlog\n3\n",
        "interlock log restored\nlog\n3\n-9\n",
        "interlock log restored\nlog\n3\n9\n1\n",
    ],
)
def test_a_signed_text_of_another_form_is_no_loss(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        open_loss(sign(text, [OLD]).render(), [OLD.verifier])
    assert caught.value.code == "bad_statement"


@pytest.mark.parametrize(
    ("read", "note"),
    [
        (lambda note: open_loss(note, [OLD.verifier]), change_key("log", old=OLD, new=NEW)),
        (open_key_change, Loss(origin="log", kept=3, lost=9).signed(OLD)),
    ],
)
def test_one_statement_cannot_pass_for_another(read: Callable[[str], object], note: str) -> None:
    with pytest.raises(Invalid) as caught:
        read(note)
    assert caught.value.code == "bad_statement"
