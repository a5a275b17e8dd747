"""What happens by itself, as stories through WebSocket, HTTP and the shell of a real hub."""

from __future__ import annotations

import time
from typing import Any

from processes import ACTIONS, HubProcess, StartHub
from pydantic import TypeAdapter
from sockets import page

from hub import shapes


def until_served(hub: HubProcess, who: str, name: str) -> dict[str, Any]:
    end = time.monotonic() + 30
    with hub.client(who) as client:
        while True:
            seen: dict[str, Any] = client.get(f"/v1/schedules/{name}").json()
            if seen["fired"]:
                return seen
            assert time.monotonic() < end, seen
            time.sleep(0.05)


def test_what_was_scheduled_over_a_websocket_is_given_once_although_the_hub_was_killed(hub: HubProcess) -> None:
    with page(hub, "ana") as ana:
        made = ana.say("schedule 2s touch web because it is time")
        assert made["ok"], made
    hub.restart()
    seen = until_served(hub, "bo", "S1")
    assert (seen["state"], seen["fired"], seen["last"]["code"]) == ("ended", 1, "ok")
    hub.restart()
    name = seen["last"]["approval"]
    with hub.client("bo") as bo:
        shown = bo.get(f"/v1/approvals/{name}/wait", params={"timeout": 20}).json()
        while shown["state"] == "SUBMITTED":
            shown = bo.get(f"/v1/approvals/{name}/wait", params={"timeout": 20}).json()
        assert (shown["cause"], shown["requester"]["id"], shown["reason"]) == ("S1", "ana", "it is time")
        assert [each["id"] for each in bo.get("/v1/approvals").json()["items"]] == [name]
        assert bo.post(f"/v1/approvals/{name}/approve", json={"digest": shown["digest"]}).status_code == 200
        done = bo.get(f"/v1/approvals/{name}/wait", params={"until": "final", "timeout": 20}).json()
        assert done["state"] == "COMPLETED"
    assert len((hub.root / "touched-web").read_text().splitlines()) == 1
    listed = hub.run("say", "schedules", as_="ana")
    assert "Nothing is scheduled" in listed.stdout


def test_what_was_scheduled_in_the_shell_is_seen_paused_and_ended_over_http(hub: HubProcess) -> None:
    made = hub.run("say", 'schedule "0 9 * * 1-5" in Europe/Madrid touch web', as_="ana")
    assert made.returncode == 0, made.stderr
    refused = hub.run("say", 'schedule "0 9 * * 1-5" approve A1', as_="ana")
    assert refused.returncode == 3
    with hub.client("ana") as ana, hub.client("bo") as bo:
        (one,) = bo.get("/v1/schedules").json()["items"]
        assert (one["id"], one["timezone"], one["command"]["args"]["params"]) == (
            "S1",
            "Europe/Madrid",
            {"name": "web"},
        )
        assert bo.delete("/v1/schedules/S1").status_code == 403
        assert ana.patch("/v1/schedules/S1", json={"paused": True}).json()["state"] == "paused"
        assert "paused" in hub.run("say", "schedules", as_="bo").stdout
        assert bo.post("/v1/schedules/S1/fire").status_code == 403
        assert ana.post("/v1/schedules/S1/fire").status_code == 202
        assert until_served(hub, "bo", "S1")["next_at"] is None
        assert ana.delete("/v1/schedules/S1").json()["ended_why"] == "unscheduled"
        assert ana.delete("/v1/schedules/S1").status_code == 409
        assert ana.get("/v1/schedules/S9").status_code == 404
        twice = [
            ana.post(
                "/v1/schedules",
                json={"when": "18:00", "command": {"args": {"action": "touch", "params": {"name": "api"}}}},
                headers={"Idempotency-Key": "k1"},
            ).json()["id"]
            for _ in range(2)
        ]
        assert twice == ["S2", "S2"]
    assert hub.run("audit", "checkpoint").returncode == 0
    assert "The state tables match the log." in hub.run("audit", "verify").stdout


