"""A policy that has ids typed, on the page and without its JavaScript: the hub refuses what the page would let through."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe import faults
from browsers import Visitor
from playwright.sync_api import WebSocketRoute, expect
from processes import ACTIONS, PEOPLE, HubProcess

VisitorAt = Callable[..., Visitor]


@pytest.fixture(scope="module")
def typing_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """A hub whose policy has the id typed for everything but `fail`."""
    policies = """\
policies:
  - {name: easy, when: 'action == "fail"', require: [{group: team, count: 1}]}
  - {name: careful, require: [{group: team, count: 1}], confirm: typed}
"""
    hub = HubProcess(tmp_path_factory.mktemp("typing"), PEOPLE + ACTIONS[: ACTIONS.index("policies:")] + policies)
    try:
        hub.start()
        yield hub
    finally:
        hub.close()


def asked(hub: HubProcess, name: str, action: str = "touch") -> str:
    params = {"name": name} if action == "touch" else {}
    with hub.client("ana") as ana:
        made = ana.post("/v1/approvals", json={"action": action, "params": params}).json()
        while made["state"] == "SUBMITTED":
            made = ana.get(f"/v1/approvals/{made['id']}/wait", params={"timeout": 20}).json()
        return str(made["id"])


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_id_is_typed_before_it_is_approved(visitor_at: VisitorAt, typing_hub: HubProcess, theme: str) -> None:
    name = asked(typing_hub, theme)
    bo = visitor_at(typing_hub, "bo", color_scheme=theme, reduced_motion="reduce").live()
    card = bo.card(name, "REVIEWING")
    expect(card).to_contain_text(f"{name} is typed as well: policy careful asks for it")
    card.locator("button[data-choice=approve]").click()
    field = bo.page.get_by_label(f"Type {name} to confirm")
    expect(field).to_be_focused()
    assert faults(bo) == []
    bo.page.locator(".decide .go").click()
    expect(bo.page.locator(".decide .wrong")).to_have_text(f"Type {name} first.")
    field.fill("A999")
    bo.page.keyboard.press("Enter")
    expect(bo.page.locator(".decide .wrong")).to_have_text(f"That is not {name}.")
    field.fill(name.lower())
    bo.page.keyboard.press("Enter")
    bo.card(name, "COMPLETED")
    assert bo.complaints == []


def test_rejecting_and_what_another_policy_covers_ask_for_no_typing(
    visitor_at: VisitorAt, typing_hub: HubProcess
) -> None:
    bo = visitor_at(typing_hub, "bo").live()
    bo.card(asked(typing_hub, "no"), "REVIEWING").locator("button[data-choice=reject]").click()
    bo.page.locator(".decide textarea").wait_for()
    assert bo.page.locator(".confirm").count() == 0
    bo.page.keyboard.press("Escape")
    bo.card(asked(typing_hub, "", "fail"), "REVIEWING").locator("button[data-choice=approve]").click()
    bo.page.locator(".decide textarea").wait_for()
    assert bo.page.locator(".confirm").count() == 0


def test_a_page_that_does_not_ask_is_refused_by_the_hub_and_takes_it_back(
    visitor_at: VisitorAt, typing_hub: HubProcess
) -> None:
    name = asked(typing_hub, "around")
    bo = visitor_at(typing_hub, "bo")

    def without(socket: WebSocketRoute) -> None:
        """A page that sends the press alone, as one that never asked would."""
        server = socket.connect_to_server()
        socket.on_message(lambda text: server.send(re.sub(r',"confirm":"A\d+"', "", str(text))))

    bo.page.route_web_socket(re.compile("/v1/ws$"), without)
    bo.page.reload()
    bo.live().press(name, "approve")
    expect(bo.page.locator(".toast[data-kind=bad]")).to_contain_text(f"policy careful asks you to type {name}")
    bo.card(name, "REVIEWING").locator("button[data-choice=approve]:not(:disabled)").wait_for()
    named = typing_hub.run("approve", name, "--yes", as_="bo")
    assert named.returncode == 0, named.stderr
    bo.card(name, "COMPLETED")


def test_of_several_each_that_asks_for_it_is_typed(visitor_at: VisitorAt, typing_hub: HubProcess) -> None:
    first, second = asked(typing_hub, "one"), asked(typing_hub, "two")
    easy = asked(typing_hub, "", "fail")
    bo = visitor_at(typing_hub, "bo").live()
    for each in (first, second, easy):
        bo.page.locator(f".row[data-id={each}] input").check()
    bo.page.locator(".chosen .primary").click()
    dialog = bo.page.get_by_role("dialog")
    expect(dialog.locator(".confirm")).to_have_count(2)
    expect(dialog.get_by_label(f"Type {first} to confirm")).to_be_focused()
    bo.page.keyboard.type(first)
    dialog.locator(".go").click()
    expect(dialog.locator(".wrong")).to_have_text(f"Type {second} first.")
    dialog.get_by_label(f"Type {second} to confirm").fill(second)
    dialog.locator(".go").click()
    expect(dialog).to_contain_text("3 of 3 decided")
    assert bo.complaints == []


def test_without_javascript_the_form_has_the_field_and_the_hub_judges_it(
    visitor_at: VisitorAt, typing_hub: HubProcess
) -> None:
    name = asked(typing_hub, "plain")
    bo: Any = visitor_at(typing_hub, "bo", java_script_enabled=False)
    bo.page.goto(f"{typing_hub.url}/approvals/{name}")
    form = bo.page.locator("form.decide", has=bo.page.locator("[value=approve]"))
    assert bo.page.locator("[name=confirm]").count() == 1
    field = form.get_by_label(f"Type {name} to confirm")
    field.fill("A999")
    form.get_by_role("button").click()
    expect(bo.page.locator("[role=alert]")).to_contain_text(f"what you typed is not {name}")
    form.get_by_label(f"Type {name} to confirm").fill(name)
    form.get_by_role("button").click()
    expect(bo.page.locator(".fields")).to_contain_text("Bo Lind approved in page")
