"""Stories through webhooks and the page: a build asks, a pager rings, a person decides, everybody hears the end."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from browsers import Visitor
from playwright.sync_api import expect
from processes import ACTIONS, HubProcess
from standardwebhooks import Webhook

HOOK_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PAGER_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


class Pager:
    """The far side of the outward channel: it keeps what was signed for it, and answers as told."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, dict[str, Any]]] = []
        self.tries: list[str] = []
        self.status = 204
        pager = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                Webhook(PAGER_SECRET).verify(body, {name.lower(): value for name, value in self.headers.items()})
                pager.tries.append(self.headers["webhook-id"])
                if pager.status < 300:
                    pager.messages.append((self.headers["webhook-id"], json.loads(body)))
                self.send_response(pager.status)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing is printed."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def types(self) -> list[str]:
        return [message["type"] for _, message in self.messages]

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def pager() -> Iterator[Pager]:
    made = Pager()
    yield made
    made.close()


@pytest.fixture
def hub(start_hub: Callable[..., HubProcess], pager: Pager) -> HubProcess:
    extra = f"""\
channels:
  pager: {{adapter: webhook, url: "http://127.0.0.1:{pager.server.server_port}/", secret: "${{file:pager}}", allow_private: true}}
hooks:
  ci: {{verify: standard-webhooks, secret: "${{file:hook}}", as: ci, action: touch, params: {{name: body.name}}}}
"""
    actions = ACTIONS.replace(
        "require: [{group: team, count: 1}]", "require: [{group: team, count: 1}]\n    ask: [pager]"
    )
    return start_hub(actions=actions, extra=extra, files={"hook": HOOK_SECRET, "pager": PAGER_SECRET})


def build_asks(hub: HubProcess, name: str, message_id: str) -> httpx.Response:
    body = json.dumps({"name": name})
    now = datetime.now(UTC)
    headers = {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(HOOK_SECRET).sign(message_id, now, body),
    }
    return httpx.post(f"{hub.url}/hooks/ci", content=body, headers=headers, trust_env=False)


def until(holds: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_build_asks_a_pager_rings_and_who_presses_is_who_decides(
    hub: HubProcess, pager: Pager, visitor_at: Callable[..., Visitor]
) -> None:
    cai = visitor_at(hub, "cai").live()
    first = build_asks(hub, "web", "build-77")
    assert (first.status_code, first.json()["ok"]) == (200, True)
    name = first.json()["approval"]["id"]
    again = build_asks(hub, "web", "build-77")
    assert (again.status_code, again.json()["approval"]["id"]) == (200, name)
    assert build_asks(hub, "api", "build-77").status_code == 422

    expect(cai.card(name, "REVIEWING")).to_contain_text("ci asks")
    until(lambda: pager.types() == ["approval.requested"])
    data = pager.messages[0][1]["data"]
    assert data["approval"]["id"] == name
    token = next(button["token"] for button in data["buttons"] if button["choice"] == "approve")

    with hub.client("ana") as owner:
        refused = owner.post("/v1/press", json={"token": token})
        assert (refused.status_code, refused.json()["code"]) == (403, "own_request")  # ana owns ci
    with hub.client("deploy-bot") as agent:
        assert agent.post("/v1/press", json={"token": token}).status_code == 403
    with hub.client("bo") as bo:
        pressed = bo.post("/v1/press", json={"token": token, "comment": "paged"})
        assert pressed.status_code == 200, pressed.text
        assert bo.post("/v1/press", json={"token": token}).status_code in (200, 422)
        assert bo.post("/v1/press", json={"token": "made-up"}).status_code == 404

    expect(cai.card(name, "COMPLETED")).to_contain_text("approved by Bo Lind")
    until(lambda: pager.types()[-1] == "apply.finished")
    assert all(message["data"]["buttons"] == [] for _, message in pager.messages[1:])
    assert pager.messages[-1][1]["data"]["approval"]["state"] == "COMPLETED"
    assert len((hub.root / "touched-web").read_text().splitlines()) == 1
    ids = [message_id for message_id, _ in pager.messages]
    assert len(set(ids)) == len(ids)
    with hub.client("cai") as http:
        assert http.post("/v1/press", json={"token": token}).status_code == 409


def test_a_copy_that_could_not_be_delivered_survives_a_kill_and_decides_nothing(hub: HubProcess, pager: Pager) -> None:
    pager.status = 503
    name = build_asks(hub, "web", "build-1").json()["approval"]["id"]
    until(lambda: len(pager.tries) >= 2)
    assert len(set(pager.tries)) == 1
    hub.kill()
    pager.status = 204
    hub.start()
    until(lambda: pager.types() == ["approval.requested"])
    assert pager.messages[0][0] == pager.tries[0]
    with hub.client("bo") as bo:
        assert bo.get(f"/v1/approvals/{name}").json()["state"] == "REVIEWING"
        digest = bo.get(f"/v1/approvals/{name}").json()["digest"]
        assert bo.post(f"/v1/approvals/{name}/reject", json={"digest": digest, "comment": "no"}).status_code == 200
    until(lambda: pager.types()[-1] == "approval.rejected")
    assert build_asks(hub, "web", "build-1").json()["approval"]["id"] == name


def test_a_receiver_that_is_gone_for_good_is_given_up_where_it_can_be_seen(hub: HubProcess, pager: Pager) -> None:
    pager.status = 410
    name = build_asks(hub, "web", "build-1").json()["approval"]["id"]
    until(lambda: len(pager.tries) == 1)
    with hub.client("ana") as ana:

        def given_up() -> list[dict[str, Any]]:
            items = ana.get("/v1/events", params={"event": "delivery:dead"}).json()["items"]
            return [each for each in items if each["subject"] == name]

        until(lambda: bool(given_up()))
        assert ana.get(f"/v1/approvals/{name}").json()["state"] == "REVIEWING"


@pytest.mark.parametrize("how", ["unsigned", "signed by another"])
def test_what_is_not_proved_leaves_no_trace_but_a_count(hub: HubProcess, how: str) -> None:
    now = datetime.now(UTC)
    headers = {"webhook-id": "x", "webhook-timestamp": str(int(now.timestamp()))}
    if how != "unsigned":
        headers["webhook-signature"] = Webhook(PAGER_SECRET).sign("x", now, '{"name": "web"}')
    answer = httpx.post(f"{hub.url}/hooks/ci", content='{"name": "web"}', headers=headers, trust_env=False)
    assert (answer.status_code, answer.json()["code"]) == (401, "bad_signature")
    with hub.client("ana") as ana:
        events = ana.get("/v1/events", params={"limit": 200}).json()["items"]
        assert all(not each["event"].startswith(("hook:", "command:")) for each in events)
        assert "unproven" in ana.get("/metrics").text
