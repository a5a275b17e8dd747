"""An agent asks through the Model Context Protocol, with the SDK's own client; people decide elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from processes import INTERLOCK, PEOPLE, HubProcess, StartHub

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def agent(hub: HubProcess, how: str, principal: str = "deploy-bot") -> AsyncIterator[Client]:
    """An MCP client that holds the agent's key."""
    if how == "stdio":
        environ = hub.environ | {"INTERLOCK_URL": hub.url, "INTERLOCK_KEY": hub.key(principal)}
        command = StdioServerParameters(
            command=INTERLOCK[0], args=[*INTERLOCK[1:], "mcp"], env=environ, cwd=str(hub.root)
        )
        async with Client(command) as client:
            yield client
    else:
        headers = {"authorization": f"Bearer {hub.key(principal)}"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=70) as http,
            Client(streamable_http_client(f"{hub.url}/mcp", http_client=http)) as client,
        ):
            yield client


async def call(client: Client, tool: str, **arguments: Any) -> Any:
    result: Any = await client.call_tool(tool, arguments)
    return result.structured_content


@pytest.mark.parametrize("how", ["http", "stdio"])
async def test_an_agent_asks_waits_and_learns_the_outcome(standing_hub: HubProcess, how: str) -> None:
    hub = standing_hub
    async with agent(hub, how) as client:
        listed = await call(client, "actions")
        assert "touch" in [each["name"] for each in listed["data"]["actions"]]

        asked = await call(client, "request", action="touch", params={"name": how}, reason="needed", key=f"k-{how}")
        name = asked["approval"]["id"]
        again = await call(client, "request", action="touch", params={"name": how}, reason="needed", key=f"k-{how}")
        assert again["approval"]["id"] == name

        early = await call(client, "wait", id=name, seconds=1)
        assert early["state"] in ("SUBMITTED", "REVIEWING")
        assert "Could give it: bo, cai" in (await call(client, "who", id=name))["text"]

        async with anyio.create_task_group() as tasks:
            results: list[Any] = []

            async def wait() -> None:
                results.append(await call(client, "wait", id=name))

            tasks.start_soon(wait)
            approved = await anyio.to_thread.run_sync(lambda: hub.run("approve", name, "--yes", as_="bo"))
            assert approved.returncode == 0, approved.stderr
        assert (results[0]["ok"], results[0]["state"]) == (True, "COMPLETED")
        assert f"touched {how}" in results[0]["approval"]["run"]["output_tail"]
        events = [each["event"] for each in (await call(client, "history", id=name))["data"]["items"]]
        assert events[0] == "approval:requested"
        assert "apply:finished" in events


async def test_a_rejection_reaches_the_agent_with_its_reason(standing_hub: HubProcess) -> None:
    async with agent(standing_hub, "http") as client:
        name = (await call(client, "request", action="fail", reason="let me"))["approval"]["id"]
        await call(client, "wait", id=name, seconds=0.5)
        with standing_hub.client("bo") as bo:
            shown = bo.get(f"/v1/approvals/{name}/wait", params={"until": "change", "timeout": 5}).json()
            shown = bo.get(f"/v1/approvals/{name}").json()
            done = bo.post(
                f"/v1/approvals/{name}/reject", json={"digest": shown["digest"], "comment": "not on a friday"}
            )
            assert done.status_code == 200, done.text
        ended = await call(client, "wait", id=name)
        assert ended["state"] == "REJECTED"
        assert [each["comment"] for each in ended["approval"]["decisions"]] == ["not on a friday"]


async def test_leases_are_held_kept_and_handed_over(standing_hub: HubProcess) -> None:
    async with agent(standing_hub, "http") as one, agent(standing_hub, "http", "ci") as other:
        got = await call(one, "lease", resources=["env:lab"], purpose="a trial")
        lease = got["data"]["lease"]
        kept = await call(one, "heartbeat", lock_id=lease["lock_id"], token=lease["token"])
        assert kept["ok"]
        place = (await call(other, "lease", resources=["env:lab"], wait_seconds=60))["data"]["ticket"]
        assert place["state"] == "waiting"
        assert (await call(one, "release", lock_id=lease["lock_id"], token=lease["token"]))["ok"]
        granted = (await call(other, "lease", ticket=place["ticket"]))["data"]["ticket"]
        assert granted["state"] == "granted"
        assert granted["lease"]["token"] > lease["token"]
        lost = await call(one, "heartbeat", lock_id=lease["lock_id"], token=lease["token"])
        assert (lost["ok"], lost["code"]) == (False, "lease_lost")


