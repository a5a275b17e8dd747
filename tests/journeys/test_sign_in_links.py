"""Links that people send themselves: asked for on the sign-in page, brought by real mail, opened in a real browser."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from typing import Any

import pytest
from axe import faults
from browsers import Visitor
from mail import Lab
from playwright.sync_api import expect
from processes import ACTIONS, HubProcess

PEOPLE = """\
version: 1
public_url: http://127.0.0.1:8000
timezone: Europe/Madrid
people:
  ana: {name: Ana Ruiz, email: alice@lab.test, groups: [team, admins]}
  bo: {name: Bo Lind, email: bob@lab.test, groups: [team]}
agents: {deploy-bot: {owner: bo}}
limits: {commands: 500/s, burst: 500}
"""
LINK = re.compile(r"http://127\.0\.0\.1:\d+/login/[\w-]{43}(?:\?to=A\d+)?")
Visit = Callable[..., Visitor]


@pytest.fixture(scope="module")
def mailing_hub(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """A hub whose mail goes through the laboratory's servers."""
    channels = lab.channel().replace('"${env:MAIL_PASSWORD}"', '"${file:secret}"')
    hub = HubProcess(tmp_path_factory.mktemp("mailing"), PEOPLE + channels + ACTIONS)
    (hub.root / "secret").write_text("secret")
    (hub.root / "secret").chmod(0o600)
    try:
        hub.start()
        yield hub
    finally:
        hub.close()


