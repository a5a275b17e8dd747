"""How the page looks and reads: both themes, phone and desktop, by keyboard alone, for screen readers; and hostile text."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from typing import Any

import pytest
from axe import faults
from browsers import Visitor
from playwright.sync_api import expect
from processes import HubProcess

from adapters.websocket.built import entry, files

DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
FIRST_LOAD_BYTES = 250_000
HOSTILE = "</script><img src=x onerror=alert(1)> \u202egnp.exe\u200b \x1b[31mred {{7*7}} <b>bold</b>"

Visit = Callable[..., Visitor]


def asked(hub: HubProcess, name: str, reason: str | None = None) -> str:
    with hub.client("ana") as http:
        body = {"action": "touch", "params": {"name": name}, "reason": reason}
        made = http.post("/v1/approvals", json=body)
        assert made.status_code == 201, made.text
        return str(made.json()["id"])


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("theme", ["dark", "light"])
def test_every_room_can_be_read_by_everybody(visit: Visit, standing_hub: HubProcess, theme: str, size: Any) -> None:
    name = asked(standing_hub, "readable", "so that there is something to see")
    bo = visit("bo", viewport=size, color_scheme=theme, reduced_motion="reduce").live()
    bo.card(name, "REVIEWING")
    assert faults(bo) == []
    bo.page.locator("button[data-choice=approve]").click()
    bo.page.get_by_role("dialog").wait_for()
    assert faults(bo) == []
    bo.page.keyboard.press("Escape")
    bo.go("queue?view=open")
    bo.page.locator(".row").first.wait_for()
    assert faults(bo) == []
    bo.say("help")
    assert faults(bo) == []
    bo.go("activity")
    bo.page.locator(".entry").first.get_by_role("button").click()
    bo.page.locator("button.summarise").wait_for()
    assert faults(bo) == []
    bo.go("leases")
    bo.page.get_by_role("heading", name="Leases").wait_for()
    assert faults(bo) == []
    for width in (340, size["width"]):
        bo.page.set_viewport_size({**size, "width": width})
        for place in (
            "queue",
            f"approvals/{name}",
            "activity",
            "leases",
            "remote",
            "remote?tab=scheduled",
            "remote?tab=triggers",
        ):
            bo.go(place)
            wide, room = bo.page.evaluate("() => [document.documentElement.scrollWidth, innerWidth]")
            assert wide <= room, (place, width)
    assert bo.complaints == [] and bo.elsewhere == []


def test_a_fault_would_be_found(visit: Visit) -> None:
    bo = visit("bo").live()
    bo.page.evaluate("() => document.querySelector('main').append(document.createElement('input'), new Image())")
    assert {each.split(":")[0] for each in faults(bo)} == {"label", "image-alt"}


def test_a_request_is_asked_found_read_and_decided_without_a_mouse(visit: Visit, standing_hub: HubProcess) -> None:
    ana, bo = visit("ana").live(), visit("bo").live()
    ana.page.keyboard.press("4")
    expect(ana.page.locator("#command")).to_be_focused()
    ana.page.keyboard.type("touch keys because hands stay here")
    ana.page.keyboard.press("Enter")
    card = ana.page.locator(".inline-card[data-state=REVIEWING]")
    card.wait_for()
    name = str(card.get_attribute("data-id"))
    bo.page.keyboard.press("Control+k")
    bo.page.get_by_placeholder("Search or jump").wait_for()
    bo.page.keyboard.type(f"{name} touch keys")
    bo.page.keyboard.press("Enter")
    bo.page.locator(f"article[data-id={name}] button[data-choice=approve]").wait_for()
    bo.page.keyboard.press("a")
    expect(bo.page.get_by_role("dialog")).to_contain_text(f"Approve {name}")
    bo.page.keyboard.type("read it")
    bo.page.keyboard.press("Tab")
    bo.page.keyboard.press("Tab")
    expect(bo.page.locator(".decide .go")).to_be_focused()
    bo.page.keyboard.press("Enter")
    bo.page.locator(f"article[data-id={name}][data-state=COMPLETED]").wait_for()
    expect(bo.page.locator(f"article[data-id={name}]")).to_contain_text("read it")


def test_hostile_text_is_text_everywhere_and_changes_no_button(start_hub: Any, visitor_at: Visit) -> None:
    marked = "</script><img src=x onerror=alert(1)> ⟨U+202E⟩gnp.exe⟨U+200B⟩ ⟨U+001B⟩[31mred {{7*7}} <b>bold</b>"
    actions = (
        "actions:\n  leak:\n    title: Leak\n"
        '    preview: {command: ["ops/leak"]}\n'
        '    apply: {command: ["ops/leak"]}\n'
        "policies: [{name: default, require: [{group: team, count: 1}]}]\n"
    )
    hub = start_hub(actions=actions, files={"ops/leak": f"#!/bin/cat\n{HOSTILE}\n"})
    with hub.client("ana") as http:
        assert http.post("/v1/approvals", json={"action": "leak", "params": {}}).status_code == 201
    bo = visitor_at(hub, "bo").live()
    card = bo.card("A1", "REVIEWING")
    expect(card.locator(".preview")).to_contain_text(marked)
    expect(card.locator(".preview mark")).to_have_count(3)
    labels = card.locator(".actions button").all_inner_texts()
    assert [re.sub(r"\s+\w$", "", each) for each in labels] == ["Approve", "Reject", "Ask for changes"]
    bo.press("A1", "approve", "looks <i>odd</i>")
    done = bo.card("A1", "COMPLETED")
    expect(done).to_contain_text("looks <i>odd</i>")
    expect(done).to_contain_text(marked)
    assert bo.page.locator("article img, article b, article pre i, blockquote i").count() == 0
    bo.go("activity")
    expect(bo.page.locator(".entry", has_text="looks <i>odd</i>").first).to_be_visible()
    assert bo.page.evaluate("() => document.title") == "Interlock"
    assert bo.complaints == [] and bo.elsewhere == []


def test_a_hundred_thousand_characters_are_shown_piece_by_piece(start_hub: Any, visitor_at: Visit) -> None:
    actions = (
        "actions:\n  long:\n    title: Long\n"
        '    preview: {command: ["/bin/sh", "-c", "yes 0123456789abcdef | head -n 3700"]}\n'
        '    apply: {command: ["true"]}\n'
        "policies: [{name: default, require: [{group: team, count: 1}]}]\n"
    )
    hub = start_hub(actions=actions)
    with hub.client("ana") as http:
        made = http.post("/v1/approvals", json={"action": "long", "params": {}, "reason": "x" * 4_000})
        assert made.status_code == 201
    bo = visitor_at(hub, "bo").live()
    preview = bo.card("A1", "REVIEWING").locator(".preview")
    assert preview.locator("> span").count() == 300
    preview.get_by_role("button").click()
    expect(preview.locator("> span")).to_have_count(3_700)
    wide, room = bo.page.evaluate("() => [document.documentElement.scrollWidth, innerWidth]")
    assert wide <= room


def test_the_page_lets_in_nothing_from_elsewhere_and_first_loads_little(visit: Visit) -> None:
    bo = visit(None)
    bo.page.goto(bo.link("bo"))
    with bo.page.expect_response(bo.hub.url + "/") as found:
        bo.page.get_by_role("button").click()
    bo.live()
    policy = found.value.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "script-src 'self';" in policy and "unsafe" not in policy
    assert "<script>" not in found.value.text() and " style=" not in found.value.text()
    first = entry()
    assert first is not None
    names = (first.script, *first.styles, *first.preloads, *first.fonts)
    sent = sum(len(files()[name].compressed or files()[name].content) for name in names)
    assert sent + len(gzip.compress(found.value.body())) < FIRST_LOAD_BYTES
    answer = bo.context.request.get(f"{bo.hub.url}/static/{first.script}")
    assert answer.headers["content-encoding"] == "gzip" and "immutable" in answer.headers["cache-control"]
    again = bo.context.request.get(
        f"{bo.hub.url}/static/{first.script}", headers={"if-none-match": answer.headers["etag"]}
    )
    assert again.status == 304


def test_the_theme_that_was_chosen_comes_with_the_page(visit: Visit) -> None:
    bo = visit("bo", color_scheme="dark").live()

    def ground() -> str:
        return str(bo.page.evaluate("() => getComputedStyle(document.body).backgroundColor"))

    dark = ground()
    bo.page.get_by_role("button", name="You: Bo Lind").click()
    bo.page.get_by_role("menuitemradio", name="Light").click()
    light = ground()
    assert light != dark
    bo.page.reload()
    assert bo.page.locator("html").get_attribute("data-theme") == "light"
    assert ground() == light
