"""An agent at work over the WebSocket, steered by people over HTTP and in the shell."""

from __future__ import annotations

import json
import time

import pytest
from processes import PEOPLE, HubProcess, StartHub
from sockets import Page, page
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect


def talk_on(agent: Page) -> None:
    """Says something again and again, for ten seconds."""
    for _ in range(100):
        agent.say("whoami")
        time.sleep(0.1)


def test_an_agent_is_heard_over_the_websocket_told_in_the_shell_and_suspended(hub: HubProcess) -> None:
    with page(hub, "deploy-bot") as bot, hub.client("bo") as bo:
        heard = bot.say("heartbeat degraded version=2.1 because the queue is long")
        assert heard["data"]["state"] == "active"
        shown = bo.get("/v1/agents/deploy-bot").json()
        assert shown["claim"] == {"health": "degraded", "version": "2.1", "note": "the queue is long"}
        assert shown["state"] == "active"

        assert hub.run("say", "tell deploy-bot finish what you have", as_="bo").returncode == 0
        [message] = bot.say("messages")["data"]["items"]
        assert (message["from"], message["text"]) == ("bo", "finish what you have")
        assert bot.say(f"ack {message['id']} will do")["ok"]

        asked = bot.say("touch web because it is time")["approval"]["id"]
        assert hub.run("say", "pause deploy-bot because we are moving", as_="ana").returncode == 0
        assert bot.say("touch api")["code"] == "paused"
        [pause] = bot.say("messages")["data"]["items"]
        assert bot.say(f"ack {pause['id']}")["ok"]

        refused = bo.post("/v1/agents/deploy-bot/suspend", json={"reason": "not mine"})
        assert refused.status_code == 403
        done = hub.run("say", "suspend deploy-bot because it is out of hand", as_="ana")
        assert done.returncode == 0, done.stderr
        with pytest.raises(ConnectionClosed):
            talk_on(bot)
        assert bo.get(f"/v1/approvals/{asked}").json()["state"] in ("REJECTED", "WITHDRAWN")
        assert bo.get("/v1/agents/deploy-bot").json()["state"] == "suspended"
    headers = {"Authorization": f"Bearer {hub.key('deploy-bot')}"}
    with pytest.raises(Exception, match="401"):
        connect(hub.url.replace("http:", "ws:") + "/v1/ws", additional_headers=headers)
    assert hub.run("audit", "verify").returncode == 0


def test_an_agent_that_floods_is_slowed_down_and_everybody_else_is_not(start_hub: StartHub) -> None:
    people = "limits: {commands: 10/s, burst: 20}\n"
    hub = start_hub(people=PEOPLE.replace("limits: {commands: 500/s, burst: 500}\n", people))
    with page(hub, "deploy-bot") as bot, hub.client("bo") as bo:
        codes = [bot.say(f"heartbeat ok beat={at}").get("code") for at in range(60)]
        assert "too_fast" in codes
        assert bo.get("/v1/agents/deploy-bot").json()["claim"]["beat"]
        long = bot.say("heartbeat ok text=" + "x" * 600)
        assert long["code"] in ("usage", "too_fast")
    log = [json.loads(line) for line in hub.run("audit", "export").stdout.splitlines() if line.startswith("{")]
    assert sum(entry.get("event") == "agent:heard" for entry in log) <= 2
