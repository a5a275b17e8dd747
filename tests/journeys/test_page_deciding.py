"""The page, with two browsers and a shell: one asks, another decides, both see it run."""

from __future__ import annotations

import json
from collections.abc import Callable

from browsers import Visitor
from playwright.sync_api import expect
from processes import HubProcess

PHONE = {"viewport": {"width": 390, "height": 844}}
Visit = Callable[..., Visitor]


def asked(visitor: Visitor, command: str) -> str:
    """The id of what was asked for on the page."""
    text = visitor.say(command)
    assert text.startswith("A"), text
    return text.split(":")[0]


def test_one_asks_another_approves_the_exact_command_and_both_see_it_done(
    visit: Visit, standing_hub: HubProcess
) -> None:
    ana, bo = visit("ana").live(), visit("bo").live()
    name = asked(ana, "touch web because the release is due")
    ana.card(name, "REVIEWING")
    assert ana.card(name).locator("button[data-choice=approve]").count() == 0
    expect(ana.card(name)).to_contain_text("somebody else must decide")

    card = bo.card(name, "REVIEWING")
    expect(card).to_contain_text("would touch web")
    expect(card).to_contain_text("the release is due")
    expect(bo.page).to_have_title("(1) Interlock")
    card.locator("button[data-choice=approve]").click()
    dialog = bo.page.get_by_role("dialog")
    expect(dialog).to_contain_text("You approve exactly this")
    expect(dialog.locator(".runs")).to_contain_text("sh web")
    bo.page.click(".decide .go")

    for visitor in (ana, bo):
        done = visitor.card(name, "COMPLETED")
        expect(done).to_contain_text("approved by Bo Lind in page, and the operation ended well")
        assert done.locator("button[data-choice]").count() == 0
        expect(done).to_contain_text("touched web")
        assert visitor.complaints == []
    assert len((standing_hub.root / "touched-web").read_text().splitlines()) == 1


def test_a_decision_in_the_shell_shows_on_the_page_at_once(visit: Visit, standing_hub: HubProcess) -> None:
    ana = visit("ana").live()
    name = asked(ana, "touch shell")
    ana.card(name, "REVIEWING")
    done = standing_hub.run("reject", name, "--yes", "--because", "not now", as_="bo")
    assert done.returncode == 0, done.stderr
    expect(ana.card(name, "REJECTED")).to_contain_text("Rejected by Bo Lind in http: not now; nothing ran.")


def test_a_rejection_needs_a_reason_which_everybody_reads(visit: Visit) -> None:
    ana, bo = visit("ana").live(), visit("bo", **PHONE).live()
    name = asked(ana, "touch risky")
    bo.card(name, "REVIEWING").locator("button[data-choice=reject]").click()
    bo.page.click(".decide .go")
    expect(bo.page.locator(".decide .wrong")).to_have_text("Say why, in a few words.")
    bo.page.fill(".decide textarea", "on a friday?")
    bo.page.click(".decide .go")
    expect(ana.card(name, "REJECTED")).to_contain_text("on a friday?")
    assert ana.complaints == bo.complaints == []


def test_who_has_decided_sees_that_they_have(visitor_at: Visit, start_hub: Callable[..., HubProcess]) -> None:
    hub = start_hub(
        actions="actions: {note: {title: Note, apply: {command: ['true']}}}\n"
        "policies: [{name: default, require: [{group: team, count: 2}]}]\n"
    )
    bo = visitor_at(hub, "bo").live()
    hub.run("ask", "note", "--no-wait", as_="ana")
    bo.card("A1", "REVIEWING")
    bo.press("A1", "approve", "fine by me")
    expect(bo.card("A1").locator(".why-not")).to_have_text("You approved it.")
    assert bo.card("A1").locator("button[data-choice=approve]").count() == 0
    expect(bo.card("A1")).to_contain_text("1 of 2 team")


def test_the_keys_lead_to_the_line_through_the_list_and_to_the_buttons(visit: Visit) -> None:
    ana, bo = visit("ana").live(), visit("bo").live()
    first, second = asked(ana, "touch one"), asked(ana, "touch two")
    bo.card(first, "REVIEWING")
    bo.card(second, "REVIEWING")
    bo.go("queue")
    expect(bo.page.locator(f".row[data-id={second}]")).to_be_visible()
    bo.page.keyboard.press("?")
    expect(bo.page.get_by_role("dialog")).to_contain_text("Keys")
    bo.page.keyboard.press("Escape")
    expect(bo.page.get_by_role("dialog")).to_be_hidden()
    bo.page.keyboard.press("/")
    expect(bo.page.get_by_role("textbox", name="Filter")).to_be_focused()
    bo.page.keyboard.press("Escape")
    ids = bo.page.locator(".row").evaluate_all("(all) => all.map((each) => each.dataset.id)")
    for _ in range(ids.index(second) + 1):
        bo.page.keyboard.press("j")
    expect(bo.page.locator(f".row[data-id={second}][data-chosen]")).to_be_visible()
    bo.page.keyboard.press("k")
    expect(bo.page.locator(f".row[data-id={first}][data-chosen]")).to_be_visible()
    bo.page.locator(f"article[data-id={first}] button[data-choice=reject]").wait_for()
    bo.page.keyboard.press("r")
    expect(bo.page.get_by_role("dialog")).to_contain_text(f"Reject {first}")
    bo.page.keyboard.type("no")
    bo.page.keyboard.press("Control+Enter")
    bo.page.locator(f"article[data-id={first}][data-state=REJECTED]").wait_for()
    bo.page.keyboard.press("j")
    expect(bo.page.locator(f".row[data-id={second}][data-chosen]")).to_be_visible()
    ana.say(f"withdraw {second}")
    bo.page.locator(f"article[data-id={second}][data-state=WITHDRAWN]").wait_for()


