"""Signing in on the page with a real provider in between: the button, the way there and back, and who is not known."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from axe import faults
from browsers import Visitor
from playwright.sync_api import expect
from processes import PEOPLE, HubProcess, StartHub
from provider import CLIENT_SECRET, OpenIdProvider, provided_aside

Visit = Callable[..., Visitor]


@pytest.fixture
def provider() -> Iterator[OpenIdProvider]:
    with provided_aside(subject="of-bo") as found:
        yield found


@pytest.fixture
def acme(start_hub: StartHub, provider: OpenIdProvider) -> HubProcess:
    """A hub that the provider signs bo in to."""
    people = PEOPLE.replace("email: bo@example.com", "email: bo@example.com, oidc: of-bo")
    section = (
        f"sign_in:\n  oidc: {{name: Acme, issuer: '{provider.url}', client_id: interlock, "
        "client_secret: '${file:secret}'}\n"
    )
    return start_hub(people=people, extra=section, files={"secret": CLIENT_SECRET})


def asked(hub: HubProcess) -> str:
    with hub.client("ana") as http:
        made = http.post("/v1/approvals", json={"action": "touch", "params": {"name": "door"}, "reason": "it is cold"})
        assert made.status_code == 201, made.text
        return str(made.json()["id"])


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_button_signs_in_and_leads_back_to_what_one_came_for(
    acme: HubProcess, visitor_at: Visit, theme: str
) -> None:
    name = asked(acme)
    bo = visitor_at(acme, None, color_scheme=theme)
    bo.page.goto(f"{acme.url}/#/approvals/{name}?view=open")
    assert faults(bo) == []
    bo.page.get_by_role("link", name="Sign in with Acme").click()
    bo.page.get_by_role("heading", name="Acme").wait_for()
    bo.page.get_by_role("button", name="Go on").click()
    bo.live()
    assert bo.page.url == f"{acme.url}/#/approvals/{name}?view=open"
    bo.press(name, "approve", "read it")
    bo.card(name, "COMPLETED")
    with acme.client("ana") as http:
        (decided,) = http.get(f"/v1/events?subject={name}&event=approval:decided").json()["items"]
    assert decided["actor"] == "bo" and decided["details"]["assurance"] == "signed_in"
    assert bo.complaints == []


def test_the_page_of_one_request_leads_back_to_itself_without_any_script(acme: HubProcess, visitor_at: Visit) -> None:
    name = asked(acme)
    bo = visitor_at(acme, None, java_script_enabled=False)
    bo.page.goto(f"{acme.url}/approvals/{name}")
    bo.page.get_by_role("link", name="Sign in with Acme").click()
    bo.page.get_by_role("button", name="Go on").click()
    bo.page.wait_for_url(f"{acme.url}/approvals/{name}")
    expect(bo.page.get_by_role("heading", name="Touch door")).to_be_visible()


def test_an_unknown_account_is_refused_until_its_owner_links_it(
    acme: HubProcess, provider: OpenIdProvider, visitor_at: Visit
) -> None:
    provider.subject = "of-cai"
    stranger = visitor_at(acme, None)
    stranger.page.goto(acme.url)
    stranger.page.get_by_role("link", name="Sign in with Acme").click()
    stranger.page.get_by_role("button", name="Go on").click()
    expect(stranger.page.get_by_role("heading")).to_have_text("This account is not known here")
    expect(stranger.page.locator("main")).to_contain_text("of-cai")
    assert stranger.page.get_by_role("button").count() == 0

    cai = visitor_at(acme, None)
    printed = acme.run("login-link", "cai").stdout
    cai.page.goto(next(word for word in printed.split() if word.startswith(acme.url)))
    cai.page.get_by_role("button", name="Sign in").click()
    cai.page.goto(f"{acme.url}/login/oidc")
    cai.page.get_by_role("button", name="Go on").click()
    cai.page.get_by_role("button", name="Link it to Cai Wu").wait_for()
    assert faults(cai) == []
    cai.page.get_by_role("button", name="Link it to Cai Wu").click()
    expect(cai.page.get_by_role("heading")).to_have_text("Linked")

    stranger.page.goto(acme.url)
    stranger.page.get_by_role("link", name="Sign in with Acme").click()
    stranger.page.get_by_role("button", name="Go on").click()
    stranger.live()
    assert stranger.page.evaluate("fetch('/v1/me').then(answer => answer.json())")["id"] == "cai"
