"""What has to be typed to approve, over HTTP and by command: asked for by the hub, whatever a client shows or hides."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from house import CONFIG, House, housed

pytestmark = pytest.mark.anyio

TYPED = CONFIG.replace("require: [{group: sre, count: 2}]", "require: [{group: sre, count: 1}]\n    confirm: typed")


@pytest.fixture
async def strict(tmp_path: Path) -> AsyncIterator[House]:
    async with housed(tmp_path, TYPED) as opened:
        yield opened


async def approve(house: House, seen: Any, **word: Any) -> Any:
    return await house.ask("bo", "POST", f"/v1/approvals/{seen['id']}/approve", {"digest": seen["digest"], **word})


async def say(house: House, text: str) -> Any:
    return (await house.ask("bo", "POST", "/v1/commands", {"text": text})).json()


async def test_the_request_says_so_and_its_button_and_nothing_less_approves(strict: House) -> None:
    seen = await strict.review()
    assert seen["confirm"] == "typed"
    for word, code in (({}, "confirmation_required"), ({"confirm": "A99"}, "confirmation_wrong")):
        refused = await approve(strict, seen, **word)
        assert (refused.status_code, refused.json()["code"], refused.json()["confirm"]) == (400, code, seen["id"])
    assert "confirmation_wrong" in [each["details"].get("code") for each in await strict.events()]
    done = await approve(strict, seen, confirm=seen["id"].lower())
    assert (done.status_code, done.json()["state"] != "REVIEWING") == (200, True)


async def test_a_press_is_refused_until_the_id_comes_with_it_and_then_acts_once(strict: House) -> None:
    seen = await strict.review()
    shown = await say(strict, f"show {seen['id']}")
    buttons = {each["choice"]: each for each in shown["card"]["buttons"]}
    assert {choice: each["confirm"] for choice, each in buttons.items()} == {
        "approve": seen["id"],
        "reject": None,
        "request-changes": None,
    }
    assert "is typed as well" in str(shown["card"]["fields"])
    press = {"token": buttons["approve"]["token"]}
    for confirm in ({}, {"confirm": ""}, {"confirm": "yes"}):
        refused = await strict.ask("bo", "POST", "/v1/press", {**press, **confirm})
        assert (refused.status_code, refused.json()["ok"]) == (400, False), refused.text
    answers = [await strict.ask("bo", "POST", "/v1/press", {**press, "confirm": seen["id"]}) for _ in range(2)]
    assert [each.json()["ok"] for each in answers] == [True, True]
    assert answers[1].json()["repeated"]
    decided = [each for each in await strict.events() if each["event"] == "approval:decided"]
    assert [each["details"]["evidence"]["typed"] for each in decided] == [seen["id"]]


async def test_a_rejection_is_one_press(strict: House) -> None:
    seen = await strict.review()
    body = {"digest": seen["digest"], "comment": "no"}
    assert (await strict.ask("bo", "POST", f"/v1/approvals/{seen['id']}/reject", body)).json()["state"] == "REJECTED"


async def test_in_a_batch_each_is_typed_for_itself(strict: House) -> None:
    first, second = [await strict.review(name=name) for name in ("one", "two")]
    items = [
        {"id": first["id"], "digest": first["digest"], "confirm": first["id"]},
        {"id": second["id"], "digest": second["digest"], "confirm": first["id"]},
    ]
    done = (await strict.ask("bo", "POST", "/v1/approvals/batch", {"verdict": "approve", "items": items})).json()
    assert [(each["ok"], each.get("code")) for each in done["items"]] == [(True, None), (False, "confirmation_wrong")]


async def test_a_grant_over_http_is_typed_as_well(strict: House) -> None:
    seen = await strict.review()
    body = {"approval": seen["id"], "digest": seen["digest"], "seconds": "30m", "times": 1}
    refused = await strict.ask("bo", "POST", "/v1/grants", body)
    assert (refused.status_code, refused.json()["code"]) == (400, "confirmation_required")
    assert (await strict.ask("bo", "POST", "/v1/grants", {**body, "confirm": seen["id"]})).status_code == 201


async def test_without_the_key_nothing_is_asked_for(house: House) -> None:
    seen = await house.review()
    assert seen["confirm"] == "press"
    assert (await approve(house, seen)).status_code == 200