async def test_what_cannot_be_read_is_refused_with_what_to_do(standing_hub: HubProcess) -> None:
    async with agent(standing_hub, "http") as client:
        assert (await call(client, "request", action="touch", params={}, reason=""))["code"] == "usage"
        assert (await call(client, "approve", id="A1"))["code"] == "unknown_tool"
        assert (await call(client, "show", id="A999999"))["code"] == "not_found"


async def test_nobody_comes_in_without_a_key_or_from_a_browser(standing_hub: HubProcess) -> None:
    hello = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    async with httpx2.AsyncClient(base_url=standing_hub.url) as http:
        refused = await http.post("/mcp", json=hello)
        assert (refused.status_code, refused.json()["code"]) == (401, "not_signed_in")
        key = standing_hub.key("deploy-bot")
        headers = {"authorization": f"Bearer {key}", "origin": "https://evil.example"}
        assert (await http.post("/mcp", json=hello, headers=headers)).status_code == 403


async def test_a_hub_that_starts_again_is_found_again(hub: HubProcess) -> None:
    async with agent(hub, "stdio") as client:
        asked = await call(client, "request", action="touch", params={"name": "late"}, reason="soon")
        await anyio.to_thread.run_sync(hub.kill)

        async def start_again() -> None:
            await anyio.to_thread.run_sync(hub.start)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(start_again)
            shown = await call(client, "show", id=asked["approval"]["id"])
        assert shown["ok"], shown


def test_without_a_key_the_command_says_what_to_set(standing_hub: HubProcess) -> None:
    done = standing_hub.run("mcp")
    assert done.returncode == 2
    assert "INTERLOCK_KEY" in done.stderr


GPU = """\
actions:
  train:
    title: "Train {model}"
    params: {model: {type: string}}
    resources: ["gpu:{model}"]
    apply: {agent: {labels: [gpu]}, timeout: 10m}
policies:
  - name: default
    require: [{group: team, count: 1}]
"""


async def test_an_agent_carries_out_what_people_approved_and_hears_what_they_tell_it(start_hub: StartHub) -> None:
    people = PEOPLE.replace("{deploy-bot: {owner: ana}}", "{deploy-bot: {owner: ana, labels: [gpu]}}")
    hub = start_hub(people=people, actions=GPU)
    with hub.client("ana") as ana, hub.client("bo") as bo:
        name = ana.post("/v1/approvals", json={"action": "train", "params": {"model": "m"}}).json()["id"]
        assert bo.post("/v1/agents/deploy-bot/messages", json={"text": "keep it short"}).status_code == 201
        async with agent(hub, "stdio") as client:
            [told] = (await call(client, "check_in", claim={"version": "1"}))["data"]["messages"]
            assert (told["from"], told["text"]) == ("bo", "keep it short")
            assert (await call(client, "check_in", acknowledge=[told["id"]]))["data"]["messages"] == []

            assert (await call(client, "claim_work"))["data"]["work"] is None
            approved = await anyio.to_thread.run_sync(lambda: hub.run("approve", name, "--yes", as_="bo"))
            assert approved.returncode == 0, approved.stderr
            work = (await call(client, "claim_work", seconds=20))["data"]["work"]
            assert (work["approval"], work["params"]) == (name, {"model": "m"})
            proof = {"run": work["run"], "claim": work["claim"]}
            assert (await call(client, "report", **proof, progress="half way"))["data"]["stop"] is False
            shown = hub.run("show", name, as_="ana").stdout
            assert "half way" in shown
            assert "it says" in shown
            assert (await call(client, "report", **proof, output="done\n", outcome="completed"))["ok"]
            late = await call(client, "report", **proof, outcome="failed")
            assert (late["ok"], late["code"]) == (False, "work_lost")
        assert ana.get(f"/v1/approvals/{name}").json()["state"] == "COMPLETED"
        listed = ana.get("/v1/agents/deploy-bot").json()
        assert (listed["claim"], listed["availability"]) == ({"health": "ok"}, "available")
        too_much = bo.post("/v1/work/R1/report", json={"claim": "x", "output": "x" * 2_000_000})
        assert too_much.status_code == 413