TRIGGERS = """\
hooks:
  alerts: {verify: bearer, as: ci}
triggers:
  again:
    on: apply:failed
    when: 'approval.action == "fail"'
    as: ci
    action: touch
    params: {name: '"why"'}
  paged:
    on: hook:alerts
    when: 'body.status == "firing"'
    as: ci
    action: touch
    params: {name: body.labels.service}
"""


def until_acted(hub: HubProcess, name: str) -> list[dict[str, Any]]:
    end = time.monotonic() + 30
    with hub.client("bo") as bo:
        while True:
            items = bo.get("/v1/triggers").json()["items"]
            last: list[dict[str, Any]] = next(each["last"] for each in items if each["name"] == name)
            if last:
                return last
            assert time.monotonic() < end, items
            time.sleep(0.05)


def test_a_failed_run_and_an_alert_each_make_a_service_ask_once_and_people_see_it_everywhere(
    start_hub: StartHub,
) -> None:
    hub = start_hub(actions=ACTIONS + TRIGGERS)
    with page(hub, "ana") as ana, hub.client("bo") as bo, hub.client("ci") as ci:
        assert ana.say("fail")["ok"]
        shown = bo.get("/v1/approvals/A1/wait", params={"timeout": 20}).json()
        while shown["state"] == "SUBMITTED":
            shown = bo.get("/v1/approvals/A1/wait", params={"timeout": 20}).json()
        assert bo.post("/v1/approvals/A1/approve", json={"digest": shown["digest"]}).status_code == 200
        (acted,) = until_acted(hub, "again")
        assert bo.get(f"/v1/approvals/{acted['approval']}").json()["requester"]["id"] == "ci"
        assert acted["approval"] in ana.say("triggers")["text"]

        alert = {"status": "firing", "labels": {"service": "web"}}
        for _ in range(2):
            answered = ci.post("/hooks/alerts", json=alert, headers={"Idempotency-Key": "alert-1"})
            assert answered.status_code == 200, answered.text
        assert "does not match" in ci.post("/hooks/alerts", json={"status": "resolved"}).json()["text"]
        (paged,) = until_acted(hub, "paged")
        assert bo.get(f"/v1/approvals/{paged['approval']}").json()["params"] == {"name": "web"}
        assert bo.patch("/v1/triggers/again", json={"enabled": False}).status_code == 403
        seq = acted["occasion"]
    hub.restart()
    rehearsed = hub.run("trigger", "test", "again", "--seq", seq, as_="ana")
    assert "as ci it would ask for touch name=why" in rehearsed.stdout, rehearsed.stderr
    assert hub.run("trigger", "test", "again", "--seq", seq, as_="bo").returncode == 3
    last = hub.run("trigger", "test", "again", as_="ana")
    assert f"entry {seq} (apply:failed)" in last.stdout, last.stderr
    with hub.client("ana") as ana_again:
        for each in ana_again.get("/v1/triggers").json()["items"]:
            TypeAdapter(shapes.Trigger).validate_python(each)
        tried = ana_again.post("/v1/triggers/paged/test", json={"body": alert, "headers": {"X-Any": "1"}}).json()
        TypeAdapter(shapes.Rehearsal).validate_python(tried)
        assert (tried["title"], tried["policy"]) == ("Touch web", "default")
        assert ana_again.post("/v1/triggers/paged/test", json={"seq": 1, "body": alert}).status_code == 400
        assert ana_again.post("/v1/triggers/paged/test", json={}).status_code == 400
        assert ana_again.patch("/v1/triggers/again", json={"enabled": False}).json()["disabled_by"] == "ana"
        assert len(ana_again.get("/v1/triggers").json()["items"][0]["last"]) == 1
        assert len(ana_again.get("/v1/approvals").json()["items"]) == 3
