"""`/v1/approvals`: status codes, digests, entity tags, once-keys, lists and long-polls."""

import asyncio
from typing import Any

import httpx
import pytest
from house import House

pytestmark = pytest.mark.anyio

NEW = {"action": "greet", "params": {"name": "bob"}, "reason": "because"}


def code(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == answer.status_code
    return answer.status_code, problem["code"]


async def test_asking_answers_201_with_the_state_reached_so_far_and_where_it_is(house: House) -> None:
    made = await house.ask("cai", "POST", "/v1/approvals", NEW)
    assert made.status_code == 201
    approval = made.json()
    assert approval["state"] in ("SUBMITTED", "REVIEWING")
    assert approval["requester"] == {"id": "cai", "kind": "person", "name": "Cai Wu"}
    assert made.headers["location"] == f"/v1/approvals/{approval['id']}"
    assert made.headers["etag"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"action": "fly"}, 404),
        ({"action": "greet", "params": {}}, 400),
        ({"action": "greet", "params": {"name": "BOB"}}, 400),
        ({"action": "greet", "params": {"name": "--help"}}, 400),
        ({"action": "greet", "params": {"name": "a\u200bb"}}, 400),
        ({"action": "greet", "params": {"name": "bob", "more": "x"}}, 400),
        ({"params": {}}, 400),
        ({"action": "greet", "surprise": 1}, 400),
        ([], 400),
    ],
)
async def test_bad_input_gets_a_code_is_recorded_and_changes_nothing(house: House, body: Any, status: int) -> None:
    answer = await house.ask("cai", "POST", "/v1/approvals", body)
    assert code(answer)[0] in (status, 400)
    assert (await house.ask("cai", "GET", "/v1/approvals")).json()["items"] == []
    refused = [each for each in await house.events() if each["event"] == "command:refused"]
    assert [(each["actor"], each["details"]["code"]) for each in refused] == [("cai", answer.json()["code"])]


async def test_deciding_needs_the_digest_and_the_right_one(house: House) -> None:
    approval = await house.review()
    path = f"/v1/approvals/{approval['id']}/approve"
    for body in (None, {}, {"digest": ""}):
        assert code(await house.ask("bo", "POST", path, body)) == (400, "digest_required")
    stale = await house.ask("bo", "POST", path, {"digest": "0" * 64})
    assert code(stale) == (409, "digest_stale")
    assert stale.json()["approval"]["digest"] == approval["digest"]
    done = await house.ask("bo", "POST", path, {"digest": approval["digest"], "comment": "fine"})
    assert done.status_code == 200
    (decision,) = done.json()["decisions"]
    assert (decision["by"]["id"], decision["verdict"], decision["channel"], decision["assurance"]) == (
        "bo",
        "approve",
        "http",
        "chat",
    )


async def test_a_card_seen_elsewhere_does_not_stand_in_for_the_digest(house: House) -> None:
    approval = await house.review()
    await house.ask("bo", "POST", "/v1/commands", {"text": f"show {approval['id']}"})
    answer = await house.ask("bo", "POST", f"/v1/approvals/{approval['id']}/approve", {})
    assert code(answer) == (400, "digest_required")


async def test_nobody_decides_on_their_own_request(house: House) -> None:
    approval = await house.review("bo")
    answer = await house.ask("bo", "POST", f"/v1/approvals/{approval['id']}/approve", {"digest": approval["digest"]})
    assert code(answer) == (403, "own_request")


async def test_a_key_without_the_right_to_decide_decides_nothing_in_any_form(house: House) -> None:
    approval = await house.review()
    weak = {"authorization": f"Bearer {await house.key('bo', decide=False)}"}
    path = f"/v1/approvals/{approval['id']}/approve"
    answer = await house.http.post(path, json={"digest": approval["digest"]}, headers=weak)
    assert code(answer) == (403, "key_may_not_decide")
    typed = await house.http.post("/v1/commands", json={"text": f"approve {approval['id']}"}, headers=weak)
    assert (typed.json()["ok"], typed.json()["code"]) == (False, "key_may_not_decide")
    tokens = (await house.http.post("/v1/auth/token", json={"key": weak["authorization"][7:]})).json()
    by_token = {"authorization": f"Bearer {tokens['access_token']}"}
    answer = await house.http.post(path, json={"digest": approval["digest"]}, headers=by_token)
    assert code(answer) == (403, "key_may_not_decide")


