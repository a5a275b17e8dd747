"""`/v1/freezes` and the override, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from house import CONFIG, House, housed

pytestmark = pytest.mark.anyio

FROZEN = CONFIG.replace("  greet:\n", '  greet:\n    resources: ["name:{name}"]\n') + (
    "freezes:\n"
    '  - {name: long, resources: ["env:*"], reason: The books are closed, from: "2020-01-01", until: "2099-01-01"}\n'
)


@pytest.fixture
async def frozen_house(tmp_path: Path) -> AsyncIterator[House]:
    async with housed(tmp_path, FROZEN.replace("groups: [sre, security]", "groups: [sre, security, admins]")) as house:
        yield house


async def freeze(house: House, who: str = "ana", **more: str | list[str]) -> dict[str, str]:
    body = {"resources": ["name:*"], "until": "2h", "reason": "the audit", **more}
    made = await house.ask(who, "POST", "/v1/freezes", body)
    assert made.status_code == 201, made.text
    found: dict[str, str] = made.json()
    assert made.headers["location"] == f"/v1/freezes/{found['id']}"
    return found


async def test_a_freeze_is_made_listed_and_ended(frozen_house: House) -> None:
    made = await freeze(frozen_house)
    assert (made["id"], made["resources"], made["by"]) == ("F1", ["name:*"], "ana")
    listed = (await frozen_house.ask("cai", "GET", "/v1/freezes")).json()
    assert [each["id"] for each in listed["items"]] == ["long", "F1"]
    assert listed["next"] is None
    assert (await frozen_house.ask("ana", "DELETE", "/v1/freezes/F1")).status_code == 200
    again = await frozen_house.ask("ana", "DELETE", "/v1/freezes/F1")
    assert (again.status_code, again.json()["code"]) == (409, "ended")


@pytest.mark.parametrize(
    ("who", "status", "code"), [("cai", 403, "not_allowed"), ("bot", 403, "not_allowed"), (None, 401, None)]
)
async def test_only_who_has_the_right_freezes(frozen_house: House, who: str, status: int, code: str | None) -> None:
    body = {"resources": ["name:*"], "until": "2h", "reason": "mine"}
    refused = await frozen_house.ask(who, "POST", "/v1/freezes", body)
    assert refused.status_code == status
    assert code is None or refused.json()["code"] == code


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"resources": ["prod"], "until": "2h", "reason": "x"}, "bad_resource"),
        ({"resources": ["env:prod"], "until": "whenever", "reason": "x"}, "bad_moment"),
        ({"resources": ["env:prod"], "until": "2020-01-01T00:00Z", "reason": "x"}, "past"),
        ({"resources": ["env:prod"], "until": "900d", "reason": "x"}, "too_long"),
        ({"resources": ["env:prod"], "until": "2h", "reason": " "}, "reason_required"),
    ],
)
async def test_what_is_no_freeze_is_refused(frozen_house: House, body: dict[str, object], code: str) -> None:
    refused = await frozen_house.ask("ana", "POST", "/v1/freezes", body)
    assert (refused.status_code, refused.json()["code"]) == (400, code)


async def test_a_freeze_of_hub_yaml_is_not_ended_over_http(frozen_house: House) -> None:
    refused = await frozen_house.ask("ana", "DELETE", "/v1/freezes/long")
    assert (refused.status_code, refused.json()["code"]) == (409, "configured")
    assert "hub.yaml:" in refused.json()["detail"]
    assert (await frozen_house.ask("ana", "DELETE", "/v1/freezes/F9")).status_code == 404


async def test_an_override_takes_the_right_a_reason_and_another_person(frozen_house: House) -> None:
    house = frozen_house
    await freeze(house)
    asked = await house.ask(
        "bo", "POST", "/v1/approvals", {"action": "greet", "params": {"name": "bob"}, "reason": "r"}
    )
    name = asked.json()["approval"]["id"] if "approval" in asked.json() else "A1"
    path = f"/v1/approvals/{name}/override"
    for who, code in (("cai", "not_allowed"), ("bot", "not_a_person"), ("bo", "own_request")):
        refused = await house.ask(who, "POST", path, {"reason": "it burns"})
        assert (refused.status_code, refused.json()["code"]) == (403, code), who
    assert (await house.ask("ana", "POST", path, {})).status_code == 400
    weak = await house.key("ana", decide=False)
    refused = await house.http.post(path, json={"reason": "x"}, headers={"authorization": f"Bearer {weak}"})
    assert refused.json()["code"] == "key_may_not_decide"
    done = await house.ask("ana", "POST", path, {"reason": "it burns"})
    assert done.status_code == 200, done.text
    assert done.json()["override"]["by"]["id"] == "ana"
    twice = await house.ask("ana", "POST", path, {"reason": "again"})
    assert (twice.status_code, twice.json()["code"]) == (409, "not_frozen")
