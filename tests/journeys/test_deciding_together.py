"""Quorum, delegation, vetoes and `who`, as one story through HTTP, WebSocket and the shell of a real hub."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from processes import HubProcess, StartHub
from sockets import page

PEOPLE = """\
version: 1
public_url: http://127.0.0.1:8000
people:
  ana: {name: Ana Ruiz, groups: [sre, admins]}
  bo:  {name: Bo Lind, groups: [sre]}
  cai: {name: Cai Wu, groups: [sre]}
  dee: {name: Dee Okoye, groups: [security]}
  eve: {name: Eve Falk}
limits: {commands: 500/s, burst: 500}
"""
ACTIONS = """\
actions:
  deploy:
    title: "Deploy {service}"
    params: {service: {type: string, pattern: "[a-z]+"}}
    apply: {command: ["/bin/echo", "{service}"]}
  one:
    title: "One {service}"
    params: {service: {type: string, pattern: "[a-z]+"}}
    start: manual
    apply: {command: ["/bin/echo", "{service}"]}
policies:
  - name: one
    when: 'action == "one"'
    require: [{group: sre, count: 1}]
    veto: [security]
  - name: default
    require: [{group: sre, count: 2}]
    reject: 2
    veto: [security]
"""


@pytest.fixture
def hub(start_hub: StartHub) -> HubProcess:
    return start_hub(people=PEOPLE, actions=ACTIONS)


def reviewed(hub: HubProcess, who: str, action: str = "deploy") -> dict[str, Any]:
    with hub.client(who) as client:
        made = client.post("/v1/approvals", json={"action": action, "params": {"service": "web"}, "reason": "due"})
        seen: dict[str, Any] = made.json()
        while seen["state"] == "SUBMITTED":
            seen = client.get(f"/v1/approvals/{seen['id']}/wait", params={"timeout": 5}).json()
    assert seen["state"] == "REVIEWING"
    return seen


def test_a_delegate_at_the_page_completes_what_http_began_and_everybody_reads_for_whom(hub: HubProcess) -> None:
    with page(hub, "bo") as bo, page(hub, "eve") as eve, hub.client("cai") as cai:
        assert bo.say("delegate to @eve until tomorrow for deploy")["ok"]
        seen = reviewed(hub, "ana")
        who = eve.say(f"who {seen['id']}")["text"]
        assert "Missing: 2 of sre." in who
        assert "bo, cai, eve for bo" in who
        assert "May reject alone, of security: dee." in who
        told = hub.json("say", f"who {seen['id']}", as_="ana")
        assert "eve for bo" in told["text"]
        assert eve.press(seen["id"], "approve")["ok"]
        half = cai.get(f"/v1/approvals/{seen['id']}").json()
        assert half["decisions"][0]["on_behalf_of"] == {"id": "bo", "kind": "person", "name": "Bo Lind"}
        assert [each["have"] for each in half["requirements"]] == [1]
        assert cai.get(f"/v1/approvals/{seen['id']}/who").json()["could"][0]["id"] == "cai"
        done = cai.post(f"/v1/approvals/{seen['id']}/approve", json={"digest": seen["digest"]})
        assert done.status_code == 200
        until = {"until": "final", "timeout": 20}
        assert cai.get(f"/v1/approvals/{seen['id']}/wait", params=until).json()["state"] == "COMPLETED"
        card = bo.say(f"show {seen['id']}")["card"]
        assert "Eve Falk for Bo Lind" in next(each["value"] for each in card["fields"] if each["label"] == "Decided")
    verdict = hub.run("audit", "verify")
    assert verdict.returncode == 0, verdict.stdout + verdict.stderr


def test_a_rejection_a_change_of_mind_and_a_veto_go_through_three_channels(hub: HubProcess) -> None:
    with page(hub, "bo") as bo, hub.client("cai") as cai, hub.client("dee") as dee:
        first = reviewed(hub, "eve")
        assert "not enough to end it" in bo.press(first["id"], "reject")["text"]
        seen = cai.get(f"/v1/approvals/{first['id']}").json()
        assert (seen["state"], seen["rejections"], seen["veto"]) == (
            "REVIEWING",
            {"have": 1, "count": 2},
            ["security"],
        )
        assert bo.press(first["id"], "approve")["ok"]
        refused = dee.post(f"/v1/approvals/{first['id']}/approve", json={"digest": first["digest"]})
        assert (refused.status_code, refused.json()["code"]) == (403, "not_eligible")
        ended = dee.post(f"/v1/approvals/{first['id']}/reject", json={"digest": first["digest"]}).json()
        assert (ended["state"], ended["why"]) == ("REJECTED", "rejected by dee alone, of the veto group security")
    assert "REJECTED" in hub.json("say", f"who {first['id']}", as_="ana")["text"]


def test_two_people_in_two_channels_in_the_same_instant_make_one_approval(hub: HubProcess) -> None:
    with page(hub, "bo") as bo, hub.client("cai") as cai, ThreadPoolExecutor(2) as both:
        for _ in range(5):
            seen = reviewed(hub, "ana", "one")
            card = bo.say(f"show {seen['id']}")["card"]
            press = {
                "type": "press",
                "token": next(each["token"] for each in card["buttons"] if each["choice"] == "approve"),
            }
            body = {"digest": seen["digest"]}
            first = both.submit(bo.send, press)
            second = both.submit(cai.post, f"/v1/approvals/{seen['id']}/approve", json=body)
            won = [first.result()["ok"], second.result().status_code == 200]
            assert sorted(won) == [False, True]
            codes = {first.result().get("code"), second.result().json().get("code")}
            assert "wrong_state" in codes
            after = cai.get(f"/v1/approvals/{seen['id']}").json()
            assert (after["state"], len(after["decisions"])) == ("APPROVED", 1)
