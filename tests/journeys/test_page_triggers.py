"""Triggers on the page: what each asks for and did last, switching it off, and trying it without anything happening."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe import faults
from browsers import Visitor
from playwright.sync_api import Route, expect
from processes import ACTIONS, PEOPLE, HubProcess

TRIGGERS = """\
hooks:
  alerts: {verify: bearer, as: ci}
triggers:
  again:
    on: [apply:failed, apply:unknown]
    when: 'approval.action == "fail"'
    as: ci
    action: touch
    params: {name: '"why"'}
    limit: 1/h
  broken:
    on: approval:rejected
    as: deploy-bot
    action: touch
    params: {name: approval.params.nothing}
  paged:
    on: hook:alerts
    when: 'body.status == "firing"'
    as: ci
    action: touch
    params: {name: body.labels.service}
  resting:
    on: lease:broken
    as: ci
    action: fail
    enabled: false
"""

VisitorAt = Callable[..., Visitor]


@pytest.fixture(scope="module")
def triggering_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """A hub with triggers, one of which acted, and was held back when the same happened again."""
    hub = HubProcess(tmp_path_factory.mktemp("triggering"), PEOPLE + ACTIONS + TRIGGERS)
    try:
        hub.start()
        yield hub
    finally:
        hub.close()


def fail(hub: HubProcess, verdict: str = "approve") -> str:
    """A request to fail, decided."""
    with hub.client("ana") as ana, hub.client("bo") as bo:
        made = ana.post("/v1/approvals", json={"action": "fail", "params": {}}).json()
        while made["state"] == "SUBMITTED":
            made = bo.get(f"/v1/approvals/{made['id']}/wait", params={"timeout": 20}).json()
        decided = bo.post(f"/v1/approvals/{made['id']}/{verdict}", json={"digest": made["digest"], "comment": "so"})
        assert decided.status_code == 200, decided.text
        return str(made["id"])


def item(visitor: Visitor, name: str) -> Any:
    return visitor.page.locator(f".trigger[data-id={name}]")


def test_each_rule_is_read_and_what_came_of_it_appears_as_it_does(
    visitor_at: VisitorAt, triggering_hub: HubProcess
) -> None:
    ana = visitor_at(triggering_hub, "ana").live()
    ana.go("remote?tab=triggers")
    again = item(ana, "again")
    expect(again).to_contain_text("a request failed")
    expect(again).to_contain_text('approval.action == "fail"')
    expect(again).to_contain_text("1 in an hour, 3 triggers in a row · 0 used")
    expect(again).to_contain_text("It has not acted yet.")
    expect(item(ana, "paged")).to_contain_text("a message comes to the hook alerts")
    expect(item(ana, "resting")).to_contain_text("off by hub.yaml")
    assert item(ana, "resting").get_by_role("switch").count() == 0

    fail(triggering_hub)
    made = again.get_by_role("link")
    expect(made).to_have_text(re.compile(r"A\d+"))
    expect(again.locator(".acted")).to_contain_text("reviewing")
    expect(again).to_contain_text("1 used")
    name = made.inner_text()
    assert f"#/approvals/{name}" in str(made.get_attribute("href"))
    fail(triggering_hub)
    expect(again.locator("li[data-held]")).to_contain_text("Held back: it had acted as often as it may")
    fail(triggering_hub, "reject")
    expect(item(ana, "broken").locator("li[data-held]")).to_contain_text("'nothing', which is not there")

    bo = visitor_at(triggering_hub, "bo").live()
    bo.press(name, "reject", "enough")
    expect(again.locator(".acted")).to_contain_text("rejected")
    bo.go("remote?tab=triggers")
    expect(item(bo, "broken").locator("li[data-held]")).to_contain_text("Held back: its expression failed")
    assert bo.page.get_by_text("which is not there").count() == 0, "only auditors read what it failed on"
    assert bo.page.get_by_role("switch").count() == bo.page.locator(".try").count() == 0
    assert ana.complaints == bo.complaints == []


def test_it_is_tried_on_the_last_entry_on_any_and_on_a_message_and_nothing_happens(
    visitor_at: VisitorAt, triggering_hub: HubProcess
) -> None:
    failed = fail(triggering_hub)
    ana = visitor_at(triggering_hub, "ana").live()
    ana.go("remote?tab=triggers")
    with triggering_hub.client("ana") as http:
        before = len(http.get("/v1/approvals", params={"limit": 100}).json()["items"])
    would = ana.page.locator(".would")
    item(ana, "again").locator(".try").press("Enter")
    expect(would).to_contain_text(f"{failed} failed")
    expect(would).to_contain_text("It matches, but it has acted as often as it may for now.")
    expect(would).to_contain_text("name = why")
    expect(would).to_contain_text("Policy default says who decides.")
    ana.page.keyboard.type("1")
    ana.page.keyboard.press("Enter")
    expect(would).to_contain_text("It does not look at")
    ana.page.get_by_role("textbox").fill("no number")
    ana.page.keyboard.press("Enter")
    expect(ana.page.locator(".wrong")).to_have_text("An entry has a number, like 812.")
    ana.page.get_by_role("textbox").fill("999999")
    ana.page.keyboard.press("Enter")
    expect(ana.page.locator(".wrong")).to_have_text("there is no entry 999999")
    ana.page.keyboard.press("Escape")
    expect(item(ana, "again").locator(".try")).to_be_focused()

    item(ana, "paged").locator(".try").click()
    message = ana.page.locator(".rehearse textarea")
    message.fill("{not json")
    ana.page.locator(".rehearse .go").click()
    expect(ana.page.locator(".wrong")).to_have_text("This is no JSON.")
    message.fill('{"status": "firing", "labels": {"service": "web"}}')
    ana.page.keyboard.press("Control+Enter")
    expect(would).to_contain_text("It would ask for this, as ci.")
    expect(would).to_contain_text("Touch web")
    message.fill('{"status": "firing", "labels": {"service": "NO"}}')
    ana.page.keyboard.press("Control+Enter")
    expect(would).to_contain_text("It would ask as ci, and be refused:")
    message.fill('{"status": "over"}')
    ana.page.keyboard.press("Control+Enter")
    expect(would).to_contain_text("its condition is not true here")
    ana.page.keyboard.press("Escape")

    item(ana, "again").locator(".acted button").first.click()
    expect(would).to_contain_text("failed")
    with triggering_hub.client("ana") as http:
        assert len(http.get("/v1/approvals", params={"limit": 100}).json()["items"]) == before
    assert [each for each in ana.complaints if "404" not in each] == []


def test_it_is_switched_off_and_on_for_everybody_at_once_and_taken_back_when_refused(
    visitor_at: VisitorAt, triggering_hub: HubProcess
) -> None:
    ana, bo = (visitor_at(triggering_hub, each).live() for each in ("ana", "bo"))
    for each in (ana, bo):
        each.go("remote?tab=triggers")
    switch = item(ana, "paged").get_by_role("switch")
    expect(item(bo, "paged").locator(".chip").first).to_have_text("on")
    switch.press("Space")
    expect(item(ana, "paged")).to_contain_text("off by ana")
    expect(item(bo, "paged")).to_contain_text("off by ana")
    item(ana, "paged").locator(".try").click()
    ana.page.locator(".rehearse textarea").fill('{"status": "firing", "labels": {"service": "web"}}')
    ana.page.keyboard.press("Control+Enter")
    expect(ana.page.locator(".would")).to_contain_text("It matches, but it is switched off.")
    ana.page.keyboard.press("Escape")
    switch.click()
    expect(item(bo, "paged").locator(".chip").first).to_have_text("on")

    asked: list[Route] = []
    ana.page.route("**/v1/triggers/paged", lambda route: asked.append(route))
    with ana.page.expect_request("**/v1/triggers/paged"):
        switch.click()
    expect(switch).not_to_be_checked()  # before the hub has answered
    problem = {"code": "wrong_state", "detail": "paged is kept on today"}
    asked[0].fulfill(status=409, json=problem, content_type="application/problem+json")
    expect(ana.page.locator(".toast[data-kind=bad]")).to_contain_text("paged is kept on today")
    expect(switch).to_be_checked()


@pytest.mark.parametrize(
    "size", [{"width": 1440, "height": 900}, {"width": 390, "height": 844}], ids=["desktop", "phone"]
)
@pytest.mark.parametrize("theme", ["dark", "light"])
def test_triggers_can_be_read_by_everybody(
    visitor_at: VisitorAt, triggering_hub: HubProcess, theme: str, size: Any
) -> None:
    ana = visitor_at(triggering_hub, "ana", viewport=size, color_scheme=theme, reduced_motion="reduce").live()
    assert "S" in ana.say('schedule "0 9 * * 1-5" touch planned')
    for tab in ("scheduled", "triggers"):
        ana.go(f"remote?tab={tab}")
        ana.page.locator(".item").first.wait_for()
        assert faults(ana) == []
        wide, room = ana.page.evaluate("() => [document.documentElement.scrollWidth, innerWidth]")
        assert wide <= room
    item(ana, "again").locator(".try").click()
    ana.page.locator(".would, .wrong:not(:empty)").first.wait_for()
    assert faults(ana) == []
