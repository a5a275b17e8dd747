"""A real browser for the stories that people tell with their eyes and hands."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright
from processes import HubProcess
from servers import missing

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
        self.hub = hub
        self.context: BrowserContext = browser.new_context(**how)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(15_000)
        self.complaints: list[str] = []
        self.page.on("console", self._complain)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        if person is not None:
            self.sign_in(person)

    def _complain(self, message: ConsoleMessage) -> None:
        if message.type == "error" and "WebSocket connection" not in message.text:
            self.complaints.append(message.text)

    def sign_in(self, person: str) -> None:
        """Signed in by a link, as a person would."""
        with self.hub.client("ana") as http:
            made = http.post("/v1/login-links", json={"principal": person})
        assert made.status_code == 201, made.text
        self.page.goto(self.hub.url + made.json()["path"])
        self.page.get_by_role("button").click()
        self.page.wait_for_url(self.hub.url + "/")

    def live(self) -> Visitor:
        """This visitor, once the page follows the hub."""
        self.page.locator("#link[data-state=live]").wait_for()
        return self

    def say(self, text: str) -> str:
        """What is answered to a typed command."""
        before = self.page.locator("#answer")
        self.page.fill("#command", text)
        self.page.press("#command", "Enter")
        before.get_by_text(text, exact=True).wait_for()
        return self.page.locator("#answer .text").inner_text()

    def card(self, approval: str, state: str | None = None) -> Any:
        """The card of that approval, once it is there (in that state)."""
        wanted = f'#board .card[data-id="{approval}"]' + (f'[data-state="{state}"]' if state else "")
        found = self.page.locator(wanted)
        found.wait_for()
        return found

    def press(self, approval: str, choice: str, comment: str | None = None) -> None:
        """Press a button of that card, and confirm with a comment."""
        self.page.locator(f'#board .card[data-id="{approval}"] button[data-choice="{choice}"]').click()
        self.page.locator("dialog#decide[open]").wait_for()
        if comment is not None:
            self.page.fill("dialog#decide textarea", comment)
        self.page.click("dialog#decide button[value=go]")
        self.page.locator("dialog#decide[open]").wait_for(state="detached")
