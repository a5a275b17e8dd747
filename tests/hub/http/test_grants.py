"""`/v1/grants`: chosen, listed, used and revoked over HTTP, and by command, by people alone."""

from __future__ import annotations

from typing import Any

import pytest
from house import House

pytestmark = pytest.mark.anyio

BOUNDS = {"seconds": "30m", "times": 2}


async def chosen(house: House, who: str, seen: Any, **more: Any) -> Any:
    body = {"approval": seen["id"], "digest": seen["digest"], **BOUNDS, **more}
    return await house.ask(who, "POST", "/v1/grants", body)


async def granted(house: House) -> Any:
    """The grant that Ana and Bo chose on a request of Cai's."""
    seen = await house.review("cai")
    await chosen(house, "bo", seen)
    return (await chosen(house, "ana", seen)).json()


async def asked(house: House, state: str, who: str = "cai", name: str = "bob") -> Any:
    """A request that came so far by itself."""
    body = {"action": "greet", "params": {"name": name}, "reason": "again"}
    made = (await house.ask(who, "POST", "/v1/approvals", body)).json()
    while made["state"] in ("SUBMITTED", "APPROVED", "APPLYING"):
        path = f"/v1/approvals/{made['id']}/wait?after={made['id'][1:]}-{made['version']}&timeout=5"
        made = (await house.ask(who, "GET", path)).json()
    assert made["state"] == state, made
    return made


async def test_one_is_chosen_by_two_used_listed_and_revoked(house: House) -> None:
    seen = await house.review("cai")
    first = await chosen(house, "bo", seen)
    assert (first.status_code, first.json()["grant"]) == (202, None)
    assert first.json()["approval"]["decisions"][0]["grant"] == {"seconds": 1800, "times": 2}
    made = await chosen(house, "ana", seen)
    assert (made.status_code, made.headers["location"]) == (201, "/v1/grants/G1")
    grant = made.json()
    assert (grant["state"], grant["approval"], grant["requester"]) == ("active", seen["id"], "cai")
    assert [each["by"] for each in grant["chosen_by"]] == ["bo", "ana"]

    used = await asked(house, "COMPLETED")
    assert (used["by_grant"]["id"], used["decisions"]) == ("G1", [])
    assert [each["id"] for each in used["by_grant"]["by"]] == ["bo", "ana"]
    card = (await house.ask("dee", "POST", "/v1/commands", {"text": f"show {used['id']}"})).json()["card"]
    assert {"label": "BY GRANT", "value": f"G1, chosen on {seen['id']} by Bo Lind, Ana Ruiz", "code": False} in card[
        "fields"
    ]
    assert "grant G1" in card["summary"]
    (listed,) = (await house.ask("dee", "GET", "/v1/grants")).json()["items"]
    assert (listed["used"], [each["approval"] for each in listed["uses"]]) == (1, [used["id"]])
    origin = (await house.ask("dee", "GET", f"/v1/approvals/{seen['id']}")).json()
    assert [(each["id"], each["used"]) for each in origin["grants"]] == [("G1", 1)]

    ended = (await house.ask("cai", "DELETE", "/v1/grants/G1")).json()
    assert (ended["state"], ended["ended"]) == ("ended", "revoked")
    assert (await house.ask("dee", "GET", "/v1/grants")).json()["items"] == []
    assert [e["id"] for e in (await house.ask("dee", "GET", "/v1/grants?which=all")).json()["items"]] == ["G1"]
    assert (await house.ask("dee", "GET", "/v1/grants/G1")).json()["uses"] == listed["uses"]
    await asked(house, "REVIEWING")


async def test_a_grant_is_for_its_requester_and_its_parameters(house: House) -> None:
    assert (await granted(house))["id"] == "G1"
    await asked(house, "REVIEWING", name="eve")
    await asked(house, "REVIEWING", who="bot")
    await asked(house, "COMPLETED")


async def test_the_commands_do_the_same(house: House) -> None:
    seen = await house.review("cai")
    for who in ("bo", "ana"):
        said = {"text": f"grant {seen['id']} for 30m times 1"}
        first = (await house.ask(who, "POST", "/v1/commands", said)).json()
        assert first["code"] == "digest_required"  # the card is shown before it counts
    for who in ("bo", "ana"):
        await chosen(house, who, seen)
    told = (await house.ask("dee", "POST", "/v1/commands", {"text": "grants"})).json()
    assert "G1: Greet bob, for cai; 0 of 2 used, until" in told["text"]
    assert "chosen by bo, ana" in told["text"]
    refused = (await house.ask("dee", "POST", "/v1/commands", {"text": "revoke G1"})).json()
    assert refused["code"] == "may_not_stop"
    ended = (await house.ask("cai", "POST", "/v1/commands", {"text": "revoke G1 because it is enough"})).json()
    assert ended["text"] == "G1 has ended after 0 of 2 uses"


async def test_what_cannot_be_is_refused_and_recorded(house: House) -> None:
    seen = await house.review("cai")
    for who, more, status, code in (
        ("bo", {"digest": None}, 400, "digest_required"),
        ("bo", {"digest": "ab"}, 409, "digest_stale"),
        ("bo", {"seconds": "9h"}, 400, "too_long"),
        ("bo", {"times": 21}, 400, "too_many"),
        ("bo", {"seconds": "soon"}, 400, "bad_duration"),
        ("bot", {}, 403, "not_a_person"),
        ("ci", {}, 403, "not_a_person"),
        ("cai", {}, 403, "own_request"),
        ("dee", {}, 403, "not_eligible"),
    ):
        answer = await chosen(house, who, seen, **more)
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert (await house.ask("bo", "DELETE", "/v1/grants/G9")).status_code == 404
    codes = [each["details"]["code"] for each in await house.events() if each["event"] == "command:refused"]
    assert {"too_long", "too_many", "own_request", "not_a_person"} <= set(codes)
    assert (await house.ask("bo", "GET", "/v1/grants?which=all")).json()["items"] == []


async def test_what_is_hidden_has_hidden_grants(house: House) -> None:
    seen = await house.review("bo", "quiet")
    assert (await chosen(house, "dee", seen)).status_code == 201
    assert (await house.ask("cai", "GET", "/v1/grants")).json()["items"] == []
    assert (await house.ask("cai", "GET", "/v1/grants/G1")).status_code == 404
    assert (await house.ask("cai", "DELETE", "/v1/grants/G1")).status_code == 404
    assert len((await house.ask("bo", "GET", "/v1/grants")).json()["items"]) == 1
    for who, seen_by in (("cai", {}), ("bo", None)):
        told = (await house.ask(who, "GET", "/v1/events?event=grant:created")).json()["items"]
        assert [each["subject"] for each in told] == ["G1"]
        assert seen_by is None or told[0]["details"] == seen_by
