"""Default deny: every route states a permission, and everybody who lacks it is refused."""

import re
from typing import Any

import pytest
from fastapi import APIRouter
from house import House
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from core.people.assurance import Assurance
from core.people.directory import OPERATOR
from hub.http import app as application
from hub.http.app import build_app
from hub.http.guard import HUB, Guarded, Hot, through
from hub.http.peer import Peer
from hub.http.permissions import OPEN, Permission, needs, right, verb
from hub.proofs import caller_for

pytestmark = pytest.mark.anyio

IDS = {
    "message": "M1",
    "id": "A1",
    "lock_id": "L1",
    "ticket": "T1",
    "seq": "1",
    "prefix": "abcdefgh",
    "token": "nothing",
    "name": "x",
}
DECIDE = ("approve", "reject", "request-changes")


async def operations(house: House) -> list[tuple[str, str, str]]:
    """(method, path, permission) of every operation in the OpenAPI document."""
    made = (await house.http.get("/openapi.json")).json()
    return [
        (method.upper(), path, operation["x-permission"])
        for path, item in made["paths"].items()
        for method, operation in item.items()
    ]


def filled(path: str) -> str:
    path = re.sub(r"{(\w+)}", lambda found: IDS[found[1]], path)
    return path.replace("/runs/A1", "/runs/R1").replace("/sessions/A1", "/sessions/s1")


def needs_caller(permission: str) -> bool:
    return permission not in ("open", "self")


async def test_nobody_without_a_proof_gets_into_a_route_that_needs_one(house: House) -> None:
    asked = [each for each in await operations(house) if needs_caller(each[2])]
    assert len(asked) > 35
    for method, path, _ in asked:
        answer = await house.http.request(method, filled(path), json={})
        assert answer.status_code == 401, (method, path, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("who", ["bot", "ci"])
async def test_agents_and_services_decide_nowhere(house: House, who: str) -> None:
    asked = [each for each in await operations(house) if each[2] in {f"verb:{name}" for name in DECIDE}]
    assert len(asked) == 4  # three verdicts and the batch
    for method, path, _ in asked:
        answer = await house.ask(who, method, filled(path), {"digest": "0" * 64})
        assert (answer.status_code, answer.json()["code"]) == (403, "not_a_person"), (method, path)


async def test_who_lacks_a_right_is_refused_on_every_route_that_needs_it(house: House) -> None:
    for method, path, permission in await operations(house):
        kind, _, name = permission.partition(":")
        wanted = name if kind == "right" else "resolve" if name == "resolve" else "break" if "break" in name else ""
        if path.endswith("/tail"):  # one who may read it reads for ever
            continue
        if kind == "right" or wanted:
            cai = house.hub.world.people.find("cai")
            assert cai is not None
            answer = await house.ask("cai", method, filled(path), {})
            if house.hub.world.rights.has(cai, wanted):
                assert answer.status_code != 403, (method, path, answer.text)
            else:
                assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed"), (method, path)


async def test_the_operator_neither_requests_nor_decides_nor_leases_anywhere(house: House) -> None:
    refused = {"edit", "request", "submit", "withdraw", "apply", "retry", "rollback", "resolve", *DECIDE}
    seen = set()
    for method, path, permission in await operations(house):
        name = permission.partition(":")[2]
        if permission == "member" or (
            permission.startswith("verb:") and (name in refused or name.startswith("lease-") or name == "lock")
        ):
            answer = await _as_operator(house, method, filled(path))
            assert answer == 403, (method, path, answer)
            seen.add(name)
    assert {"request", "approve", "lease-acquire"} <= seen


async def _as_operator(house: House, method: str, path: str) -> int:
    """The status that the data directory's owner gets through the control socket."""
    import os

    statuses: list[int] = []
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"localhost"), (b"content-type", b"application/json")],
        "state": {"peer": Peer(pid=os.getpid(), uid=os.getuid())},
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await house.app(scope, receive, send)
    return statuses[0]


async def test_every_refusal_of_a_known_caller_is_in_the_log(house: House) -> None:
    await house.ask("bot", "POST", "/v1/approvals/A1/approve", {})
    await house.ask("cai", "GET", "/v1/keys")
    refused = [
        (each["actor"], each["details"]["verb"]) for each in await house.events() if each["event"] == "command:refused"
    ]
    assert refused == [("bot", "POST /v1/approvals/{id}/approve"), ("cai", "GET /v1/keys")]


async def test_a_route_without_a_permission_keeps_the_hub_from_starting(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def careless() -> Response:
        return PlainTextResponse("everything")

    with pytest.raises(ValueError, match="states no permission"):
        APIRouter(route_class=Guarded).add_api_route("/v1/careless", careless)
    with pytest.raises(ValueError, match="states no permission"):
        Hot("/v1/careless", careless, methods=["POST"], operation={})
    plain = APIRouter()
    plain.add_api_route("/v1/careless", careless)
    monkeypatch.setattr(application, "ROUTERS", (*application.ROUTERS, plain))
    with pytest.raises(ValueError, match="behind no door"):
        build_app(house.hub)


async def test_a_channel_cannot_take_over_an_address_of_the_hub(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def mine(request: Request) -> Response:
        return PlainTextResponse("mine")

    class Greedy:
        def routes(self) -> list[Route]:
            return [Route("/v1/keys", mine, methods=["POST"])]

    monkeypatch.setitem(house.hub.adapters, "greedy", Greedy())
    with pytest.raises(ValueError, match="serves /v1/keys"):
        build_app(house.hub)


async def test_a_bug_is_answered_with_an_id_and_without_a_trace(house: House, caplog: pytest.LogCaptureFixture) -> None:
    async def broken(request: Request, ask: object) -> Response:
        raise RuntimeError("the secret plan")

    request = Request({"type": "http", "method": "GET", "headers": [], HUB: house.hub, "state": {"request_id": "r77"}})
    answer = await through(request, OPEN, broken, takes_body=False)
    assert answer.status_code == 500
    assert b"r77" in bytes(answer.body)
    assert b"secret" not in bytes(answer.body)
    assert "the secret plan" in caplog.text


async def test_permissions_are_written_as_the_document_shows_them() -> None:
    assert [str(each) for each in (OPEN, right("keys"), verb("approve"))] == ["open", "right:keys", "verb:approve"]


async def test_a_verb_that_the_hub_lacks_is_refused_to_everybody(house: House) -> None:
    from hub.http.auth import call_of

    caller = caller_for(OPERATOR, assurance=Assurance.CHAT, proof="socket:1:1")
    with pytest.raises(Exception, match="nobody may do this here"):
        Permission(kind="verb", name="fly").demand(call_of(caller, "cli", house.hub), house.hub.registry)


async def test_stating_a_permission_leaves_the_endpoint_as_it_is() -> None:
    async def endpoint() -> None: ...

    assert needs(OPEN)(endpoint) is endpoint
