"""What a run prints is on the page as it is printed: past breaks, floods and hostile text, in both themes, by keyboard."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe import faults
from browsers import Visitor
from playwright.sync_api import Locator, WebSocketRoute, expect
from processes import HubProcess, StartHub

DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}

VisitorAt = Callable[..., Visitor]

ACTIONS = """\
actions:
  count:
    title: "Count to {most}"
    params: {most: {type: integer, minimum: 1, maximum: 1000}}
    apply: {command: ["./count", "{most}"], timeout: 90s}
  flood:
    title: "Print 10 MB"
    apply: {command: ["./flood"], timeout: 90s}
  hostile:
    title: "Print what deceives"
    apply: {command: ["./hostile"], timeout: 90s}
  train:
    title: "Train"
    apply: {agent: {heartbeat: 60s}, timeout: 2h}
policies:
  - name: default
    when: 'requester.kind == "person"'
    allow: true
  - name: rest
    require: [{group: team, count: 1}]
"""
FILES = {
    "count": '#!/bin/sh\ni=0; while [ $i -lt "$1" ]; do i=$((i+1)); echo "line $i"; sleep 0.2; done\n',
    "flood": "#!/bin/sh\nseq -f '%015.0f' 655360; until [ -e go ]; do sleep 0.05; done; echo the end\n",
    "hostile": """\
