"""`/v1/delegations`: made, listed and ended over HTTP, by people alone."""

from __future__ import annotations

import pytest
from house import House

pytestmark = pytest.mark.anyio


async def test_one_is_made_listed_used_and_ended(house: House) -> None:
    body = {"to": "dee", "until": "2h", "actions": ["greet"]}
    made = await house.ask("bo", "POST", "/v1/delegations", body)
    assert made.status_code == 201, made.text
    assert made.headers["location"] == "/v1/delegations/D1"
    lent = made.json()
    assert (lent["id"], lent["delegator"], lent["delegate"], lent["actions"]) == ("D1", "bo", "dee", ["greet"])
    for who, seen in (("bo", 1), ("dee", 1), ("cai", 0)):
        assert len((await house.ask(who, "GET", "/v1/delegations")).json()["items"]) == seen
    assert len((await house.ask("cai", "GET", "/v1/delegations?which=all")).json()["items"]) == 1
    seen = await house.review("cai")
    who_can = (await house.ask("ana", "GET", f"/v1/approvals/{seen['id']}/who")).json()
    assert [(each["by"]["id"], each["on_behalf_of"]["id"]) for each in who_can["delegations"]] == [("dee", "bo")]
    decided = await house.ask("dee", "POST", f"/v1/approvals/{seen['id']}/approve", {"digest": seen["digest"]})
    assert decided.json()["decisions"][0]["on_behalf_of"]["name"] == "Bo Lind"
    ended = await house.ask("bo", "DELETE", "/v1/delegations/D1")
    assert (ended.status_code, ended.json()) == (200, {"ended": ["D1"]})
    again = (await house.ask("ana", "GET", f"/v1/approvals/{seen['id']}")).json()
    assert again["requirements"][0]["have"] == 0


async def test_away_is_made_the_same_way(house: House) -> None:
    made = await house.ask("bo", "POST", "/v1/delegations", {"kind": "away", "until": "2h"})
    assert (made.json()["kind"], made.json()["delegate"]) == ("away", None)


async def test_what_cannot_be_is_refused(house: House) -> None:
    for who, body, status, code in (
        ("bo", {"to": "bo", "until": "2h"}, 400, "delegate_to_oneself"),
        ("bo", {"to": "dee", "until": "soon"}, 400, "bad_moment"),
        ("bo", {"to": "dee", "until": "31d"}, 400, "too_long"),
        ("bo", {"to": "bot", "until": "2h"}, 400, "not_a_person"),
        ("bot", {"to": "dee", "until": "2h"}, 403, "not_a_person"),
        ("bo", {"until": "2h"}, 400, "usage"),
    ):
        answer = await house.ask(who, "POST", "/v1/delegations", body)
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert (await house.ask("bo", "DELETE", "/v1/delegations/D7")).status_code == 404


async def test_a_key_that_may_not_decide_may_not_let_others_decide(house: House) -> None:
    key = await house.key("bo", decide=False)
    answer = await house.http.post(
        "/v1/delegations", json={"to": "dee", "until": "2h"}, headers={"authorization": f"Bearer {key}"}
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "key_may_not_decide")
