"""The process's log: one JSON object a line, nothing secret in it."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from core.people.tokens import Tokens
from hub.logs import REDACTED, Redactor, configure

KEY = "ilk_" + "a1B2c3D4e5" * 3 + "zzzzzz"
SECRETS = (
    KEY,
    Tokens(b"k" * 32).access(session="s1", principal="ana", now_us=0),
    Tokens(b"k" * 32).refresh(session="s1", generation=0),
)


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    stream = io.StringIO()
    redactor = Redactor()
    redactor.register(["hunter2-very-secret", 'with "quotes"\nand lines', "abc"])
    configure(redactor, stream=stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


def test_a_line_is_one_json_object_with_time_level_and_name(lines: io.StringIO) -> None:
    structlog.get_logger("interlock.test").warning("it happened", count=3)
    logging.getLogger("interlock.other").error("and %s", "this")
    first, second = (json.loads(line) for line in lines.getvalue().splitlines())
    assert (first["event"], first["count"], first["level"], first["logger"]) == (
        "it happened",
        3,
        "warning",
        "interlock.test",
    )
    assert second["event"] == "and this"
    assert first["ts"].endswith("Z")


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "shape", ["{}", "GET /x?token={}&y=1", "Authorization: Bearer {}", "cookie: interlock_session={}"]
)
def test_keys_and_tokens_are_redacted_wherever_they_stand(lines: io.StringIO, secret: str, shape: str) -> None:
    structlog.get_logger("t").info(shape.format(secret), header={"x": shape.format(secret)})
    assert secret not in lines.getvalue()
    assert REDACTED in lines.getvalue()


def test_members_with_telling_names_are_redacted(lines: io.StringIO) -> None:
    structlog.get_logger("t").info("request", authorization="Basic eA==", cookie="a=b", token='q"uote', other="kept")
    said = json.loads(lines.getvalue())
    assert (said["authorization"], said["cookie"], said["token"], said["other"]) == (*[REDACTED] * 3, "kept")


def test_configured_secrets_are_redacted_also_in_tracebacks_and_escaped(lines: io.StringIO) -> None:
    try:
        raise RuntimeError("could not use hunter2-very-secret")
    except RuntimeError:
        logging.getLogger("t").exception("failed")
    structlog.get_logger("t").info('they said with "quotes"\nand lines')
    assert "hunter2" not in lines.getvalue()
    assert "quotes" not in lines.getvalue()


def test_a_short_secret_does_not_redact_ordinary_words(lines: io.StringIO) -> None:
    structlog.get_logger("t").info("abcdef")
    assert "abcdef" in lines.getvalue()


def test_a_sign_in_link_is_redacted(lines: io.StringIO) -> None:
    structlog.get_logger("t").info("POST /login/Zm9vYmFyZm9vYmFyZm9vYmFy done")
    assert "Zm9v" not in lines.getvalue()


def test_the_request_id_is_in_every_line_of_its_request(lines: io.StringIO) -> None:
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        logging.getLogger("interlock.x").info("one")
    assert json.loads(lines.getvalue())["request_id"] == "r1"
