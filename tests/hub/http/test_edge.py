"""What every request passes first, and what every response leaves with."""

import json
from typing import Any

import pytest
from house import House

from hub.http.edge import BODY_LIMIT

pytestmark = pytest.mark.anyio


async def raw(
    house: House,
    path: bytes = b"/healthz",
    query: bytes = b"",
    method: str = "GET",
    headers: list[tuple[bytes, bytes]] | None = None,
    body: list[bytes] | None = None,
) -> tuple[int, dict[str, str], bytes]:
    """The answer to a request that no client library would send."""
    from urllib.parse import unquote

    chunks = list(body or [b""])
    given = [(b"host", b"127.0.0.1:8000")] if headers is None else headers
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path.decode("latin-1")),
        "raw_path": path,
        "query_string": query,
        "headers": given,
        "client": ("127.0.0.1", 1),
    }
    said: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": chunks.pop(0), "more_body": bool(chunks)}

    async def send(message: Any) -> None:
        said.append(message)

    await house.app(scope, receive, send)
    head = {name.decode(): value.decode() for name, value in said[0]["headers"]}
    return said[0]["status"], head, b"".join(each.get("body", b"") for each in said[1:])


def code(body: bytes) -> str:
    return str(json.loads(body)["code"])


async def test_every_answer_carries_a_request_id_and_security_headers(house: House) -> None:
    for path in ("/healthz", "/v1/me", "/nothing", "/docs"):
        answer = await house.http.get(path)
        assert len(answer.headers["x-request-id"]) >= 8
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"
        assert "server" not in answer.headers


async def test_a_sane_request_id_is_kept_and_another_replaced(house: House) -> None:
    assert (await house.http.get("/healthz", headers={"x-request-id": "trace-1"})).headers["x-request-id"] == "trace-1"
    bad = await house.http.get("/healthz", headers={"x-request-id": 'a"b c'})
    assert bad.headers["x-request-id"] != 'a"b c'


@pytest.mark.parametrize("host", [b"evil.example", b"127.0.0.1.evil.example", b"", b"[::1", b"127.0.0.2:8000"])
async def test_another_host_name_is_refused(house: House, host: bytes) -> None:
    status, _, body = await raw(house, headers=[(b"host", host)])
    assert (status, code(body)) == (400, "unknown_host")
    status, _, body = await raw(house, headers=[])
    assert (status, code(body)) == (400, "unknown_host")


@pytest.mark.parametrize("host", [b"127.0.0.1:8000", b"localhost", b"LOCALHOST:99", b"[::1]:8000"])
async def test_the_public_name_and_local_names_pass(house: House, host: bytes) -> None:
    assert (await raw(house, headers=[(b"host", host)]))[0] == 200


@pytest.mark.parametrize(
    ("path", "query", "wanted"),
    [
        (b"/v1/approvals/A%00", b"", "invalid_characters"),
        (b"/v1/approvals", b"state=%00", "invalid_characters"),
        (b"/v1/approvals/%ff%fe", b"", "not_utf8"),
    ],
)
async def test_an_address_that_is_no_text_is_refused(house: House, path: bytes, query: bytes, wanted: str) -> None:
    status, _, body = await raw(house, path, query)
    assert (status, code(body)) == (400, wanted)


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (b'{"text": "\xff"}', "not_utf8"),
        (b'{"text": "a\\u0000b"}', "invalid_characters"),
        (b'{"text": ', "bad_json"),
        (b"[" * 100_000, "bad_json"),
        (b'{"text": "\\ud800"}', "bad_json"),
        (b'{"text": NaN}', "bad_json"),
    ],
)
@pytest.mark.parametrize("path", [b"/v1/commands", b"/v1/approvals"])
async def test_a_body_that_is_no_json_text_is_refused(house: House, path: bytes, body: bytes, wanted: str) -> None:
    headers = [(b"host", b"localhost"), (b"authorization", f"Bearer {await house.key('bo')}".encode())]
    status, _, said = await raw(house, path, method="POST", headers=headers, body=[body])
    assert (status, code(said)) == (400, wanted)