async def test_what_one_may_not_see_is_404_for_every_operation(house: House) -> None:
    approval = await house.review("dee", "quiet")
    name = approval["id"]
    for method, path in (
        ("GET", ""),
        ("GET", "/who"),
        ("GET", "/wait?timeout=0"),
        ("POST", "/approve"),
        ("POST", "/comment"),
        ("POST", "/withdraw"),
    ):
        body = {"digest": approval["digest"], "comment": "x"} if method == "POST" else None
        hidden = await house.ask("cai", method, f"/v1/approvals/{name}{path}", body)
        missing = await house.ask("cai", method, f"/v1/approvals/A999{path}", body)
        assert code(hidden) == code(missing) == (404, "not_found"), path
        assert hidden.json()["detail"].replace(name, "") == missing.json()["detail"].replace("A999", "")
    assert (await house.ask("cai", "GET", "/v1/approvals")).json()["items"] == []
    assert len((await house.ask("bo", "GET", "/v1/approvals")).json()["items"]) == 1


async def test_an_entity_tag_saves_the_body_until_something_changes(house: House) -> None:
    approval = await house.review()
    path = f"/v1/approvals/{approval['id']}"
    tag = (await house.ask("bo", "GET", path)).headers["etag"]
    same = await house.ask("bo", "GET", path, if_none_match=tag)
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    await house.ask("bo", "POST", f"{path}/approve", {"digest": approval["digest"]})
    assert (await house.ask("bo", "GET", path, if_none_match=tag)).status_code == 200


async def test_an_edit_needs_the_version_that_was_looked_at(house: House) -> None:
    approval = await house.review()
    path = f"/v1/approvals/{approval['id']}"
    tag = (await house.ask("cai", "GET", path)).headers["etag"]
    change = {"params": {"name": "eve"}}
    assert code(await house.ask("cai", "PATCH", path, change)) == (428, "if_match_required")
    stale = await house.ask("cai", "PATCH", path, change, if_match='"1-0"')
    assert code(stale) == (412, "version_stale")
    assert stale.json()["approval"]["params"] == {"name": "bob"}
    assert code(await house.ask("bo", "PATCH", path, change, if_match=tag))[0] == 403
    done = await house.ask("cai", "PATCH", path, change, if_match=tag)
    assert (done.status_code, done.json()["params"], done.json()["revision"]) == (200, {"name": "eve"}, 2)
    assert done.json()["reason"] == "a reason"
    assert done.headers["etag"] != tag


async def test_the_same_request_under_the_same_key_is_answered_as_the_first_time(house: House) -> None:
    first = await house.ask("cai", "POST", "/v1/approvals", NEW, idempotency_key="k1")
    again = await house.ask("cai", "POST", "/v1/approvals", NEW, idempotency_key="k1")
    assert (again.status_code, again.json()["id"]) == (201, first.json()["id"])
    other = await house.ask("cai", "POST", "/v1/approvals", {**NEW, "reason": "other"}, idempotency_key="k1")
    assert code(other) == (422, "idempotency_mismatch")
    elsewhere = await house.ask(
        "cai", "POST", f"/v1/approvals/{first.json()['id']}/withdraw", NEW, idempotency_key="k1"
    )
    assert elsewhere.status_code in (400, 422)
    theirs = await house.ask("bo", "POST", "/v1/approvals", NEW, idempotency_key="k1")
    assert theirs.json()["id"] != first.json()["id"]
    assert len((await house.ask("cai", "GET", "/v1/approvals")).json()["items"]) == 2