def test_the_line_knows_what_was_typed_and_what_may_be_typed(visit: Visit) -> None:
    ana = visit("ana").live()
    assert "pattern" in ana.say("touch WEB") or "match" in ana.say("touch WEB")
    expect(ana.page.locator("#command")).to_have_value("touch WEB")
    ana.page.fill("#command", "tou")
    expect(ana.page.locator("#usage")).to_contain_text("touch <name>")
    ana.page.fill("#command", "")
    ana.page.press("#command", "ArrowUp")
    expect(ana.page.locator("#command")).to_have_value("touch WEB")
    assert "Ana Ruiz" in ana.say("whoami")


def test_hostile_text_is_shown_as_text(visit: Visit) -> None:
    ana, bo = visit("ana").live(), visit("bo").live()
    hostile = "<img src=x onerror=alert(1)><b>bold</b>"
    name = asked(ana, f"touch evil because {hostile}")
    expect(bo.card(name, "REVIEWING").locator("blockquote")).to_have_text(hostile)
    assert bo.card(name).locator("img, b").count() == 0
    bo.page.goto(f"{bo.hub.url}/approvals/{name}")
    expect(bo.page.locator("blockquote")).to_have_text(hostile)
    assert bo.page.locator("blockquote img, blockquote b").count() == 0
    assert bo.complaints == []


def test_nothing_is_wider_than_the_window(visit: Visit) -> None:
    ana = visit("ana").live()
    name = asked(ana, "touch wide because " + "w" * 300)
    ana.card(name, "REVIEWING")
    for path in (f"/#/approvals/{name}", f"/approvals/{name}"):
        ana.page.goto(ana.hub.url + path)
        ana.page.locator(".card").first.wait_for()
        for width in (340, 390, 768, 1280, 1920):
            ana.page.set_viewport_size({"width": width, "height": 800})
            box = ana.page.evaluate("() => [document.documentElement.scrollWidth, innerWidth]")
            assert box[0] <= box[1], (path, width)


def test_without_scripts_a_request_can_be_read_and_decided_by_a_form(visit: Visit, standing_hub: HubProcess) -> None:
    made = standing_hub.json("ask", "touch", "name=plain", "--because", "no scripts", "--no-wait", as_="ana")
    name = made["id"] if "id" in made else made["approval"]["id"]
    bo = visit(None, java_script_enabled=False)
    bo.page.goto(bo.link("bo"))
    bo.page.get_by_role("button").click()
    for _ in range(100):
        bo.page.goto(f"{standing_hub.url}/approvals/{name}")
        if bo.page.locator(".card[data-state=REVIEWING]").count():
            break
    expect(bo.page.locator(".card")).to_contain_text("would touch plain")
    bo.page.locator("form:has(input[value=approve]) input[name=comment]").fill("read it all")
    bo.page.get_by_role("button", name="Approve").click()
    bo.page.wait_for_url(f"**/approvals/{name}")
    expect(bo.page.locator(".card")).to_contain_text("Bo Lind approved in page")
    expect(bo.page.locator(".card")).to_contain_text("read it all")


def test_opening_everything_that_the_page_links_to_decides_nothing(visit: Visit, standing_hub: HubProcess) -> None:
    ana, bo = visit("ana").live(), visit("bo").live()
    name = asked(ana, "touch linked")
    bo.card(name, "REVIEWING")
    bo.page.goto(f"{standing_hub.url}/approvals/{name}")
    tokens = bo.page.locator("input[name=token]").evaluate_all("(all) => all.map((each) => each.value)")
    links = bo.page.locator("[href], [action]").evaluate_all("(all) => all.map((each) => each.href ?? each.action)")
    for link in [*links, *(f"{standing_hub.url}/approvals/{name}?token={token}&choice=approve" for token in tokens)]:
        assert bo.context.request.get(link).status < 500
        assert bo.context.request.fetch(link, method="HEAD").status < 500
    with standing_hub.client("ana") as http:
        assert http.get(f"/v1/approvals/{name}").json()["state"] == "REVIEWING"


