"""A real browser for the stories that people tell with their eyes and hands."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from evidence import keep
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Request, sync_playwright
from processes import HubProcess
from servers import missing

from adapters.websocket.built import entry

_SWITCHES = [
    "--no-sandbox",  # the pages are our own, and the tests may run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def chromium() -> Iterator[Browser]:
    """A Chromium found on PATH."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        missing("Chromium", "install it (Debian: apt-get install chromium) or put `chromium` on PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_SWITCHES)
        try:
            yield browser
        finally:
            browser.close()


class Visitor:
    """One person at one browser. Anything that the browser complains about is kept in `complaints`."""

    def __init__(self, browser: Browser, hub: HubProcess, person: str | None, **how: Any) -> None:
        if entry() is None:
            missing("The page", "build it: make install")
        self.hub = hub
        self.person = person
        self.context: BrowserContext = browser.new_context(**how)
        self.context.tracing.start(snapshots=True)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(15_000)
        self.complaints: list[str] = []
        self.elsewhere: list[str] = []
        """Requests to anybody but this hub."""
        self.page.on("console", self._complain)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._watch)
        if person is not None:
            self.sign_in(person)

    def _complain(self, message: ConsoleMessage) -> None:
        if message.type == "error" and "WebSocket connection" not in message.text:
            self.complaints.append(message.text)

    def _watch(self, request: Request) -> None:
        if not request.url.startswith((self.hub.url, "data:")):
            self.elsewhere.append(request.url)

    def leave(self, failed_as: Path | None = None) -> None:
        """The browser is closed; with `failed_as` what it showed is kept in files of that name."""
        try:
            if failed_as is not None:
                keep(self.page, failed_as)
        finally:
            self.context.close()

    def link(self, person: str) -> str:
        """A new sign-in link of that person."""
        with self.hub.client("ana") as http:
            made = http.post("/v1/login-links", json={"principal": person})
        assert made.status_code == 201, made.text
        return f"{self.hub.url}{made.json()['path']}"

    def sign_in(self, person: str) -> None:
        """At the page, signed in by a link; its page with the button is spared."""
        used = self.context.request.post(self.link(person), max_redirects=0)
        assert used.status == 303, used.text()
        self.page.goto(self.hub.url)

    def live(self) -> Visitor:
        """This visitor, once the page follows the hub."""
        self.page.locator("#link[data-state=live]").wait_for()
        return self

    def go(self, place: str) -> None:
        """At that place of the page: `queue?view=open`."""
        self.page.evaluate("(place) => { location.hash = `#/${place}`; }", place)

    def say(self, text: str) -> str:
        """What is answered to a typed command."""
        if not self.page.url.endswith("#/remote"):
            self.go("remote")
        turns = self.page.locator(".turn[data-ok]")
        self.page.locator("#command").wait_for()
        before = turns.count()
        self.page.fill("#command", text)
        self.page.press("#command", "Enter")
        turns.nth(before).wait_for()
        return turns.nth(before).locator(".text").inner_text()

    def card(self, approval: str, state: str | None = None) -> Locator:
        """The card of that approval, once it is there (in that state)."""
        if f"#/approvals/{approval}" not in self.page.url:
            self.go(f"approvals/{approval}?view=open")
        wanted = f'article.card[data-id="{approval}"]' + (f'[data-state="{state}"]' if state else "")
        found = self.page.locator(wanted)
        found.locator(".summary").wait_for()
        return found

    def press(self, approval: str, choice: str, comment: str | None = None) -> None:
        """Press a button of that card, and confirm with a comment."""
        self.card(approval).locator(f'button[data-choice="{choice}"]').click()
        dialog = self.page.locator(".decide")
        dialog.wait_for()
        if dialog.locator(".confirm").count():
            dialog.locator(".confirm").fill(approval)
        if comment is not None:
            dialog.locator("textarea").fill(comment)
        dialog.locator(".go").click()
        dialog.wait_for(state="detached")