#!/bin/sh
printf '</script><img src=x onerror=alert(1)> <b>bold</b> {{7*7}}\\n'
printf '\\033[31mred\\033[0m \\342\\200\\256gnp.exe \\377\\000 \\007\\n'
printf 'rm -rf /\\rall is well\\n'
for each in 10 50 100; do printf '%s%%\\r' $each; done; printf '\\n'
head -c 30000 /dev/zero | tr '\\0' w
printf '\\nlast\\n'
exit 3
""",
}


@pytest.fixture
def hub(start_hub: StartHub) -> HubProcess:
    return start_hub(actions=ACTIONS, files=FILES)


def started(hub: HubProcess, action: str, **params: Any) -> str:
    """The id of a request that runs, or soon will."""
    with hub.client("ana") as http:
        made = http.post("/v1/approvals", json={"action": action, "params": params})
        assert made.status_code == 201, made.text
        return str(made.json()["id"])


def output(visitor: Visitor, name: str) -> Locator:
    """The panel with what its run prints."""
    visitor.go(f"approvals/{name}?view=open")
    return visitor.page.locator(f'article[data-id="{name}"] .output')


def lines(panel: Locator) -> list[str]:
    """The lines that are drawn, which are all while there are few."""
    return panel.locator(".line").all_inner_texts()


def numbered(last: int) -> list[str]:
    return [f"line {number}" for number in range(1, last + 1)]


def test_lines_are_there_before_the_run_has_ended_and_a_late_comer_has_all(
    hub: HubProcess, visitor_at: VisitorAt
) -> None:
    bo, cai = visitor_at(hub, "bo").live(), visitor_at(hub, "cai").live()
    name = started(hub, "count", most=12)
    panel = output(bo, name)
    expect(panel.locator(".line").nth(2)).to_have_text("line 3")
    expect(panel).to_have_attribute("data-state", "running")
    expect(panel.locator(".standing")).to_contain_text("running")
    late = output(cai, name)
    expect(late.locator(".line").first).to_have_text("line 1")
    for each in (panel, late):
        expect(each).to_have_attribute("data-state", "completed", timeout=20_000)
        expect(each.locator(".standing")).to_contain_text(re.compile(r"completed, exit 0.*\d s"))
        expect(each.locator(".line")).to_have_text(numbered(12))
    assert bo.complaints == cai.complaints == []


def test_a_cut_connection_loses_and_doubles_nothing(hub: HubProcess, visitor_at: VisitorAt) -> None:
    bo = visitor_at(hub, "bo").live()
    sockets: list[WebSocketRoute] = []

    def through(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        socket.connect_to_server()

    bo.page.route_web_socket(re.compile("/v1/ws"), through)
    bo.page.reload()
    bo.live()
    name = started(hub, "count", most=20)
    panel = output(bo, name)
    for seen in (4, 9):
        expect(panel.locator(".line").nth(seen)).to_be_visible()
        sockets[-1].close(code=4000)
    expect(panel).to_have_attribute("data-state", "completed", timeout=30_000)
    expect(panel.locator(".line")).to_have_text(numbered(20))
    assert len(sockets) > 2


def test_a_killed_hub_goes_on_with_what_an_agent_prints_and_keeps_what_a_command_did(
    hub: HubProcess, visitor_at: VisitorAt
) -> None:
    bo = visitor_at(hub, "bo").live()
    theirs = started(hub, "train")
    with hub.client("deploy-bot") as agent:
        work = _claimed(agent)
        report = f"/v1/work/{work['run']}/report"
        said = [agent.post(report, json={"claim": work["claim"], "output": f"line {at}\n"}) for at in (1, 2)]
        assert [each.status_code for each in said] == [200, 200]
        panel = output(bo, theirs)
        expect(panel.locator(".line")).to_have_text(numbered(2))
        ours = started(hub, "count", most=200)
        counted = output(bo, ours)
        expect(counted.locator(".line").nth(7)).to_be_visible()
        before = lines(counted)
        hub.restart()
        bo.live()
        expect(counted).to_have_attribute("data-state", "unknown", timeout=30_000)
        after = lines(counted)
        assert after[: len(before)] == before
        assert after == numbered(len(after))
        late = visitor_at(hub, "cai").live()
        kept = output(late, ours)
        expect(kept.locator(".line").first).to_have_text("line 1")
        found = lines(kept)
        assert found == numbered(len(found))
        assert len(after) - len(found) <= 8  # what was printed since the hub saved last, a second before
        panel = output(bo, theirs)
        expect(panel.locator(".line")).to_have_text(numbered(2))
        assert agent.post(report, json={"claim": work["claim"], "output": "line 3\n"}).status_code == 200
        expect(panel.locator(".line")).to_have_text(numbered(3))
        expect(panel).to_have_attribute("data-state", "running")


def _claimed(agent: Any) -> Any:
    for _ in range(100):
        answer = agent.post("/v1/work/claim", json={})
        if answer.status_code == 200 and answer.json().get("work"):
            return answer.json()["work"]
        time.sleep(0.1)
    raise AssertionError(answer.text)


def test_ten_megabytes_leave_hub_and_page_alive(hub: HubProcess, visitor_at: VisitorAt) -> None:
    bo = visitor_at(hub, "bo").live()
    before = _memory(hub)
    name = started(hub, "flood")
    panel = output(bo, name)
    expect(panel.locator(".line").last).to_have_text("000000000655360", timeout=60_000)
    expect(panel.locator(".follow")).to_have_count(0)
    panel.locator(".lines").hover()
    bo.page.mouse.wheel(0, -4_000)
    expect(panel.locator(".follow")).to_be_visible()
    (hub.root / "go").touch()
    expect(panel).to_have_attribute("data-state", "completed", timeout=20_000)
    bo.page.wait_for_timeout(300)
    assert "the end" not in lines(panel)  # whoever scrolled up is left where they read
    bo.page.keyboard.press("f")
    expect(panel.locator(".line").last).to_have_text("the end")
    assert panel.locator(".line").count() < 100
    assert _memory(hub) - before < 60 * 1024
    panel.locator(".lines").press("Home")
    bo.page.reload()
    again = output(bo.live(), name)
    expect(again.locator(".line").last).to_have_text("the end")
    again.locator(".lines").evaluate("each => { each.scrollTop = 0; }")
    expect(again.locator(".line").first).to_have_text("000000000000001")
    kept = 32_768  # lines of 16 bytes in the half of 1 MiB that is kept of the beginning
    again.locator(".lines").evaluate("(each, line) => { each.scrollTop = line * 20 - 100; }", kept)
    expect(again.locator(".gap")).to_have_text("9.0 MB skipped")
    assert bo.complaints == []


def _memory(hub: HubProcess) -> int:
    """Resident memory of the hub, in KB."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{hub.pid}/status").read_text())
    assert found is not None
    return int(found[1])


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("theme", ["dark", "light"])
def test_hostile_output_is_inert_and_can_be_read_by_everybody(
    hub: HubProcess, visitor_at: VisitorAt, theme: str, size: Any
) -> None:
    bo = visitor_at(hub, "bo", viewport=size, color_scheme=theme, reduced_motion="reduce").live()
    bo.page.on("dialog", lambda dialog: bo.complaints.append(f"a dialog opened: {dialog.message}"))
    panel = output(bo, started(hub, "hostile"))
    expect(panel).to_have_attribute("data-state", "failed")
    expect(panel.locator(".standing")).to_contain_text("failed, exit 3")
    expect(panel.locator(".line").last).to_have_text("last")
    panel.locator(".lines").evaluate("each => { each.scrollTop = 0; }")
    expect(panel.locator(".line").first).to_have_text("</script><img src=x onerror=alert(1)> <b>bold</b> {{7*7}}")
    shown = lines(panel)
    assert shown[1] == "⟨U+001B⟩[31mred⟨U+001B⟩[0m ⟨U+202E⟩gnp.exe \ufffd\ufffd ⟨U+0007⟩"
    assert shown[2:4] == ["all is wellrewritten 1×", "100%rewritten 2×"]
    assert panel.locator("img, b, script").count() == 0
    assert panel.locator("mark").count() == 4
    assert faults(bo) == []
    wide, room = bo.page.evaluate("() => [document.documentElement.scrollWidth, innerWidth]")
    assert wide <= room
    assert bo.complaints == []


def test_the_remote_control_shows_it_where_it_was_said(hub: HubProcess, visitor_at: VisitorAt) -> None:
    ana = visitor_at(hub, "ana").live()
    ana.say("count 6")
    panel = ana.page.locator(".inline-card .output")
    expect(panel.locator(".line").first).to_have_text("line 1")
    expect(panel).to_have_attribute("data-state", "completed", timeout=20_000)
    expect(panel.locator(".line")).to_have_text(numbered(6))
    assert faults(ana) == []


def test_it_is_copied_as_it_is_shown(hub: HubProcess, visitor_at: VisitorAt) -> None:
    bo = visitor_at(hub, "bo", permissions=["clipboard-read", "clipboard-write"]).live()
    panel = output(bo, started(hub, "hostile"))
    expect(panel.locator(".line").last).to_have_text("last")
    panel.get_by_role("button", name="Copy the output").click()
    expect(bo.page.locator(".toast")).to_contain_text("Copied")
    copied = bo.page.evaluate("() => navigator.clipboard.readText()")
    assert "\x1b" not in copied and "⟨U+001B⟩[31mred" in copied
    assert copied.endswith("last\n")
