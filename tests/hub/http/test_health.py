"""`/healthz`, `/readyz`, `/metrics`, and the read-only lists."""

import pytest
from house import House

pytestmark = pytest.mark.anyio


async def test_a_hub_at_work_is_alive_and_ready(house: House) -> None:
    assert (await house.http.get("/healthz")).json() == {"ok": True}
    ready = await house.http.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["ready"] is True
    assert {"database", "migrations", "writer", "log", "adapters"} <= set(ready.json())


async def test_a_degraded_channel_is_told_and_takes_nothing_away(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {**house.hub.health(), "adapters": {"slack": "degraded"}}
    monkeypatch.setattr(house.hub, "health", lambda: told)
    ready = await house.http.get("/readyz")
    assert (ready.status_code, ready.json()["adapters"]) == (200, {"slack": "degraded"})


@pytest.mark.parametrize("part", ["database", "migrations", "writer", "log"])
async def test_without_a_vital_part_the_hub_is_not_ready(
    house: House, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    told = {**house.hub.health(), part: {"ok": False}}
    monkeypatch.setattr(house.hub, "health", lambda: told)
    answer = await house.http.get("/readyz")
    assert (answer.status_code, answer.json()["ready"]) == (503, False)


async def test_metrics_show_approvals_by_state(house: House) -> None:
    await house.review()
    text = (await house.http.get("/metrics")).text
    assert 'interlock_approvals{state="REVIEWING"} 1.0' in text
    assert "interlock_log_entries" in text


async def test_people_and_agents_are_listed_with_pages(house: House) -> None:
    first = (await house.ask("bot", "GET", "/v1/people?limit=3")).json()
    rest = (await house.ask("bot", "GET", f"/v1/people?cursor={first['next']}")).json()
    assert [each["id"] for each in first["items"] + rest["items"]] == ["ana", "bo", "cai", "dee"]
    agents = (await house.ask("bo", "GET", "/v1/agents")).json()["items"]
    assert [(each["id"], each["kind"], each["owners"]) for each in agents] == [
        ("bot", "agent", ["ana"]),
        ("ci", "service", ["ana"]),
    ]


async def test_channels_deliveries_and_stats_are_listed(house: House) -> None:
    names = [each["name"] for each in (await house.ask("bo", "GET", "/v1/channels")).json()["items"]]
    assert names == ["hooks", "mcp", "page"]
    assert (await house.ask("ana", "GET", "/v1/deliveries")).json() == {"items": [], "next": None}
    assert (await house.ask("ana", "GET", "/v1/deliveries?state=odd")).status_code == 400
    assert (await house.ask("ana", "GET", "/v1/deliveries?cursor=x")).status_code == 400
    stats = (await house.ask("bo", "GET", "/v1/stats")).json()
    assert stats["config"]["version"] == 1
    assert stats["log"]["size"] > 0


async def test_a_bad_configuration_is_not_taken_and_says_why(house: House) -> None:
    path = house.hub.data.parent / "hub.yaml"
    path.write_text(path.read_text().replace("count: 2", "count: 200"))
    answer = await house.ask("ana", "POST", "/v1/reload")
    assert (answer.status_code, answer.json()["code"]) == (409, "config_invalid")
    assert answer.json()["problems"]
    assert (await house.ask("bo", "GET", "/v1/stats")).json()["config"]["version"] == 1
