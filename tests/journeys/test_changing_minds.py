"""Revisions, the hold window, retries and rollbacks as stories through HTTP, WebSocket and the shell of a real hub."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from processes import HubProcess, StartHub
from websockets.sync.client import ClientConnection, connect

PEOPLE = """\
version: 1
public_url: http://127.0.0.1:8000
people:
  ana: {name: Ana Ruiz, groups: [sre, admins]}
  bo:  {name: Bo Lind, groups: [sre]}
  cai: {name: Cai Wu, groups: [sre]}
limits: {commands: 500/s, burst: 500}
"""
ACTIONS = """\
actions:
  deploy:
    title: "Deploy {version}"
    params: {version: {type: string, pattern: "[a-z0-9.]+"}}
    resources: ["env:prod"]
    preview: {command: ["./plan", "{version}"]}
    stash: {command: ["./state"]}
    apply: {command: ["./deploy", "{version}"], timeout: 20s}
    rollback: {command: ["./undo"], preview: {command: ["./state"]}}
  held:
    title: "Held"
    hold: 60s
    apply: {command: ["./deploy", "held"]}
policies:
  - {name: default, require: [{group: sre, count: 1}]}
"""
FILES = {
    "plan": '#!/bin/sh\necho "would install $1"\n',
    "state": "#!/bin/sh\ncat now.txt\n",
    "deploy": '#!/bin/sh\necho "$1" > now.txt\n[ "$1" != broken ] || { echo no disk; exit 3; }\n',
    "undo": (
        "#!/bin/sh\ntouch begun\nwhile [ -e hang ]; do sleep 0.05; done\n"
        'echo "$INTERLOCK_STASH" > now.txt\necho "back to $INTERLOCK_STASH"\n'
    ),
    "now.txt": "v0\n",
}


class Page:
    """Somebody at the page: commands over a WebSocket."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._count = 0

    def send(self, frame: dict[str, Any]) -> Any:
        self._count += 1
        self._socket.send(json.dumps({**frame, "id": f"m{self._count}"}))
        while True:
            answer = json.loads(self._socket.recv(timeout=20))
            if answer.get("id") == f"m{self._count}":
                return answer

    def say(self, text: str) -> Any:
        return self.send({"type": "command", "text": text})

    def card(self, name: str) -> Any:
        return self.say(f"show {name}")["card"]

    def press(self, name: str, choice: str) -> Any:
        token = next(each["token"] for each in self.card(name)["buttons"] if each["choice"] == choice)
        return self.send({"type": "press", "token": token})


@contextmanager
def page(hub: HubProcess, who: str) -> Iterator[Page]:
    url = hub.url.replace("http:", "ws:") + "/v1/ws"
    with connect(url, additional_headers={"Authorization": f"Bearer {hub.key(who)}"}, max_size=None) as socket:
        yield Page(socket)


@pytest.fixture
def hub(start_hub: StartHub) -> HubProcess:
    return start_hub(people=PEOPLE, actions=ACTIONS, files=FILES)


def until(client: httpx.Client, name: str, *states: str) -> Any:
    """The approval once it is in one of `states`."""
    seen = client.get(f"/v1/approvals/{name}")
    while seen.json()["state"] not in states:
        seen = client.get(f"/v1/approvals/{name}/wait", params={"timeout": 5, "after": seen.headers["etag"]})
    return seen.json()


def ask(client: httpx.Client, action: str, **params: str) -> Any:
    made = client.post("/v1/approvals", json={"action": action, "params": params, "reason": "due"}).json()
    return until(client, made["id"], "REVIEWING")


def approve(client: httpx.Client, seen: Any) -> None:
    done = client.post(f"/v1/approvals/{seen['id']}/approve", json={"digest": seen["digest"]})
    assert done.status_code == 200, done.text


def labelled(card: Any, label: str) -> str:
    return next((str(each["value"]) for each in card["fields"] if each["label"].startswith(label)), "")


def test_what_http_edits_the_page_sees_as_a_difference(hub: HubProcess) -> None:
    with hub.client("ana") as ana, page(hub, "bo") as bo:
        seen = ask(ana, "deploy", version="v1")
        path = f"/v1/approvals/{seen['id']}"
        old = next(each["token"] for each in bo.card(seen["id"])["buttons"] if each["choice"] == "approve")
        assert ana.patch(path, json={"params": {"version": "v2"}}).status_code == 428
        tag = ana.get(path).headers["etag"]
        assert ana.patch(path, json={"params": {"version": "v2"}}, headers={"if-match": tag}).status_code == 200
        assert ana.patch(path, json={"params": {"version": "v3"}}, headers={"if-match": tag}).status_code == 412
        seen = until(ana, seen["id"], "REVIEWING")
        assert {"field": "params.version", "before": "v1", "after": "v2"} in seen["changes"]
        assert "+would install v2" in seen["preview_diff"]
        card = bo.card(seen["id"])
        assert "params.version: v1 → v2" in labelled(card, "Changed since revision 1")
        assert "-would install v1" in labelled(card, "The preview changed")
        assert not bo.send({"type": "press", "token": old})["ok"]
        told = hub.json("say", f"history {seen['id']}", as_="ana")
        assert "approval:revised" in told["text"]
        assert bo.press(seen["id"], "approve")["ok"]
        assert until(ana, seen["id"], "COMPLETED")["run"]["exit"] == 0


