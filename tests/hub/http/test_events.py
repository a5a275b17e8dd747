"""`/v1/events`: the log in order, as one may see it."""

import pytest
from house import House

pytestmark = pytest.mark.anyio


async def test_the_log_is_listed_in_order_and_without_gaps(house: House) -> None:
    await house.review()
    events = await house.events()
    assert [each["seq"] for each in events] == list(range(1, len(events) + 1))
    assert set(events[0]) == {"type", "seq", "ts", "event", "actor", "subject", "channel", "details"}
    assert events[0]["ts"].endswith("Z")


async def test_a_page_goes_on_after_its_last_entry(house: House) -> None:
    await house.review()
    whole = await house.events()
    found, cursor = [], "0"
    while cursor is not None:
        page = (await house.ask("ana", "GET", f"/v1/events?limit=3&cursor={cursor}")).json()
        assert len(page["items"]) <= 3
        found += page["items"]
        cursor = page["next"]
    assert [each["seq"] for each in found] == [each["seq"] for each in whole]
    after = (await house.ask("ana", "GET", f"/v1/events?after={whole[-3]['seq']}")).json()
    assert [each["seq"] for each in after["items"]] == [each["seq"] for each in whole[-2:]]


async def test_events_are_narrowed_by_name_also_when_they_are_far_apart(house: House) -> None:
    await house.review()
    for _ in range(700):
        house.hub.db.write(lambda tx: tx.record("lease:renewed", actor="bot", subject="L1"))
    await house.review()
    for query in ("event=approval:requested,approval:withdrawn", "event=approval:requested&event=approval:withdrawn"):
        page = (await house.ask("bo", "GET", f"/v1/events?{query}")).json()
        assert [each["subject"] for each in page["items"]] == ["A1", "A2"]
        assert page["next"] is None
    first = (await house.ask("bo", "GET", f"/v1/events?{query}&limit=1")).json()
    second = (await house.ask("bo", "GET", f"/v1/events?{query}&limit=1&cursor={first['next']}")).json()
    assert [each["items"][0]["subject"] for each in (first, second)] == ["A1", "A2"]


async def test_an_unknown_event_is_refused(house: House) -> None:
    answer = await house.ask("bo", "GET", "/v1/events?event=approval:forgotten")
    assert (answer.status_code, answer.json()["code"]) == (400, "unknown_event")


async def test_what_was_asked_is_shown_to_those_who_may_see_it_and_to_nobody_else(house: House) -> None:
    await house.review("dee", "quiet")

    async def seen(who: str) -> list[dict[str, object]]:
        page = (await house.ask(who, "GET", "/v1/events?event=approval:requested")).json()
        return [each["details"] for each in page["items"]]

    assert (await seen("bo"))[0]["reason"] == "a reason"
    assert (await seen("dee"))[0]["reason"] == "a reason"
    assert await seen("cai") == [{}]


async def test_refused_texts_are_shown_to_who_sent_them_and_to_auditors(house: House) -> None:
    await house.ask("cai", "POST", "/v1/commands", {"text": "frobnicate"})

    async def message(who: str) -> object:
        page = (await house.ask(who, "GET", "/v1/events?event=command:refused")).json()
        return page["items"][0]["details"].get("message")

    assert "frobnicate" in str(await message("cai"))
    assert "frobnicate" in str(await message("ana"))
    assert await message("bo") is None


async def test_a_tail_begins_only_where_it_can(house: House) -> None:
    answer = await house.ask("bo", "GET", "/v1/events/tail", last_event_id="x")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