def mail_of(lab: Lab, user: str, wanted: Callable[[EmailMessage], object]) -> EmailMessage:
    """The first such mail, waited for beside the browser's own loop."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, lab.wait_for(user, wanted)).result()


def link_in(mail: EmailMessage) -> str:
    body: Any = mail.get_body(("plain",))
    found = LINK.search(body.get_content())
    assert found is not None, body.get_content()
    return found[0]


def is_link(mail: EmailMessage) -> bool:
    return str(mail["Subject"]).startswith("Sign in to Interlock")


def ask(visitor: Visitor, address: str) -> None:
    visitor.page.get_by_label("Your e-mail address").fill(address)
    visitor.page.get_by_role("button", name="Send me a link").click()
    expect(visitor.page.locator("main")).to_contain_text("If somebody here goes by that address")


def requested(hub: HubProcess) -> str:
    asked = hub.run("ask", "touch", "name=web", "--no-wait", as_="deploy-bot")
    assert asked.returncode == 0, asked.stderr
    return asked.stdout.strip()


def test_a_deep_link_leads_through_a_mail_to_the_very_request(
    visitor_at: Visit, mailing_hub: HubProcess, lab: Lab
) -> None:
    name = requested(mailing_hub)
    bo = visitor_at(mailing_hub, None)
    bo.page.goto(f"{mailing_hub.url}/#/approvals/{name}")
    expect(bo.page.locator("#wanted")).to_have_text(f"To see {name} you have to be signed in.")
    ask(bo, "Bob@Lab.test")

    mail = mail_of(lab, "bob", is_link)
    assert (mail["To"], mail["Auto-Submitted"]) == ("bob@lab.test", "auto-generated")
    plain: Any = mail.get_body(("plain",))
    words = plain.get_content()
    assert "Hello Bo Lind" in words and "If it was not you: nobody is signed in" in words
    assert re.search(r"From: 127\.0\.0\.1, with Chrome on Linux", words)
    assert re.search(r"Good: once, until \w{3} \d{4}-\d\d-\d\d \d\d:\d\d Europe/Madrid \(\d\d:\d\d UTC\)", words)

    link = link_in(mail)
    assert link.endswith(f"?to={name}")
    for _ in range(3):  # a scanner follows it, and uses nothing up
        assert bo.context.request.get(link).status == 200
    phone = visitor_at(mailing_hub, None)  # another browser, which was never shown the deep link
    phone.page.goto(link)
    expect(phone.page.locator("h1")).to_have_text("Sign in as Bo Lind")
    phone.page.get_by_role("button", name="Sign in").click()
    phone.page.wait_for_url(f"**/#/approvals/{name}")
    expect(phone.live().card(name).locator("h1, h2").first).to_contain_text("Touch web")
    phone.page.get_by_role("button", name="You: Bo Lind").click()
    expect(phone.page.locator(".menu-label").first).to_have_text("Signed in as strongly as email")
    phone.page.keyboard.press("Escape")
    assert phone.complaints == [] and phone.elsewhere == []

    again = visitor_at(mailing_hub, None)
    answer = again.page.goto(link)
    assert answer is not None and answer.status == 404
    expect(again.page.locator("h1")).to_have_text("This link is over")


def test_a_session_begun_by_mail_does_not_fill_a_seat_that_asks_for_more(
    visitor_at: Visit, mailing_hub: HubProcess, lab: Lab
) -> None:
    name = requested(mailing_hub)
    with mailing_hub.client("ana") as http:
        digest = http.get(f"/v1/approvals/{name}/wait?until=change&timeout=5").json()["digest"]
    ana = visitor_at(mailing_hub, None)
    ana.page.goto(mailing_hub.url)
    ask(ana, "alice@lab.test")
    ana.page.goto(link_in(mail_of(lab, "alice", is_link)))
    ana.page.get_by_role("button", name="Sign in").click()
    ana.live()
    post, ours = ana.context.request.post, {"Origin": mailing_hub.url}
    refused = post(f"{mailing_hub.url}/v1/approvals/{name}/approve", data={"digest": digest}, headers=ours)
    assert (refused.status, refused.json()["code"]) == (403, "assurance_too_low")
    for path, body in (("/v1/login-links", {"principal": "ana"}), ("/v1/keys", {"principal": "ana"})):
        minted = post(mailing_hub.url + path, data=body, headers=ours)
        assert (minted.status, minted.json()["code"]) == (403, "assurance_too_low")
    assert "a code is given" in ana.say("link")
    assert "a sign-in link is given where nobody else reads it" in ana.say("login")
    with mailing_hub.client("ana") as http:
        assert http.get(f"/v1/approvals/{name}").json()["state"] == "REVIEWING"


def test_somebody_who_signs_in_by_another_way_comes_back_to_where_they_were_going(
    visitor_at: Visit, mailing_hub: HubProcess
) -> None:
    name = requested(mailing_hub)
    bo = visitor_at(mailing_hub, None)
    bo.page.goto(f"{mailing_hub.url}/#/approvals/{name}?view=open")
    expect(bo.page.locator("#wanted")).to_contain_text(name)
    made = mailing_hub.run("login-link", "bo")
    other = bo.context.new_page()  # as a link from a terminal opens: in a tab of its own
    other.goto(mailing_hub.url + "/login/" + made.stdout.strip().rpartition("/")[2])
    other.get_by_role("button", name="Sign in").click()
    other.wait_for_url(f"**/#/approvals/{name}?view=open")
    expect(other.locator(f'article.card[data-id="{name}"]')).to_be_visible()
    other.goto(mailing_hub.url)
    other.locator("#link[data-state=live]").wait_for()
    assert name not in other.url, "a place that was asked for is gone to once"


def test_without_scripts_a_deep_link_leads_to_the_requests_own_page(visitor_at: Visit, mailing_hub: HubProcess) -> None:
    name = requested(mailing_hub)
    ana = visitor_at(mailing_hub, "ana", java_script_enabled=False)
    ana.page.goto(f"{mailing_hub.url}/#/approvals/{name}")
    ana.page.get_by_role("link", name="All requests").click()
    ana.page.get_by_role("link", name=name, exact=True).click()
    expect(ana.page.locator(".card.whole h1")).to_have_text("Touch web")
    expect(ana.page.locator("form input[value=approve]")).to_have_count(1)


@pytest.mark.parametrize("width", [1440, 340], ids=["desktop", "phone"])
@pytest.mark.parametrize("theme", ["dark", "light"])
def test_everybody_can_read_where_they_come_in(
    visitor_at: Visit, mailing_hub: HubProcess, theme: str, width: int
) -> None:
    somebody = visitor_at(mailing_hub, None, color_scheme=theme, viewport={"width": width, "height": 844})
    made = mailing_hub.run("login-link", "bo").stdout.strip().rpartition("/")[2]
    for path in ("/#/approvals/A1", f"/login/{made}", "/login/none"):
        somebody.page.goto(mailing_hub.url + path)
        assert faults(somebody) == []
        wide, room = somebody.page.evaluate("() => [document.documentElement.scrollWidth, innerWidth]")
        assert wide <= room, path
    assert somebody.elsewhere == []