def test_a_form_of_another_page_or_session_decides_nothing(visit: Visit, standing_hub: HubProcess) -> None:
    ana, bo, cai = visit("ana").live(), visit("bo").live(), visit("cai").live()
    name = asked(ana, "touch forged")
    bo.card(name, "REVIEWING")
    url = f"{standing_hub.url}/approvals/{name}"

    def fields(visitor: Visitor) -> dict[str, str]:
        visitor.page.goto(url)
        form = visitor.page.locator("form:has(input[value=approve]) input[type=hidden]")
        return dict(form.evaluate_all("(all) => all.map((each) => [each.name, each.value])"))

    mine, theirs = fields(bo), fields(cai)
    ours = {"Origin": standing_hub.url}
    post = bo.context.request.post
    assert post(url, form={**mine, "nonce": theirs["nonce"]}, headers=ours).status == 403
    assert post(url, form={"token": mine["token"], "choice": "approve"}, headers=ours).status == 403
    assert post(url, form=mine, headers={"Origin": "https://evil.example"}).status == 403
    assert post(url, form=mine, headers={**ours, "Sec-Fetch-Site": "cross-site"}).status == 403
    assert post(url, data="\xff\xfe", headers=ours).status in (400, 403)
    assert post(url, data="a=" + "x" * 70_000, headers=ours).status == 400
    with standing_hub.client("ana") as http:
        assert http.get(f"/v1/approvals/{name}").json()["state"] == "REVIEWING"
    assert post(url, form=mine, headers=ours).status == 200
    with standing_hub.client("ana") as http:
        assert http.get(f"/v1/approvals/{name}").json()["state"] != "REVIEWING"


def test_who_is_not_signed_in_learns_how_to_and_sees_nothing_else(visit: Visit) -> None:
    nobody = visit(None)
    for path, status in (("/", 200), ("/approvals/A1", 401)):
        answer = nobody.page.goto(nobody.hub.url + path)
        assert answer is not None
        assert answer.status == status
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        expect(nobody.page.locator("main")).to_contain_text("There are no passwords")
        expect(nobody.page.locator("main")).to_contain_text("interlock login-link PERSON")
        assert "Touch" not in nobody.page.content()


def test_signing_out_ends_the_page_in_every_window(visit: Visit) -> None:
    ana = visit("ana").live()
    other = ana.context.new_page()
    other.goto(ana.hub.url)
    other.locator("#link[data-state=live]").wait_for()
    ana.page.get_by_role("button", name="You: Ana Ruiz").click()
    ana.page.get_by_role("menuitem", name="Sign out").click()
    expect(ana.page.locator("main")).to_contain_text("There are no passwords")
    expect(other.locator("main")).to_contain_text("There are no passwords", timeout=10_000)


def test_a_page_comes_back_by_itself_when_the_hub_does_and_has_missed_nothing(
    start_hub: Callable[..., HubProcess], visitor_at: Visit
) -> None:
    hub = start_hub()
    bo = visitor_at(hub, "bo").live()
    hub.kill()
    bo.page.locator("#link[data-state=offline], #link[data-state=connecting]").first.wait_for()
    hub.start()
    hub.run("ask", "touch", "name=late", "--no-wait", as_="ana")
    bo.page.locator("#link[data-state=live]").wait_for(timeout=30_000)
    bo.card("A1", "REVIEWING")
    bo.press("A1", "approve")
    bo.card("A1", "COMPLETED")


def test_a_stop_of_everything_stands_on_every_page_until_it_ends(visit: Visit, standing_hub: HubProcess) -> None:
    bo = visit("bo").live()
    assert standing_hub.run("stop", "all", "--because", "something smells", as_="ana").returncode == 0
    expect(bo.page.locator("#halted")).to_contain_text("Everything is stopped by ana")
    late = visit("cai").live()
    expect(late.page.locator("#halted")).to_be_visible()
    assert standing_hub.run("resume", as_="ana").returncode == 0
    expect(bo.page.locator("#halted")).to_be_hidden()
    expect(late.page.locator("#halted")).to_be_hidden()


def test_every_page_says_the_same_as_the_json(visit: Visit, standing_hub: HubProcess) -> None:
    ana = visit("ana").live()
    name = asked(ana, "touch same because it is so")
    ana.card(name, "REVIEWING")
    with standing_hub.client("ana") as http:
        approval = http.get(f"/v1/approvals/{name}").json()
    shown = ana.card(name).text_content() or ""
    ana.page.goto(f"{standing_hub.url}/approvals/{name}")
    page = ana.page.locator(".card").inner_text()
    for text in (shown, page):
        assert approval["digest"][:12] in text
        assert approval["title"] in text
        assert json.dumps(approval["params"]["name"]).strip('"') in text
