"""Very long lists on the page: little of them is drawn, all of them can be reached, and nothing moves while one reads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from browsers import Visitor
from playwright.sync_api import Locator, WebSocketRoute, expect
from processes import HubProcess

from bench.filled import copied, made_one, talked

REQUESTS, ENTRIES = 5_000, 10_000
MOST_DRAWN = 100
CONFIG = """\
version: 1
public_url: http://127.0.0.1:8000
people:
  ana: {name: Ana Ruiz, groups: [admins]}
  bo: {name: Bo Lind, groups: [team]}
agents: {bot: {owner: ana}}
limits: {commands: 100000/s, burst: 100000, agents: {open: 100000, per_hour: 100000}}
actions:
  note: {title: "Note {text}", params: {text: {type: string}}, apply: {command: ["true", "{text}"]}}
policies:
  - {name: default, require: [{group: team, count: 1}]}
"""
PHONE = {"viewport": {"width": 390, "height": 844}}
DESKTOP = {"viewport": {"width": 1280, "height": 900}}
Visit = Callable[..., Visitor]


@pytest.fixture(scope="module")
def full_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """A hub where 5,000 requests wait for bo, and whose log has more entries than a page keeps."""
    root = tmp_path_factory.mktemp("full")

    async def fill() -> None:
        settings = await made_one(root, CONFIG)
        copied(settings, REQUESTS)
        await talked(settings, ENTRIES + 500)

    with ThreadPoolExecutor(1) as apart:  # the browser's loop runs in this thread
        apart.submit(lambda: asyncio.run(fill())).result()
    hub = HubProcess(root, CONFIG)
    try:
        hub.start()
        yield hub
    finally:
        hub.close()


@pytest.fixture
def bo(visitor_at: Visit, full_hub: HubProcess) -> Visitor:
    bo = visitor_at(full_hub, "bo", **DESKTOP).live()
    bo.page.locator(".row").first.wait_for()
    return bo


def ask(hub: HubProcess, text: str) -> str:
    """The id of a new request."""
    with hub.client("bot") as http:
        made = http.post("/v1/approvals", json={"action": "note", "params": {"text": text}})
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


def to_the_end(visitor: Visitor, frame: Locator, height: int) -> None:
    """The list is scrolled to its end until it is as high as all of it is."""
    visitor.page.wait_for_function(
        "([frame, height]) => { frame.scrollTop = frame.scrollHeight; return frame.scrollHeight >= height; }",
        arg=[frame.element_handle(), height],
        timeout=60_000,
    )


def drawn(rows: Locator) -> list[dict[str, Any]]:
    """What is drawn, from the top down: its name, and where it stands in its frame."""
    found: list[dict[str, Any]] = rows.evaluate_all(
        """(all) => all.map((each) => {
            const { top, height } = each.getBoundingClientRect();
            return { name: each.dataset.id ?? each.dataset.seq, top, height };
        }).sort((one, other) => one.top - other.top)"""
    )
    return found


def is_without_gap(rows: list[dict[str, Any]]) -> bool:
    """Whether all are of one height, and each begins where the one before ends."""
    height = rows[0]["height"]
    tops = [round(each["top"] - rows[0]["top"]) for each in rows]
    return {each["height"] for each in rows} == {height} and tops == [at * height for at in range(len(rows))]


@pytest.mark.parametrize("how", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_all_of_a_long_queue_is_reached_and_little_of_it_is_drawn(
    visitor_at: Visit, full_hub: HubProcess, how: dict[str, Any]
) -> None:
    bo = visitor_at(full_hub, "bo", **how).live()
    rows, frame = bo.page.locator(".row"), bo.page.locator(".list")
    expect(rows.first).to_have_attribute("data-id", "A1")  # what waited longest
    expect(bo.page.locator("[data-view=mine] .count")).to_have_text("200+")
    height = drawn(rows)[0]["height"]
    to_the_end(bo, frame, int(height * REQUESTS))
    expect(bo.page.locator(f'.row[data-id="A{REQUESTS}"]')).to_be_visible()
    assert len(drawn(rows)) < MOST_DRAWN
    assert is_without_gap(drawn(rows))
    expect(bo.page.locator("[data-view=mine] .count")).to_have_text(str(REQUESTS))
    assert bo.complaints == []


def test_the_keys_go_on_at_the_far_end_of_a_long_queue(bo: Visitor) -> None:
    height = drawn(bo.page.locator(".row"))[0]["height"]
    to_the_end(bo, bo.page.locator(".list"), int(height * REQUESTS))
    bo.page.locator(f'.row[data-id="A{REQUESTS - 40}"] a').wait_for(state="detached")
    bo.page.locator(f'.row[data-id="A{REQUESTS - 2}"] a').click()
    for expected in (REQUESTS - 1, REQUESTS, REQUESTS):  # there is none after the last
        bo.page.keyboard.press("j")
        expect(bo.page.locator(f'.row[data-id="A{expected}"][data-chosen]')).to_be_in_viewport()
    for _ in range(30):
        bo.page.keyboard.press("k")
    expect(bo.page.locator(f'.row[data-id="A{REQUESTS - 30}"][data-chosen]')).to_be_in_viewport()
    assert len(drawn(bo.page.locator(".row"))) < MOST_DRAWN


def test_what_is_read_stays_where_it_is_while_requests_arrive(bo: Visitor, full_hub: HubProcess) -> None:
    bo.go("queue?view=open")
    rows, frame = bo.page.locator(".row"), bo.page.locator(".list")
    newest = ask(full_hub, "first")
    expect(rows.first).to_have_attribute("data-id", newest)  # at the top, what is new is seen
    bo.page.locator(f'.row[data-id="{newest}"] a').click()
    frame.evaluate("(frame) => { frame.scrollTop = 3000; }")
    bo.page.locator(f'.row[data-id="{newest}"]').wait_for(state="detached")
    bo.page.wait_for_load_state("networkidle")
    count = bo.page.locator("[data-view=open] .count")
    known = int(count.inner_text().rstrip("+"))
    before = drawn(rows)
    read = before[len(before) // 2]
    later = [ask(full_hub, f"later {number}") for number in range(3)]
    expect(count).to_have_text(f"{known + len(later)}+")
    after = {each["name"]: each for each in drawn(rows)}
    assert after[read["name"]] == read
    assert is_without_gap(drawn(rows))
    frame.evaluate("(frame) => { frame.scrollTop = 0; }")
    expect(bo.page.locator(f'.row[data-id="{later[-1]}"]')).to_be_visible()


def test_all_of_the_log_that_a_page_keeps_is_reached_and_stays_where_it_is(bo: Visitor, full_hub: HubProcess) -> None:
    bo.go("activity")
    rows, frame = bo.page.locator(".entry"), bo.page.locator(".entries")
    rows.first.wait_for()
    height = drawn(rows)[0]["height"]
    to_the_end(bo, frame, int(height * ENTRIES))
    expect(bo.page.get_by_text("Nothing earlier is shown.")).to_be_visible()
    assert len(drawn(rows)) < MOST_DRAWN
    assert is_without_gap(drawn(rows))

    frame.evaluate("(frame) => { frame.scrollTop = 4000; }")
    rows.first.wait_for()
    before = drawn(rows)
    read = before[len(before) // 2]
    with full_hub.client("ana") as http:
        for _ in range(5):
            assert http.post("/v1/commands", json={"text": "whoami"}).status_code == 200
    height_now = frame.evaluate("(frame) => frame.scrollHeight")
    assert {each["name"]: each for each in drawn(rows)}[read["name"]] == read
    assert height_now == frame.evaluate("(frame) => frame.scrollHeight")
    assert bo.complaints == []


def test_a_page_that_is_open_asks_for_nothing_when_something_happens(bo: Visitor, full_hub: HubProcess) -> None:
    bo.go("queue?view=open")
    bo.page.locator(".row").first.wait_for()
    bo.page.wait_for_load_state("networkidle")
    asked: list[str] = []
    bo.page.on("request", lambda request: asked.append(request.url))
    name = ask(full_hub, "quiet")
    expect(bo.page.locator(f'.row[data-id="{name}"][data-state=REVIEWING]')).to_be_visible()
    with full_hub.client("bot") as http:
        assert http.post(f"/v1/approvals/{name}/withdraw", json={}).status_code == 200
    expect(bo.page.locator(f'.row[data-id="{name}"]')).to_have_count(0)
    assert asked == []


def test_many_that_were_asked_for_while_nobody_heard_are_all_there_after_the_break(
    bo: Visitor, full_hub: HubProcess
) -> None:
    links: list[WebSocketRoute] = []
    is_cut = False

    def join(link: WebSocketRoute) -> None:
        links.append(link)
        if is_cut:
            link.close(code=1011)
        else:
            link.connect_to_server()

    bo.page.route_web_socket("**/v1/ws", join)
    bo.page.goto(f"{full_hub.url}/#/queue?view=open")
    bo.page.reload()
    bo.live().page.locator(".row").first.wait_for()
    is_cut = True
    links[-1].close(code=1011)
    expect(bo.page.get_by_role("alert").filter(has_text="No connection to the hub")).to_be_visible()
    unheard = [ask(full_hub, f"unheard {number}") for number in range(101)]  # one more than the hub shows by itself
    is_cut = False
    bo.live()
    bo.page.get_by_role("textbox", name="Filter").fill(unheard[0])
    expect(bo.page.locator(f'.row[data-id="{unheard[0]}"]')).to_be_visible(timeout=30_000)
    assert is_without_gap(drawn(bo.page.locator(".row")))