async def test_a_refusal_under_a_key_is_given_again_with_its_status(house: House) -> None:
    bad = {**NEW, "params": {"name": "BOB"}}
    answers = [await house.ask("cai", "POST", "/v1/approvals", bad, idempotency_key="k2") for _ in range(2)]
    assert code(answers[0]) == code(answers[1])
    refused = [each for each in await house.events() if each["event"] == "command:refused"]
    assert len(refused) == 1


@pytest.mark.parametrize("key", ["", "x" * 256])
async def test_a_key_that_is_no_key_is_refused(house: House, key: str) -> None:
    answer = await house.ask("cai", "POST", "/v1/approvals", NEW, idempotency_key=key)
    assert code(answer) == (400, "bad_idempotency_key")


async def test_a_batch_answers_each_item_for_itself(house: House) -> None:
    one, two = await house.review(), await house.review()
    items = [
        {"id": one["id"], "digest": one["digest"]},
        {"id": two["id"], "digest": "0" * 64},
        {"id": "A999", "digest": "0" * 64},
        {"id": two["id"]},
    ]
    answer = await house.ask(
        "bo", "POST", "/v1/approvals/batch", {"verdict": "approve", "items": items, "comment": "ok"}
    )
    assert answer.status_code == 200
    said = answer.json()["items"]
    assert [(each["id"], each["ok"], each.get("code")) for each in said] == [
        (one["id"], True, None),
        (two["id"], False, "digest_stale"),
        ("A999", False, "not_found"),
        (two["id"], False, "digest_required"),
    ]
    assert [each["state"] for each in said] == ["REVIEWING", "REVIEWING", None, "REVIEWING"]


async def test_a_list_goes_on_where_its_page_ended(house: House) -> None:
    names = [(await house.ask("cai", "POST", "/v1/approvals", {**NEW, "draft": True})).json()["id"] for _ in range(5)]
    found: list[str] = []
    path = "/v1/approvals?limit=2&state=draft"
    cursor: str | None = ""
    while cursor is not None:
        page = (await house.ask("bo", "GET", path + (f"&cursor={cursor}" if cursor else ""))).json()
        found += [each["id"] for each in page["items"]]
        cursor = page["next"]
    assert found == names[::-1]
    assert (await house.ask("bo", "GET", "/v1/approvals?state=reviewing")).json() == {"items": [], "next": None}
    assert len((await house.ask("cai", "GET", "/v1/approvals?mine=true")).json()["items"]) == 5
    assert (await house.ask("bo", "GET", "/v1/approvals?mine=true")).json()["items"] == []
    assert code(await house.ask("bo", "GET", "/v1/approvals?state=flying")) == (400, "bad_state")
    assert code(await house.ask("bo", "GET", "/v1/approvals?cursor=zzz")) == (400, "bad_id")


async def test_a_long_poll_is_woken_by_the_change(house: House) -> None:
    approval = await house.review()
    path = f"/v1/approvals/{approval['id']}"
    waiting = asyncio.create_task(house.ask("cai", "GET", f"{path}/wait?timeout=30"))
    while not house.hub.feed._watched:
        await asyncio.sleep(0)
    await house.ask("bo", "POST", f"{path}/reject", {"digest": approval["digest"]})
    async with asyncio.timeout(2):
        answer = await waiting
    assert answer.json()["state"] == "REJECTED"


async def test_a_long_poll_misses_no_change_that_came_before_it(house: House) -> None:
    approval = await house.review()
    path = f"/v1/approvals/{approval['id']}"
    tag = f"{approval['id'][1:]}-{approval['version']}"
    await house.ask("bo", "POST", f"{path}/approve", {"digest": approval["digest"]})
    async with asyncio.timeout(2):
        answer = await house.ask("cai", "GET", f'{path}/wait?timeout=30&after="{tag}"')
    assert len(answer.json()["decisions"]) == 1


