"""Signed notes, keys and checkpoints, held to the C2SP specifications and their published examples."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.audit.keys import SigningKey, VerifierKey
from core.audit.note import MAX_NOTE_BYTES, Checkpoint, Note, open_checkpoint, sign
from core.errors import Invalid

# The example key and note of Go's golang.org/x/mod/sumdb/note, whose format C2SP signed-note describes.
PETER = VerifierKey.parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
PETER_PRIVATE = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"  # not a secret
PETER_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PETER_NOTE = (
    PETER_TEXT + "\n\u2014 PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)

KEY = SigningKey(name="hub.example/log", seed=bytes(range(32)))
OTHER = SigningKey(name="hub.example/log", seed=bytes(range(1, 33)))
CHECKPOINT = Checkpoint(origin="hub.example/log", size=1204, root=bytes(range(32)))


def code_of(note: str | bytes, *keys: VerifierKey) -> str:
    with pytest.raises(Invalid) as caught:
        open_checkpoint(note, keys or [KEY.verifier])
    return caught.value.code


def test_the_published_example_verifies() -> None:
    assert Note.parse(PETER_NOTE).signers([PETER]) == (PETER,)


def test_signing_gives_the_published_example() -> None:
    assert sign(PETER_TEXT, [SigningKey.parse(PETER_PRIVATE)]).render() == PETER_NOTE


def test_keys_are_written_as_they_are_read() -> None:
    assert VerifierKey.parse(KEY.verifier.text + "\n") == KEY.verifier
    assert SigningKey.parse(KEY.text + "\n") == KEY
    assert SigningKey.parse(PETER_PRIVATE).verifier == PETER


def test_a_signing_key_does_not_show_itself() -> None:
    key = SigningKey.generate("hub.example/log")
    assert repr(key.seed) not in repr(key)
    assert key.text not in repr(key)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "PeterNeumann",
        "PeterNeumann+c74f20a3",
        "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumanN+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10T",
        "PeterNeumann+c74f20a3+BBpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        PETER_PRIVATE,
    ],
)
def test_what_is_no_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        VerifierKey.parse(text)
    assert caught.value.code == "bad_key"


@pytest.mark.parametrize("text", ["", PETER.text, PETER_PRIVATE.replace("c74f20a3", "c74f20a4"), PETER_PRIVATE[:-4]])
def test_what_is_no_signing_key_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        SigningKey.parse(text)
    assert caught.value.code == "bad_key"


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u00a0b", "a\nb", "a\x01"])
def test_a_key_may_not_bear_a_name_that_notes_cannot_hold(name: str) -> None:
    with pytest.raises(Invalid):
        SigningKey(name=name, seed=bytes(32))


def test_a_checkpoint_is_opened_by_the_key_that_signed_it() -> None:
    note = sign(CHECKPOINT.text, [KEY]).render()
    assert open_checkpoint(note, [KEY.verifier]) == CHECKPOINT
    assert open_checkpoint(note.encode(), [OTHER.verifier, KEY.verifier]) == CHECKPOINT


def test_a_checkpoint_that_two_keys_signed_is_opened_by_either() -> None:
    note = sign(CHECKPOINT.text, [OTHER, KEY]).render()
    assert open_checkpoint(note, [KEY.verifier]) == open_checkpoint(note, [OTHER.verifier]) == CHECKPOINT


def test_a_checkpoint_of_a_key_nobody_knows_is_refused() -> None:
    assert code_of(sign(CHECKPOINT.text, [OTHER]).render()) == "unknown_key"
    assert code_of(sign(CHECKPOINT.text, [SigningKey(name="other", seed=KEY.seed)]).render()) == "unknown_key"


def test_a_changed_text_or_signature_of_a_known_key_is_refused() -> None:
    note = sign(CHECKPOINT.text, [KEY]).render()
    assert code_of(note.replace("1204", "1205")) == "bad_signature"
    both = sign(CHECKPOINT.text, [OTHER, KEY])
    forged = Note(text=both.text.replace("1204", "1205"), signatures=both.signatures)
    assert code_of(forged.render(), OTHER.verifier, KEY.verifier) == "bad_signature"


@given(st.integers(0, 10**18), st.binary(min_size=32, max_size=32))
def test_a_checkpoint_survives_the_way_there_and_back(size: int, root: bytes) -> None:
    checkpoint = Checkpoint(origin="hub.example/log", size=size, root=root)
    assert open_checkpoint(sign(checkpoint.text, [KEY]).render(), [KEY.verifier]) == checkpoint


@pytest.mark.parametrize(
    "text",
    [
        "hub.example/log\n12\n",
        "hub.example/log\n012\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
        "hub.example/log\n+12\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
        "hub.example/log\n-1\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
        "hub.example/log\n\u0663\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
        "hub.example/log\n12345678901234567890\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
        "hub.example/log\n12\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==\n",
        "hub.example/log\n12\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=\n",
        "hub.example/log\n12\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\nextension\n",
        "\n12\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
    ],
)
def test_a_signed_text_that_is_no_checkpoint_is_refused(text: str) -> None:
    assert code_of(sign(text, [KEY]).render()) == "bad_checkpoint"


@pytest.mark.parametrize(
    "change",
    [
        lambda note: note.rstrip("\n"),
        lambda note: note + "\n",
        lambda note: note.replace("\n\n", "\n"),
        lambda note: note.replace("\u2014 ", "- "),
        lambda note: note.replace("\u2014 ", "\u2014  "),
        lambda note: note.replace("\n", "\r\n"),
        lambda note: note.replace("hub.example/log ", "hub.example+log "),
        lambda note: note[:-3] + "A\n",
        lambda note: note[:-2] + "\n",
        lambda note: note + "\u2014 hub.example/log AAAA\n",
        lambda note: note + "x" * MAX_NOTE_BYTES,
        lambda note: note + note.partition("\n\n")[2] * 100,
        lambda note: "\x00" + note,
        lambda note: note.encode() + b"\xff\n",
        lambda note: "",
    ],
)
def test_a_note_of_another_form_is_refused(change: object) -> None:
    assert callable(change)
    assert code_of(change(sign(CHECKPOINT.text, [KEY]).render())) == "bad_note"


def test_signatures_of_unknown_keys_are_passed_over() -> None:
    witness = SigningKey(name="witness.example", seed=bytes(32))
    note = sign(CHECKPOINT.text, [witness] * 15 + [KEY]).render()
    assert open_checkpoint(note, [KEY.verifier]) == CHECKPOINT


@pytest.mark.parametrize("text", ["no line break", "", "tab\there\n"])
def test_what_is_no_note_text_cannot_be_signed(text: str) -> None:
    with pytest.raises(Invalid):
        sign(text, [KEY])


def test_a_note_needs_a_key_to_sign_it() -> None:
    with pytest.raises(Invalid):
        sign(CHECKPOINT.text, [])
