"""Inbound webhooks: only what is proved is read, and what is read maps to a typed command."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson
import pytest
from standardwebhooks import Webhook
from starlette.applications import Starlette

from adapters.webhook.adapter import MOST_BYTES, WebhookAdapter
from adapters.webhook.parse import key_of
from core.people.assurance import Assurance
from core.world import Channel, Hook
from hub.contracts import Caller, Command
from hub.testing import RecordingHub

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OLD_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
GITHUB_SECRET = "It's a Secret to Everybody"
CI_KEY = Caller(principal="ci", name="CI", kind="service", assurance=Assurance.CHAT, proof="key:ci")
BO_KEY = Caller(principal="bo", name="Bo", kind="person", assurance=Assurance.CHAT, proof="key:bo")

HOOKS = [
    Hook(
        name="ci",
        verify="standard-webhooks",
        principal="ci",
        secrets=(SECRET, OLD_SECRET),
        action="deploy",
        params={"service": "body.service", "version": "body.version", "env": '"staging"'},
        reason='"for " + headers["x-build"]',
    ),
    Hook(name="ops", verify="standard-webhooks", principal="ci", secrets=(SECRET,)),
    Hook(name="github", verify="github", principal="ci", secrets=(GITHUB_SECRET,)),
    Hook(name="key", verify="bearer", principal="ci"),
]


class Sent:
    def __init__(self, hub: RecordingHub, client: httpx.AsyncClient) -> None:
        self.hub = hub
        self.client = client

    async def signed(
        self, name: str, body: bytes, *, id: str = "m1", secret: str = SECRET, **headers: str
    ) -> httpx.Response:
        at = datetime.now(UTC)
        signed = b"%b.%d.%b" % (id.encode(), int(at.timestamp()), body)
        signature = _v1(secret, signed)
        sent = {"webhook-id": id, "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signature}
        return await self.client.post(f"/hooks/{name}", content=body, headers=sent | headers)

    async def post(self, name: str, body: bytes, headers: dict[str, str]) -> httpx.Response:
        return await self.client.post(f"/hooks/{name}", content=body, headers=headers)


def _v1(secret: str, signed: bytes) -> str:
    from base64 import b64encode

    return "v1," + b64encode(hmac.digest(key_of(secret), signed, "sha256")).decode()


@asynccontextmanager
async def hooks() -> AsyncIterator[Sent]:
    hub = RecordingHub(
        hooks={hook.name: hook for hook in HOOKS},
        callers={"Bearer ci": CI_KEY, "Bearer bo": BO_KEY},
    )
    adapter = WebhookAdapter(Channel(name="hooks", adapter="webhook"), hub)
    transport = httpx.ASGITransport(Starlette(routes=adapter.routes()))
    async with adapter.run(), httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
        yield Sent(hub, client)


BUILD = orjson.dumps({"service": "web", "version": "1.2.3"})


@pytest.mark.anyio
async def test_a_mapped_hook_becomes_a_typed_request_of_its_principal() -> None:
    async with hooks() as sent:
        answer = await sent.signed("ci", BUILD, **{"X-Build": "77"})
        assert answer.status_code == 200
        assert answer.json()["ok"]
        (inbound,) = sent.hub.inbounds
        assert inbound.channel == "hook:ci"
        assert inbound.sender.principal == "ci"
        assert inbound.assurance is Assurance.CHAT
        assert inbound.message_id == "m1"
        assert inbound.body_hash == hashlib.sha256(BUILD).digest()
        assert inbound.command == Command(
            verb="request",
            args={
                "action": "deploy",
                "params": {"service": "web", "version": "1.2.3", "env": "staging"},
                "reason": "for 77",
            },
        )


@pytest.mark.anyio
async def test_a_hook_without_mapping_takes_a_command_or_an_action() -> None:
    async with hooks() as sent:
        assert (await sent.signed("ops", b'{"command": "status"}', id="a")).status_code == 200
        body = b'{"action": "deploy", "params": {"n": 12345678901234567890, "f": 1.5}, "reason": "why"}'
        assert (await sent.signed("ops", body, id="b")).status_code == 200
        assert sent.hub.inbounds[0].text == "status"
        command = sent.hub.inbounds[1].command
        assert command is not None
        assert command.args == {
            "action": "deploy",
            "params": {"n": 12345678901234567890, "f": 1.5},
            "reason": "why",
        }


@pytest.mark.anyio
async def test_an_unknown_hook_is_not_found_whatever_it_carries() -> None:
    async with hooks() as sent:
        answer = await sent.signed("nothing", BUILD)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.anyio
async def test_the_vector_of_the_specification_is_proved() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"command": "status"}'
    at = datetime.now(UTC)
    signature = Webhook(secret).sign("msg_p5jXN8AQM9LWM0D4loKWxJek", at, body.decode())
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signature,
    }
    async with hooks() as sent:
        assert (await sent.post("ops", body, headers)).status_code == 200


@pytest.mark.anyio
async def test_either_of_two_secrets_and_any_of_several_signatures_proves() -> None:
    async with hooks() as sent:
        headers = {"X-Build": "1"}
        assert (await sent.signed("ci", BUILD, id="old", secret=OLD_SECRET, **headers)).status_code == 200
        at = int(time.time())
        good = _v1(SECRET, b"two.%d.%b" % (at, BUILD))
        several = f"v1a,AAAA {_v1('other', b'x')} {good}"
        given = {"webhook-id": "two", "webhook-timestamp": str(at), "webhook-signature": several, "X-Build": "1"}
        assert (await sent.post("ci", BUILD, given)).status_code == 200


def _bad_headers() -> dict[str, dict[str, str]]:
    at = int(time.time())
    good = _v1(SECRET, b"m1.%d.%b" % (at, BUILD))
    right = {"webhook-id": "m1", "webhook-timestamp": str(at), "webhook-signature": good}

    def signed_at(when: str) -> dict[str, str]:
        return right | {"webhook-timestamp": when, "webhook-signature": _v1(SECRET, f"m1.{when}.".encode() + BUILD)}

    return {
        "unsigned": {},
        "no id": {k: v for k, v in right.items() if k != "webhook-id"},
        "no timestamp": {k: v for k, v in right.items() if k != "webhook-timestamp"},
        "no signature": {k: v for k, v in right.items() if k != "webhook-signature"},
        "empty signature": right | {"webhook-signature": ""},
        "no comma": right | {"webhook-signature": "v1"},
        "two commas": right | {"webhook-signature": good.replace(",", ",,")},
        "not base64": right | {"webhook-signature": "v1,@@@"},
        "not ascii": right | {"webhook-signature": "v1,\xe9\xe9\xe9\xe9"},
        "short": right | {"webhook-signature": "v1,AAAA"},
        "good and broken": right | {"webhook-signature": f"{good} nonsense"},
        "another version": right | {"webhook-signature": good.replace("v1,", "v2,")},
        "too many": right | {"webhook-signature": " ".join([good] * 9)},
        "another secret": right | {"webhook-signature": _v1("whsec_AAAA", b"m1.%d.%b" % (at, BUILD))},
        "another id": right | {"webhook-id": "m2"},
        "another time": right | {"webhook-timestamp": str(at + 1)},
        "too old": signed_at(str(at - 400)),
        "from the future": signed_at(str(at + 400)),
        "a float": signed_at(f"{at}.5"),
        "negative": signed_at(f"-{at}"),
        "a huge number": signed_at("9" * 40),
        "not digits": right | {"webhook-timestamp": "soon"},
        "a long id": right | {"webhook-id": "i" * 300},
        "a bearer key": {"Authorization": "Bearer ci"},
        "github's": {"X-Hub-Signature-256": "sha256=" + hmac.new(SECRET.encode(), BUILD, "sha256").hexdigest()},
    }


@pytest.mark.anyio
@pytest.mark.parametrize("which", sorted(_bad_headers()))
async def test_whatever_is_wrong_with_a_signature_there_is_one_answer(which: str) -> None:
    async with hooks() as sent:
        headers = {k: v.encode("latin-1").decode("latin-1") for k, v in _bad_headers()[which].items()}
        raw = [(k.encode(), v.encode("latin-1")) for k, v in headers.items()]
        answer = await sent.client.post("/hooks/ci", content=BUILD, headers=raw)
        assert (answer.status_code, answer.json()["code"]) == (401, "bad_signature")
        assert sent.hub.inbounds == []
        assert sent.hub.unproven_codes == ["bad_signature"]


@pytest.mark.anyio
async def test_a_header_given_twice_does_not_hide_the_other() -> None:
    async with hooks() as sent:
        at = int(time.time())
        good = _v1(SECRET, b"m1.%d.%b" % (at, BUILD))
        raw = [
            (b"webhook-id", b"m1"),
            (b"webhook-id", b"m2"),
            (b"webhook-timestamp", str(at).encode()),
            (b"webhook-signature", good.encode()),
        ]
        assert (await sent.client.post("/hooks/ci", content=BUILD, headers=raw)).status_code == 401


@pytest.mark.anyio
async def test_a_replay_gets_the_first_answer_and_another_body_under_the_id_is_refused() -> None:
    async with hooks() as sent:
        first = await sent.signed("ops", b'{"command": "status"}')
        again = await sent.signed("ops", b'{"command": "status"}')
        assert (first.status_code, again.status_code) == (200, 200)
        assert again.json() == first.json() | {"repeated": True}
        assert len(sent.hub.acted) == 1
        other = await sent.signed("ops", b'{"command": "stop all because x"}')
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")


@pytest.mark.anyio
async def test_githubs_signature_covers_the_body_which_is_its_own_once_key() -> None:
    body = b'{"command": "status"}'
    digest = hmac.new(GITHUB_SECRET.encode(), body, "sha256").hexdigest()
    async with hooks() as sent:
        for _ in range(2):
            answer = await sent.post("github", body, {"X-Hub-Signature-256": f"sha256={digest}"})
            assert answer.status_code == 200
        assert len(sent.hub.acted) == 1
        assert sent.hub.inbounds[0].message_id == f"sha256:{hashlib.sha256(body).hexdigest()}"
        for wrong in ("", digest, f"sha1={digest}", f"sha256={digest[:-2]}", f"sha256={digest}00", "sha256=xyz"):
            answer = await sent.post("github", body, {"X-Hub-Signature-256": wrong})
            assert (answer.status_code, answer.json()["code"]) == (401, "bad_signature")
        assert (await sent.post("github", body + b" ", {"X-Hub-Signature-256": f"sha256={digest}"})).status_code == 401


@pytest.mark.anyio
async def test_githubs_documented_vector_is_proved() -> None:
    body = b"Hello, World!"
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    async with hooks() as sent:
        answer = await sent.post("github", body, {"X-Hub-Signature-256": signature})
        assert (answer.status_code, answer.json()["code"]) == (400, "unreadable")  # proved, and no JSON


@pytest.mark.anyio
async def test_a_bearer_hook_takes_only_a_key_of_its_own_principal() -> None:
    body = b'{"command": "status"}'
    async with hooks() as sent:
        given = {"Authorization": "Bearer ci", "Idempotency-Key": "k1"}
        assert (await sent.post("key", body, given)).status_code == 200
        assert sent.hub.inbounds[0].message_id == "k1"
        for wrong in ({}, {"Authorization": "Bearer bo"}, {"Authorization": "Bearer nobody"}):
            answer = await sent.post("key", body, wrong)
            assert (answer.status_code, answer.json()["code"]) == (401, "bad_signature")
        sent.hub.ended.add(CI_KEY.proof)
        assert (await sent.post("key", body, given)).status_code == 401


@pytest.mark.anyio
async def test_too_large_a_body_is_refused_before_it_is_hashed_or_held() -> None:
    async with hooks() as sent:
        answer = await sent.signed("ops", b" " * (MOST_BYTES + 1))
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")

        async def dripping() -> AsyncIterator[bytes]:
            for _ in range(MOST_BYTES // 65_536 + 1):
                yield b" " * 65_536

        answer = await sent.client.post("/hooks/ops", content=dripping())
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
        assert sent.hub.unproven_codes == []
        at_the_bound = b'{"command": "status"}'.ljust(MOST_BYTES)
        assert (await sent.signed("ops", at_the_bound)).status_code == 200


@pytest.mark.anyio
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"{",
        b"\xff\xfe\x00",
        b'{"command": "\xff"}',
        b'{"command": "\\ud800"}',
        b"[" * 100_000,
        b'{"a":' * 5_000,
        b"NaN",
        b"null",
        b"[]",
        b'"status"',
        b"{}",
        b'{"command": 3}',
        b'{"command": "status", "action": "deploy"}',
        b'{"action": "deploy", "verb": "approve"}',
        b'{"verb": "approve", "args": {}}',
        b'{"principal": "ana", "command": "status"}',
    ],
)
async def test_an_unreadable_body_of_a_proved_sender_is_refused_and_recorded(body: bytes) -> None:
    async with hooks() as sent:
        answer = await sent.signed("ops", body)
        assert (answer.status_code, answer.json()["code"]) == (400, "unreadable")
        assert sent.hub.inbounds == []
        ((inbound, code),) = sent.hub.refused
        assert (inbound.sender.principal, inbound.channel, code) == ("ci", "hook:ops", "unreadable")


@pytest.mark.anyio
@pytest.mark.parametrize(
    "body",
    [b"{}", b"[]", b'{"service": "web"}', orjson.dumps({"service": {"a": 1}, "version": ["x"] * 200})],
)
async def test_a_body_that_the_mapping_does_not_fit_is_refused(body: bytes) -> None:
    async with hooks() as sent:
        answer = await sent.signed("ci", body, **{"X-Build": "1"})
        assert answer.status_code == 400
        assert sent.hub.inbounds == []


@pytest.mark.anyio
async def test_odd_characters_and_huge_numbers_are_handed_over_for_the_hub_to_refuse() -> None:
    body = '{"service": "we\\u0000b\u200b", "version": 1e400}'.replace("1e400", "123456789012345678901234567890")
    async with hooks() as sent:
        answer = await sent.signed("ci", body.encode(), **{"X-Build": "1"})
        assert answer.status_code == 200
        command: Any = sent.hub.inbounds[0].command
        assert command.args["params"]["service"] == "we\x00b\u200b"


@pytest.mark.anyio
async def test_only_posts_are_taken() -> None:
    async with hooks() as sent:
        assert (await sent.client.get("/hooks/ops")).status_code == 405
