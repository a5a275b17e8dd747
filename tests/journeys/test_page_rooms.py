"""Each room of the page at work at a real hub: batch, edit, activity with its proof, leases, the remote control."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from browsers import Visitor
from playwright.sync_api import WebSocketRoute, expect
from processes import HubProcess

Visit = Callable[..., Visitor]


def asked(hub: HubProcess, name: str, who: str = "ana", reason: str = "it is due") -> str:
    """A request that waits for decisions."""
    with hub.client(who) as http:
        made = http.post("/v1/approvals", json={"action": "touch", "params": {"name": name}, "reason": reason})
        assert made.status_code == 201, made.text
        id = str(made.json()["id"])
        tag = f"{id[1:]}-{made.json()['version']}"
        if made.json()["state"] == "SUBMITTED":
            http.get(f"/v1/approvals/{id}/wait", params={"after": tag, "timeout": 20})
    return id


def test_several_are_decided_at_once_and_each_is_answered_for_itself(visit: Visit, standing_hub: HubProcess) -> None:
    bo = visit("bo").live()
    first, second, third = (asked(standing_hub, each) for each in ("red", "green", "blue"))
    for each in (first, second, third):
        bo.page.locator(f".row[data-id={each}] input").check()
    with standing_hub.client("ana") as http:  # it changes hands while the reader makes up their mind
        assert http.post(f"/v1/approvals/{second}/withdraw", json={}).status_code == 200
    expect(bo.page.locator(".chosen")).to_contain_text("2 to decide")
    bo.page.locator(".row", has_text=third).wait_for()
    bo.page.locator(".chosen .primary").click()
    dialog = bo.page.get_by_role("dialog")
    expect(dialog).to_contain_text("Approve 2 requests")
    with standing_hub.client("ana") as http:  # and again, once the dialog is open
        assert http.post(f"/v1/approvals/{third}/withdraw", json={}).status_code == 200
    dialog.locator(".go").click()
    expect(dialog.locator(f"li[data-id={first}][data-ok=true]")).to_be_visible()
    expect(dialog.locator(f"li[data-id={third}][data-ok=false]")).to_contain_text("WITHDRAWN", ignore_case=True)
    expect(dialog).to_contain_text("1 of 2 decided")
    dialog.get_by_role("button", name="Done").click()
    bo.card(first, "COMPLETED")
    assert bo.complaints == []


def test_a_request_is_edited_as_a_new_revision(visit: Visit, standing_hub: HubProcess) -> None:
    ana, bo = visit("ana").live(), visit("bo").live()
    name = asked(standing_hub, "draft")
    ana.card(name, "REVIEWING")
    ana.page.get_by_role("button", name=f"More for {name}").click()
    ana.page.get_by_role("menuitem", name="Edit as a new revision").click()
    ana.page.get_by_label("name").fill("final")
    ana.page.locator(".edit .go").click()
    ana.page.get_by_role("dialog").wait_for(state="detached")
    expect(bo.card(name, "REVIEWING")).to_contain_text("revision 2")
    expect(bo.card(name)).to_contain_text("would touch final")
    expect(bo.card(name)).to_contain_text("draft → final")


def test_what_the_hub_refuses_is_taken_back_and_said(visit: Visit, standing_hub: HubProcess) -> None:
    bo = visit("bo").live()
    name = asked(standing_hub, "raced")
    bo.card(name, "REVIEWING").locator("button[data-choice=approve]").click()
    with standing_hub.client("cai") as http:
        digest = http.get(f"/v1/approvals/{name}").json()["digest"]
        assert http.post(f"/v1/approvals/{name}/reject", json={"digest": digest, "comment": "no"}).status_code == 200
    bo.page.locator(".decide .go").click()
    expect(bo.page.locator(".toast[data-kind=bad]")).to_contain_text(name)
    expect(bo.card(name, "REJECTED")).to_contain_text("Rejected by Cai Wu")


def test_two_who_press_at_once_are_both_answered_and_it_runs_once(visit: Visit, standing_hub: HubProcess) -> None:
    bo, cai = visit("bo").live(), visit("cai").live()
    name = asked(standing_hub, "twice")
    for each in (bo, cai):
        each.card(name, "REVIEWING").locator("button[data-choice=approve]").click()
    for each in (bo, cai):
        each.page.locator(".decide .go").click()
    for each in (bo, cai):
        each.card(name, "COMPLETED")
        each.page.locator(".toast").first.wait_for()
    assert len((standing_hub.root / "touched-twice").read_text().splitlines()) == 1


def test_the_log_is_followed_filtered_paused_and_proved_in_the_browser(visit: Visit, standing_hub: HubProcess) -> None:
    name = asked(standing_hub, "proof")
    bo = visit("bo").live()
    bo.go(f"activity?q=about:{name}")
    requested = bo.page.locator(".entry[data-event='approval:requested']")
    expect(requested).to_contain_text(f"ana asked for {name}")
    requested.get_by_role("button").click()
    bo.page.locator("button.verify").click()
    expect(bo.page.locator(".verified")).to_contain_text("The log holds exactly this")

    bo.page.locator("button.pause").click()
    with standing_hub.client("ana") as http:
        assert http.post(f"/v1/approvals/{name}/withdraw", json={}).status_code == 200
    expect(bo.page.locator(".pause .since")).to_have_text(re.compile(r"[1-9]"))
    assert bo.page.locator(".entry[data-event='approval:withdrawn']").count() == 0
    bo.page.locator("button.pause").click()
    withdrawn = bo.page.locator(".entry[data-event='approval:withdrawn']")
    withdrawn.get_by_role("button").click(modifiers=["Shift"])
    bo.page.locator("button.summarise").click()
    expect(bo.page.locator(".summary-text")).to_contain_text(f"{name}: Touch proof")
    expect(bo.page.locator(".summary-text")).to_contain_text("Ana Ruiz took it back")
    assert bo.complaints == []


def test_an_entry_that_was_changed_on_the_way_is_not_proved(visit: Visit, standing_hub: HubProcess) -> None:
    name = asked(standing_hub, "forged")
    bo = visit("bo").live()
    bo.page.route("**/v1/audit/entry/*", lambda route: route.fulfill(body=route.fetch().text().replace("ana", "eve")))
    bo.go(f"activity?q=about:{name}")
    bo.page.locator(".entry[data-event='approval:requested']").get_by_role("button").click()
    bo.page.locator("button.verify").click()
    expect(bo.page.locator(".unproven")).to_contain_text("not the one that the log holds")


def test_leases_show_who_holds_who_waits_and_can_be_given_back_or_broken(
    visit: Visit, standing_hub: HubProcess
) -> None:
    ana, cai = visit("ana").live(), visit("cai").live()
    cai.go("leases")
    lock = standing_hub.json("say", "lock db:main for 20m because migration", as_="cai")["data"]["lease"]["lock_id"]
    with standing_hub.client("deploy-bot") as http:
        wait = {"resources": ["db:main"], "ttl_seconds": 60, "wait_seconds": 60, "purpose": "reindex"}
        ticket = http.post("/v1/leases/acquire", json=wait).json()["ticket"]
    held = cai.page.locator(f".lease[data-id={lock}]")
    expect(held).to_contain_text("db:main")
    expect(held).to_contain_text("migration")
    expect(held).to_contain_text(f"Wanted by deploy-bot ({ticket})")
    expect(cai.page.locator(f".waiter[data-id={ticket}]")).to_contain_text(f"behind {lock}")
    expect(cai.page.get_by_role("img")).to_have_attribute("aria-label", f"{ticket} waits for {lock}")
    assert held.locator(".break").count() == 0  # cai has no such right, and it is their own
    held.locator(".release").click()
    expect(cai.page.locator(".lease", has_text="reindex")).to_be_visible()

    ana.go("leases")
    theirs = ana.page.locator(".lease", has_text="reindex")
    theirs.locator(".break").click()
    ana.page.locator(".decide .go").click()
    expect(ana.page.locator(".decide .wrong")).to_have_text("Say why, in a few words.")
    ana.page.locator(".decide textarea").fill("it hangs")
    ana.page.locator(".decide .go").click()
    theirs.wait_for(state="detached")
    expect(cai.page.locator(".lease", has_text="reindex")).to_have_count(0)
    assert ana.complaints == cai.complaints == []


def test_a_lease_whose_holder_is_silent_says_so_and_is_reclaimed(visit: Visit, standing_hub: HubProcess) -> None:
    with standing_hub.client("deploy-bot") as http:
        lease = http.post("/v1/leases/acquire", json={"resources": ["job:night"], "ttl_seconds": 20}).json()["lock_id"]
    ana = visit("ana").live()
    ana.go("leases")
    silent = ana.page.locator(f".lease[data-id={lease}]")
    expect(silent.locator(".break")).to_have_text("Break…")
    ana.page.wait_for_timeout(20_000 * 2 / 3)
    standing_hub.json("say", "lock job:other for 1h", as_="cai")  # any news of leases has the page look again
    expect(silent.locator(".silent")).to_be_visible()
    expect(silent.locator(".break")).to_have_text("Reclaim…")
    silent.locator(".break").click()
    expect(ana.page.locator(".decide textarea")).to_have_value(
        re.compile("No sign of life from its holder since .* UTC")
    )
    ana.page.locator(".decide .go").click()
    silent.wait_for(state="detached")
    with standing_hub.client("deploy-bot") as http:
        shown = http.get("/v1/events", params={"limit": 1000}).json()["items"]
    assert any(each["event"] == "lease:broken" and each["subject"] == lease for each in shown)
    assert ana.complaints == []


def test_the_remote_control_completes_what_is_typed_and_acts_where_it_answers(visit: Visit) -> None:
    ana, bo = visit("ana").live(), visit("bo").live()
    ana.go("remote")
    ana.page.locator("#command").fill("tou")
    expect(ana.page.get_by_role("option").first).to_contain_text("touch")
    ana.page.keyboard.press("Tab")
    expect(ana.page.locator("#command")).to_have_value("touch ")
    ana.page.keyboard.type("inline because it can")
    ana.page.keyboard.press("Enter")
    card = ana.page.locator(".inline-card")
    card.locator(":scope[data-state=REVIEWING]").or_(card).first.wait_for()
    name = card.get_attribute("data-id")
    assert name is not None
    bo.say(f"show {name}")
    bo.page.locator(f".inline-card[data-id={name}] button[data-choice=approve]").click()
    bo.page.locator(".decide .go").click()
    expect(bo.page.locator(f".inline-card[data-id={name}][data-state=COMPLETED]")).to_contain_text("touched inline")
    expect(ana.page.locator(f".inline-card[data-id={name}][data-state=COMPLETED]")).to_be_visible()


@pytest.mark.parametrize("place", ["approvals/A99999", "nowhere"])
def test_an_address_that_leads_nowhere_says_so(visit: Visit, place: str) -> None:
    bo = visit("bo").live()
    bo.go(place)
    wanted = "There is no such request" if "A9" in place else "Waits for you"
    expect(bo.page.locator("main")).to_contain_text(wanted)
    assert bo.complaints == []


def test_what_is_scheduled_is_held_back_run_now_and_ended(visit: Visit, standing_hub: HubProcess) -> None:
    cai = visit("cai").live()
    assert "S" in cai.say('schedule "0 9 * * 1-5" touch planned')
    cai.go("remote?tab=scheduled")
    line = cai.page.locator(".schedule", has_text="Touch planned")
    expect(line).to_contain_text("0 9 * * 1-5")
    expect(line.locator("time")).to_have_count(4)  # how long until the next, and when the next three are
    acts = line.get_by_role("switch")
    acts.click()
    expect(line).to_contain_text("paused by cai")
    acts.click()
    expect(acts).to_be_checked()
    expect(line.locator("time").first).to_be_visible()
    line.locator(".fire").click()
    expect(line.get_by_role("link")).to_have_text(re.compile(r"A\d+"))
    line.locator(".end").click()
    expect(line).to_have_count(0)
    assert cai.complaints == []


def test_what_ended_while_nobody_heard_is_shown_as_it_is_after_the_break(
    visit: Visit, standing_hub: HubProcess
) -> None:
    bo = visit("bo").live()
    open_ones: list[WebSocketRoute] = []
    cut = False

    def join(link: WebSocketRoute) -> None:
        if cut:
            link.close(code=1011)
        else:
            link.connect_to_server()
            open_ones.append(link)

    bo.page.route_web_socket("**/v1/ws", join)
    bo.page.reload()
    name = asked(standing_hub, "unheard")
    bo.live().card(name, "REVIEWING")
    cut = True
    open_ones[-1].close(code=1011)
    expect(bo.page.get_by_role("alert").filter(has_text="No connection to the hub")).to_be_visible()
    with standing_hub.client("ana") as http:
        assert http.post(f"/v1/approvals/{name}/withdraw", json={}).status_code == 200
        for at in range(21):  # more than the hub shows of what ended, when somebody connects
            later = asked(standing_hub, f"later{chr(97 + at)}")
            assert http.post(f"/v1/approvals/{later}/withdraw", json={}).status_code == 200
    cut = False
    bo.live().card(name, "WITHDRAWN")
