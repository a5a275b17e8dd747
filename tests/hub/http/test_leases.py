"""`/v1/leases`: the status codes of CONTRACT, tickets that wait, tokens that are needed."""

import asyncio

import pytest
from house import House

pytestmark = pytest.mark.anyio

PROD = {"resources": ["env:prod"]}


async def test_acquire_heartbeat_release_and_release_again(house: House) -> None:
    got = await house.ask("bot", "POST", "/v1/leases/acquire", {**PROD, "ttl_seconds": 30, "purpose": "deploy"})
    assert got.status_code == 200, got.text
    lease = got.json()
    assert {"lock_id", "resources", "mode", "holder", "token", "ttl_seconds", "acquired_at", "heartbeat_at"} <= set(
        lease
    )
    path = f"/v1/leases/{lease['lock_id']}"
    assert (await house.ask("bot", "POST", f"{path}/heartbeat", {"token": lease["token"]})).status_code == 200
    assert (await house.ask("bot", "POST", f"{path}/heartbeat", {"token": lease["token"] - 1})).status_code in (
        403,
        409,
    )
    assert (await house.ask("ci", "POST", f"{path}/release", {"token": lease["token"]})).status_code in (403, 404)
    for _ in range(2):
        assert (await house.ask("bot", "POST", f"{path}/release", {"token": lease["token"]})).status_code == 200
    assert (await house.ask("bot", "GET", "/v1/leases")).json()["items"] == []


async def test_leases_of_a_session_are_renewed_together_and_what_is_lost_is_named(house: House) -> None:
    mine = {"ttl_seconds": 30, "session": "s1"}
    held = [
        (await house.ask("bot", "POST", "/v1/leases/acquire", {"resources": [f"env:{at}"], **mine})).json()
        for at in range(3)
    ]
    await house.ask("bot", "POST", f"/v1/leases/{held[0]['lock_id']}/release", {"token": held[0]["token"]})
    pairs = [{"lock_id": each["lock_id"], "token": each["token"]} for each in held]
    renewed = await house.ask("bot", "POST", "/v1/leases/heartbeat", {"session": "s1", "leases": pairs})
    assert renewed.status_code == 200, renewed.text
    assert [each["lock_id"] for each in renewed.json()["items"]] == [each["lock_id"] for each in held[1:]]
    assert renewed.json()["lost"] == [held[0]["lock_id"]]
    others = await house.ask("ci", "POST", "/v1/leases/heartbeat", {"session": "s1", "leases": pairs})
    assert others.json()["items"] == []
    many = [pairs[1]] * 201
    refused = await house.ask("bot", "POST", "/v1/leases/heartbeat", {"session": "s1", "leases": many})
    assert refused.status_code == 400


async def test_the_longest_hold_bounds_what_heartbeats_give(house: House) -> None:
    body = {**PROD, "ttl_seconds": 30, "max_hold_seconds": 30}
    lease = (await house.ask("bot", "POST", "/v1/leases/acquire", body)).json()
    path = f"/v1/leases/{lease['lock_id']}/heartbeat"
    renewed = (await house.ask("bot", "POST", path, {"token": lease["token"]})).json()
    assert renewed["expires_at"] == lease["expires_at"]


async def test_who_does_not_wait_hears_who_holds_it(house: House) -> None:
    await house.ask("bot", "POST", "/v1/leases/acquire", {**PROD, "purpose": "deploy"})
    answer = await house.ask("ci", "POST", "/v1/leases/acquire", PROD)
    assert answer.status_code == 409
    (holder,) = answer.json()["held_by"]
    assert {"holder", "principal", "since", "purpose", "expires_at"} <= set(holder)
    assert holder["purpose"] == "deploy"


async def test_who_waits_gets_a_ticket_at_once_and_the_lease_when_it_is_free(house: House) -> None:
    held = (await house.ask("bot", "POST", "/v1/leases/acquire", PROD)).json()
    waits = await house.ask("ci", "POST", "/v1/leases/acquire", {**PROD, "wait_seconds": 60})
    assert waits.status_code == 202
    ticket = waits.json()["ticket"]
    assert waits.json()["position"] == 1
    path = f"/v1/leases/tickets/{ticket}"
    assert (await house.ask("ci", "GET", path)).json()["state"] == "waiting"
    assert (await house.ask("bot", "GET", path)).status_code == 404
    polling = asyncio.create_task(house.ask("ci", "GET", f"{path}?wait=25"))
    while not house.hub.feed._watched:
        await asyncio.sleep(0)
    release = await house.ask("bot", "POST", f"/v1/leases/{held['lock_id']}/release", {"token": held["token"]})
    assert release.status_code == 200
    async with asyncio.timeout(2):
        granted = (await polling).json()
    assert granted["state"] == "granted"
    assert granted["lease"]["token"] > held["token"]
    gone = await house.ask("ci", "DELETE", path)
    assert (gone.status_code, gone.json()["code"]) == (409, "already_granted")


async def test_a_place_can_be_given_up(house: House) -> None:
    await house.ask("bot", "POST", "/v1/leases/acquire", PROD)
    ticket = (await house.ask("ci", "POST", "/v1/leases/acquire", {**PROD, "wait_seconds": 60})).json()["ticket"]
    assert (await house.ask("ci", "DELETE", f"/v1/leases/tickets/{ticket}")).json()["state"] == "cancelled"


async def test_breaking_needs_the_right_and_a_reason(house: House) -> None:
    lease = (await house.ask("bot", "POST", "/v1/leases/acquire", PROD)).json()
    path = f"/v1/leases/{lease['lock_id']}/break"
    assert (await house.ask("cai", "POST", path, {"reason": "mine"})).status_code == 403
    assert (await house.ask("ana", "POST", path, {})).status_code == 400
    assert (await house.ask("ana", "POST", path, {"reason": "it hangs"})).status_code == 200
    late = await house.ask("bot", "POST", f"/v1/leases/{lease['lock_id']}/heartbeat", {"token": lease["token"]})
    assert (late.status_code, late.json()["code"]) == (409, "lease_lost")


async def test_the_same_acquire_under_its_key_answers_with_the_lease_as_it_is(house: House) -> None:
    first = (await house.ask("bot", "POST", "/v1/leases/acquire", PROD, idempotency_key="a1")).json()
    again = await house.ask("bot", "POST", "/v1/leases/acquire", PROD, idempotency_key="a1")
    assert (again.status_code, again.json()["lock_id"]) == (200, first["lock_id"])


@pytest.mark.parametrize(
    "body",
    [{}, {"resources": []}, {"resources": ["noname"]}, {**PROD, "ttl_seconds": 0.1}, {**PROD, "mode": "odd"}, [1]],
)
async def test_what_makes_no_sense_is_400(house: House, body: object) -> None:
    answer = await house.ask("bot", "POST", "/v1/leases/acquire", body)
    assert answer.status_code == 400
    assert answer.json()["code"]


async def test_priority_needs_the_right_override(house: House) -> None:
    assert (await house.ask("bot", "POST", "/v1/leases/acquire", {**PROD, "priority": 1})).status_code == 403


async def test_the_list_goes_on_where_its_page_ended(house: House) -> None:
    for at in range(3):
        await house.ask("bot", "POST", "/v1/leases/acquire", {"resources": [f"env:e{at}"]})
    first = (await house.ask("cai", "GET", "/v1/leases?limit=2")).json()
    rest = (await house.ask("cai", "GET", f"/v1/leases?cursor={first['next']}")).json()
    assert [each["resources"][0] for each in first["items"] + rest["items"]] == ["env:e0", "env:e1", "env:e2"]
    assert rest["next"] is None
