"""Nobody's account stands in hub.yaml: one links theirs, the others are of a user group, and two channels decide."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from hubs import until
from processes import StartHub
from workspace import BOT_TOKEN, SECRET, Workspace, send, workspace

PEOPLE = """\
version: 1
public_url: http://127.0.0.1:8000
people:
  ana: {name: Ana Ruiz, groups: [admins]}
  bo:  {name: Bo Lind}
  cai: {name: Cai Wu, slack: U3}
groups: {oncall: {from: slack:S1}}
"""
ACTIONS = """\
actions:
  note:
    title: "Note {text}"
    params: {text: {type: string}}
    apply: {command: ["/bin/echo", "{text}"]}
policies:
  - {name: default, require: [{group: oncall, count: 2}], ask: ["slack:#prod"]}
"""


def slack(far: Workspace) -> str:
    return (
        'channels:\n  slack: {adapter: slack, bot_token: "${file:bot}", signing_secret: "${file:secret}", '
        f'api_url: "{far.api_url}"}}\n'
    )


@pytest.mark.anyio
async def test_a_link_a_user_group_and_a_bare_id_decide_in_slack_and_over_http(start_hub: StartHub) -> None:
    async with workspace(groups={"S1": ["U2", "U3", "U9"]}) as far:
        files = {"bot": BOT_TOKEN, "secret": SECRET}
        hub = await asyncio.to_thread(start_hub, people=PEOPLE, extra=slack(far), actions=ACTIONS, files=files)

        async def ask(who: str, text: str) -> dict[str, Any]:
            return await asyncio.to_thread(lambda: _say(hub, who, text))

        async with httpx.AsyncClient(base_url=hub.url, trust_env=False) as http:
            code = (await ask("bo", "link"))["data"]["code"]
            await send(http, far.command(f"link {code}", user="U2"))
            await until(lambda: any("linked to bo" in each["text"] for each in far.answers))

            async def ready() -> bool:
                return (
                    "oncall" in (await ask("bo", "whoami"))["text"] and "oncall" in (await ask("cai", "whoami"))["text"]
                )

            await until(ready)
            assert (await ask("ana", "note hello because it is due"))["ok"]
            await until(lambda: bool(far.cards("C1")))
            card = far.cards("C1")[0]
            await send(http, far.press(card.button("Approve"), card, user="U2", trigger="t2"))
            await until(lambda: "1 of 2" in card.words)
            seen = (await ask("cai", "show A1"))["approval"]
            approved = await asyncio.to_thread(_approve, hub, seen["digest"])
            assert approved == 200
            await until(lambda: card.tokens == () and "Completed" in card.words)
            assert [each["by"]["id"] for each in (await ask("ana", "show A1"))["approval"]["decisions"]] == [
                "bo",
                "cai",
            ]
            assert (await ask("bo", "unlink"))["ok"]
            before = len(far.answers)
            await send(http, far.command("status", user="U2", trigger="t3"))
            await until(lambda: len(far.answers) > before)
            assert "link this account" in far.answers[-1]["text"]
        verdict = await asyncio.to_thread(hub.run, "audit", "verify")
        assert verdict.returncode == 0, verdict.stdout + verdict.stderr


def _say(hub: Any, who: str, text: str) -> dict[str, Any]:
    with hub.client(who) as client:
        answer: dict[str, Any] = client.post("/v1/commands", json={"text": text}).json()
        return answer


def _approve(hub: Any, digest: str) -> int:
    with hub.client("cai") as client:
        return int(client.post("/v1/approvals/A1/approve", json={"digest": digest}).status_code)
