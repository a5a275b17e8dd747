"""Access and refresh tokens: what they say, and what is not believed."""

import base64
import json
import stat
from pathlib import Path

import jwt
import pytest

from core.clock import SECOND
from core.errors import Unproven
from core.people.tokens import ACCESS_SECONDS, Tokens

NOW = 1_800_000_000 * SECOND
TOKENS = Tokens(b"k" * 32)


def access(now_us: int = NOW) -> str:
    return TOKENS.access(session="s1", principal="ana", now_us=now_us)


def test_an_access_token_says_which_session_for_ten_minutes() -> None:
    said = TOKENS.read_access(access(), now_us=NOW + (ACCESS_SECONDS - 1) * SECOND)
    assert (said.session, said.principal) == ("s1", "ana")
    with pytest.raises(Unproven, match="is over"):
        TOKENS.read_access(access(), now_us=NOW + ACCESS_SECONDS * SECOND)


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize("algorithm", ["none", "HS512", "HS384"])
def test_no_other_algorithm_is_taken(algorithm: str) -> None:
    claims = jwt.decode(access(), options={"verify_signature": False})
    forged = jwt.encode(claims, None if algorithm == "none" else TOKENS._access, algorithm=algorithm)
    with pytest.raises(Unproven) as refused:
        TOKENS.read_access(forged, now_us=NOW)
    assert refused.value.code == "bad_token"


def test_a_token_of_another_key_or_with_changed_claims_proves_nothing() -> None:
    head, body, mac = access().split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    changed = base64.urlsafe_b64encode(json.dumps({**claims, "sub": "bo"}).encode()).rstrip(b"=").decode()
    other = Tokens(b"x" * 32).access(session="s1", principal="ana", now_us=NOW)
    for text in (f"{head}.{changed}.{mac}", "", "a.b.c", "\ud800", other):
        with pytest.raises(Unproven):
            TOKENS.read_access(text, now_us=NOW)


@pytest.mark.parametrize("missing", ["sub", "sid", "exp", "aud", "iss", "iat"])
def test_a_token_without_one_of_the_claims_proves_nothing(missing: str) -> None:
    claims = jwt.decode(access(), options={"verify_signature": False})
    del claims[missing]
    with pytest.raises(Unproven):
        TOKENS.read_access(jwt.encode(claims, TOKENS._access, algorithm="HS256"), now_us=NOW)


def test_a_refresh_token_says_session_and_turn_and_cannot_be_made_by_others() -> None:
    text = TOKENS.refresh(session="s1", generation=3)
    said = TOKENS.read_refresh(text)
    assert (said.session, said.generation) == ("s1", 3)
    for forged in (
        text.replace(".3.", ".4."),
        text[:-1] + "A" if text[-1] != "A" else text[:-1] + "B",
        "ilr_s1.0.x",
        "",
    ):
        with pytest.raises(Unproven):
            TOKENS.read_refresh(forged)


def test_a_nonce_is_the_same_for_the_same_proof_and_purpose_only() -> None:
    assert TOKENS.nonce("session:1", "form") == TOKENS.nonce("session:1", "form")
    assert len({TOKENS.nonce(p, q) for p in ("a", "b") for q in ("a", "b")}) == 4


def test_the_key_file_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "token.key"
    text = Tokens.load(path).access(session="s1", principal="ana", now_us=NOW)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Tokens.load(path).read_access(text, now_us=NOW).session == "s1"


def test_a_cut_key_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "token.key"
    path.write_bytes(b"short")
    with pytest.raises(ValueError, match="needs 32"):
        Tokens.load(path)