async def test_a_long_poll_until_the_end_passes_over_changes_and_ends_in_time(house: House) -> None:
    approval = await house.review()
    path = f"/v1/approvals/{approval['id']}"
    waiting = asyncio.create_task(house.ask("cai", "GET", f"{path}/wait?timeout=30&until=final"))
    while not house.hub.feed._watched:
        await asyncio.sleep(0)
    await house.ask("bo", "POST", f"{path}/approve", {"digest": approval["digest"]})
    await house.ask("ana", "POST", f"{path}/approve", {"digest": approval["digest"]})
    async with asyncio.timeout(20):
        answer = await waiting
    assert answer.json()["state"] == "COMPLETED"
    assert answer.json()["run"]["output_tail"] == "hello bob\n"
    late = await house.ask("cai", "GET", f"{path}/wait?timeout=0")
    assert late.status_code == 200


async def test_who_says_what_is_missing(house: House) -> None:
    approval = await house.review()
    answer = (await house.ask("bo", "GET", f"/v1/approvals/{approval['id']}/who")).json()
    assert answer["missing"] == [{"group": "sre", "person": None, "count": 2}]
    assert {each["id"] for each in answer["could"]} == {"ana", "bo"}


async def test_a_draft_is_submitted_and_withdrawn_by_who_asked(house: House) -> None:
    draft = (await house.ask("cai", "POST", "/v1/approvals", {**NEW, "draft": True})).json()
    path = f"/v1/approvals/{draft['id']}"
    assert draft["state"] == "DRAFT"
    assert (await house.ask("cai", "POST", f"{path}/submit")).status_code == 200
    said = await house.ask("bo", "POST", f"{path}/comment", {"comment": "why?"})
    assert said.status_code == 200
    assert code(await house.ask("bo", "POST", f"{path}/withdraw"))[0] == 403
    assert (await house.ask("cai", "POST", f"{path}/withdraw")).json()["state"] == "WITHDRAWN"
    assert code(await house.ask("cai", "POST", f"{path}/submit"))[0] == 409
    retried = await house.ask("cai", "POST", f"{path}/retry")
    assert (retried.status_code, retried.json()["retry_of"]) == (201, draft["id"])


async def test_a_batch_said_again_gets_its_first_answers_whatever_happened_since(house: House) -> None:
    one, two = await house.review(), await house.review()
    items = [{"id": one["id"], "digest": one["digest"]}, {"id": two["id"], "digest": "0" * 64}]
    body = {"verdict": "approve", "items": items}
    first = await house.ask("bo", "POST", "/v1/approvals/batch", body, idempotency_key="b1")
    assert [each["state"] for each in first.json()["items"]] == ["REVIEWING", "REVIEWING"]
    for seen in (one, two):
        await house.ask("ana", "POST", f"/v1/approvals/{seen['id']}/reject", {"digest": seen["digest"]})
    again = await house.ask("bo", "POST", "/v1/approvals/batch", body, idempotency_key="b1")
    assert again.json() == first.json()
    other = await house.ask("bo", "POST", "/v1/approvals/batch", {**body, "comment": "x"}, idempotency_key="b1")
    assert code(other) == (422, "idempotency_mismatch")
    anew = await house.ask("bo", "POST", "/v1/approvals/batch", body)
    assert [each["state"] for each in anew.json()["items"]] == ["REJECTED", "REJECTED"]


async def test_a_list_can_be_of_one_requester_and_one_action(house: House) -> None:
    await house.review("cai")
    mine = await house.review("ana")
    hidden = await house.review("dee", "quiet")
    found = await house.ask("bo", "GET", "/v1/approvals?requester=ana&state=reviewing")
    assert [each["id"] for each in found.json()["items"]] == [mine["id"]]
    found = await house.ask("bo", "GET", "/v1/approvals?action=quiet&mine=true")
    assert [each["id"] for each in found.json()["items"]] == [hidden["id"]]
    assert (await house.ask("cai", "GET", "/v1/approvals?action=quiet")).json()["items"] == []