def test_stop_at_the_page_ends_what_http_approved_and_holds(hub: HubProcess) -> None:
    with hub.client("ana") as ana, hub.client("cai") as cai, page(hub, "bo") as bo:
        seen = ask(ana, "held")
        approve(cai, seen)
        assert ana.get(f"/v1/approvals/{seen['id']}").json()["hold_until"] is not None
        assert bo.press(seen["id"], "stop")["ok"]
        assert ana.get(f"/v1/approvals/{seen['id']}").json()["state"] == "REJECTED"
        assert (hub.root / "now.txt").read_text() == "v0\n"


def test_what_failed_is_retried_from_the_page_and_decided_over_http(hub: HubProcess) -> None:
    with hub.client("cai") as cai, page(hub, "ana") as ana:
        asked = ana.say("deploy broken because the release is due")["approval"]
        approve(cai, until(cai, asked["id"], "REVIEWING"))
        until(cai, asked["id"], "FAILED")
        again = ana.say(f"retry {asked['id']} because there is room now")["approval"]
        seen = until(cai, again["id"], "REVIEWING")
        assert (seen["attempt"], seen["retry_of"], seen["last_failure"]["exit"]) == (2, asked["id"], 3)
        assert labelled(ana.card(again["id"]), "The last attempt said") == "no disk\n"
        approve(cai, seen)
        assert until(cai, again["id"], "FAILED")["run"]["exit"] == 3


def test_two_channels_take_it_back_at_once_and_it_goes_back_once(hub: HubProcess) -> None:
    with hub.client("ana") as ana, hub.client("cai") as cai, page(hub, "bo") as bo, ThreadPoolExecutor(2) as both:
        seen = ask(ana, "deploy", version="v9")
        assert labelled(bo.card(seen["id"]), "A rollback would") == "v0\n"
        approve(cai, seen)
        done = until(ana, seen["id"], "COMPLETED")
        assert done["rollback"]["offered"]
        assert ana.post(f"/v1/approvals/{seen['id']}/rollback").status_code == 403
        button = next(each["token"] for each in bo.card(seen["id"])["buttons"] if each["choice"] == "rollback")
        pressed = both.submit(bo.send, {"type": "press", "token": button})
        posted = both.submit(cai.post, f"/v1/approvals/{seen['id']}/rollback", json={"comment": "too slow"})
        assert sorted([pressed.result()["ok"], posted.result().status_code == 200]) == [False, True]
        back = until(ana, seen["id"], "ROLLED_BACK")
        assert back["rollback_run"]["token"] > back["run"]["token"]
        assert (hub.root / "now.txt").read_text().strip() == "v0"
        assert "ROLLED_BACK" in json.dumps(hub.json("say", f"show {seen['id']}", as_="ana"))
    verdict = hub.run("audit", "verify")
    assert verdict.returncode == 0, verdict.stdout + verdict.stderr


def test_a_rollback_that_a_crash_interrupts_is_unknown_until_somebody_resolves_it(hub: HubProcess) -> None:
    with hub.client("ana") as ana, hub.client("cai") as cai:
        seen = ask(ana, "deploy", version="v9")
        approve(cai, seen)
        until(ana, seen["id"], "COMPLETED")
        (hub.root / "hang").write_text("")
        assert cai.post(f"/v1/approvals/{seen['id']}/rollback").status_code == 200
        until(ana, seen["id"], "ROLLING_BACK")
        ends = time.monotonic() + 20
        while not (hub.root / "begun").exists():
            assert time.monotonic() < ends
            time.sleep(0.01)
        hub.kill()
    hub.restart()
    with hub.client("ana") as ana, page(hub, "bo") as bo:
        left = until(ana, seen["id"], "UNKNOWN")
        assert left["rollback_run"]["state"] == "unknown"
        assert not left["rollback"]["offered"]
        wanted = {"resources": ["env:prod"]}
        assert ana.post("/v1/leases/acquire", json=wanted).status_code == 409
        assert not bo.say(f"resolve {seen['id']} failed because it is half done")["ok"]
        with page(hub, "ana") as admin:
            assert admin.say(f"resolve {seen['id']} failed because it is half done")["ok"]
        assert ana.post("/v1/leases/acquire", json=wanted).status_code == 200
        assert until(ana, seen["id"], "ROLLBACK_FAILED")["run"]["state"] == "completed"
        assert (hub.root / "now.txt").read_text() == "v9\n"