@pytest.mark.parametrize(
    ("body", "wanted"),
    [(b"\xff", "not_utf8"), (b"{", "bad_json"), (b"[]", "invalid_request"), (b" " * (BODY_LIMIT + 1), "too_large")],
)
async def test_a_bad_body_of_somebody_unknown_is_refused_as_well(house: House, body: bytes, wanted: str) -> None:
    answer = await house.http.post("/v1/auth/token", content=body)
    assert (answer.status_code, answer.json()["code"]) == (413 if wanted == "too_large" else 400, wanted)


@pytest.mark.parametrize("path", ["/v1/commands", "/v1/approvals"])
async def test_a_body_is_json_also_when_curl_calls_it_a_form_and_nothing_else_is(house: House, path: str) -> None:
    bearer = f"Bearer {await house.key('bo')}"

    async def sent(content: bytes, media: str) -> tuple[int, object]:
        headers = {"authorization": bearer, "content-type": media}
        answer = await house.http.post(path, content=content, headers=headers)
        return answer.status_code, answer.json().get("code")

    json_text = (
        b'{"text": "whoami"}' if path.endswith("commands") else b'{"action": "greet", "params": {"name": "bob"}}'
    )
    for media in ("application/json; charset=utf-8", "application/x-www-form-urlencoded", "text/plain"):
        assert (await sent(json_text, media))[0] in (200, 201), media
    assert await sent(b"text=whoami", "application/x-www-form-urlencoded") == (400, "bad_json")
    assert await sent(json_text, "multipart/form-data; boundary=x") == (415, "media_type")


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("path", [b"/v1/commands", b"/v1/approvals", b"/hooks/ci"])
async def test_a_body_over_a_mebibyte_is_413(house: House, announced: bool, path: bytes) -> None:
    headers = [(b"host", b"localhost"), (b"authorization", f"Bearer {await house.key('bo')}".encode())]
    if announced:
        headers.append((b"content-length", str(BODY_LIMIT + 1).encode()))
    chunks = [b" " * 65_536] * (BODY_LIMIT // 65_536) + [b" "]
    status, head, said = await raw(house, path, method="POST", headers=headers, body=chunks)
    if path.startswith(b"/hooks"):
        assert status in (404, 413)
        return
    assert (status, code(said)) == (413, "too_large")
    assert head["connection"] == "close"
    assert "command:refused" in [each["event"] for each in await house.events()]


async def test_a_body_of_exactly_a_mebibyte_is_read(house: House) -> None:
    headers = [(b"host", b"localhost"), (b"authorization", f"Bearer {await house.key('bo')}".encode())]
    body = b'{"text": "whoami"}'
    status, _, _ = await raw(
        house, b"/v1/commands", method="POST", headers=headers, body=[body, b" " * (BODY_LIMIT - len(body))]
    )
    assert status == 200


async def test_head_is_get_without_a_body(house: House) -> None:
    for path in ("/healthz", "/openapi.json", "/v1/me"):
        got, head = await house.http.get(path), await house.http.head(path)
        assert (head.status_code, head.content) == (got.status_code, b"")
        assert head.headers["content-length"] == got.headers["content-length"]


async def test_what_is_not_there_and_what_a_path_does_not_take_are_problems(house: House) -> None:
    missing = await house.http.get("/v1/nothing")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    for method, path in (("PUT", "/v1/keys"), ("DELETE", "/v1/commands"), ("POST", "/healthz")):
        wrong = await house.http.request(method, path)
        assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed"), path


async def test_requests_are_measured_by_route_and_not_by_address(house: House) -> None:
    await house.ask("bo", "GET", "/v1/approvals/A1")
    await house.ask("bo", "POST", "/v1/commands", {"text": "whoami"})
    text = (await house.http.get("/metrics")).text
    assert 'route="/v1/approvals/{id}",status="404"' in text
    assert 'route="/v1/commands",status="200"' in text
    assert "A1" not in text


async def test_who_proves_nothing_is_counted(house: House) -> None:
    await house.http.get("/v1/me")
    await house.http.get("/v1/me", headers={"authorization": "Bearer ilk_x"})
    text = (await house.http.get("/metrics")).text
    assert 'interlock_unproven_total{channel="http",code="not_signed_in"} 1.0' in text
    assert 'interlock_unproven_total{channel="http",code="bad_key"} 1.0' in text
