"""The page in a real Chromium, at a real hub: its first load, very long lists, and how soon everybody sees a decision.

Every figure is taken in the page itself; pages of one machine share a clock. Those of frames are what the browser
gives without a screen and a graphics card.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

import httpx
import psutil
from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from bench.filled import copied, made_one, talked
from bench.followers import followers
from bench.process import environ_of, hub_process
from config.hub import build
from core.people import keys, sessions
from core.people.assurance import Assurance
from core.people.directory import Kind, Principal
from core.store.tx import Tx

FEW = 100
READERS = tuple(f"reader{number}" for number in range(10))
_TICK = "import time; [(print(time.time(), flush=True), time.sleep(0.2)) for _ in range(1500)]"
CONFIG = f"""\
version: 1
public_url: http://127.0.0.1:8000
people:
  ana: {{name: Ana Ruiz, groups: [sre]}}
  {"".join(f"{each}: {{name: {each}, groups: [sre]}}{chr(10)}  " for each in READERS)}
agents: {{bot: {{owner: ana}}}}
limits: {{commands: 100000/s, burst: 100000, agents: {{open: 100000, per_hour: 100000}}}}
actions:
  note: {{title: "Note {{text}}", params: {{text: {{type: string}}}}, apply: {{command: ["/bin/true", "{{text}}"]}}}}
  tick: {{title: "Tick", apply: {{command: ["/usr/bin/env", "python3", "-c", "{_TICK}"], timeout: 10m}}}}
policies:
  - {{name: default, require: [{{group: sre, count: 1}}], review_expires: 30d}}
"""
_PROBE = Path(__file__).with_name("probe.js")
_SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
_WINDOW = {"width": 1280, "height": 900}
_ROW, _ENTRY = 74, 40
Figures = dict[str, float]


@dataclass(kw_only=True)
class Lab:
    """A hub with many requests and entries, a browser, and the sessions of everybody who looks."""

    url: str
    browser: Browser
    cookies: dict[str, str]
    http: httpx.Client
    """The agent that asks."""

    def page(self, who: str = "reader0", *, beside: Page | None = None) -> Page:
        """A page of somebody signed in; `beside` another one it shares its browser's memory with."""
        context = beside.context if beside is not None else self.browser.new_context(viewport=_WINDOW)
        if beside is None:
            context.add_init_script(path=_PROBE)
            context.add_cookies([{"name": "interlock_session", "value": self.cookies[who], "url": self.url}])
        page = context.new_page()
        page.set_default_timeout(60_000)
        return page

    def opened(self, place: str, who: str = "reader0", *, beside: Page | None = None) -> Page:
        """Such a page at `place`, once it follows the hub and shows rows."""
        page = self.page(who, beside=beside)
        self.goto(page, place)
        return page

    def goto(self, page: Page, place: str) -> None:
        page.goto(f"{self.url}/#/{place}")
        page.wait_for_function("() => noted.ready !== null")

    def request(self, text: str) -> str:
        """The id of a new request, once it is under review."""
        made = self.http.post("/v1/approvals", json={"action": "note", "params": {"text": text}}).json()
        while made["state"] == "SUBMITTED":
            after = f"{made['id'][1:]}-{made['version']}"
            made = self.http.get(f"/v1/approvals/{made['id']}/wait", params={"after": after, "timeout": 20}).json()
        return str(made["id"])


def load() -> Figures:
    """Bytes as they are served, and milliseconds from a navigation to drawn rows and a link that is live."""
    with _lab(FEW, 0) as lab:
        cold, warm, bytes_ = [], [], 0.0
        for _ in range(5):
            page = lab.opened("queue")
            cold.append(page.evaluate("noted.ready"))
            bytes_ = page.evaluate(_SERVED)
            lab.goto(page, "queue?view=open")
            page.reload()
            page.wait_for_function("() => noted.ready !== null")
            warm.append(page.evaluate("noted.ready"))
            page.context.close()
        return {"kB": bytes_ / 1000, "cold ms": median(cold), "warm ms": median(warm)}


_SERVED = """
[...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
  .filter((each) => !new URL(each.name).pathname.startsWith("/v1/"))
  .reduce((sum, each) => sum + each.transferSize, 0)
"""


def queue(approvals: int) -> Figures:
    """The queue with so many requests: first rows, all of them read by scrolling, frames, and an update's cost."""
    with _lab(approvals, 0) as lab:
        page = lab.opened("queue")
        figures = {"rows ms": page.evaluate("noted.rows")}
        began = time.perf_counter()
        _read_all(page, ".list", approvals * _ROW)
        figures["all read ms"] = (time.perf_counter() - began) * 1000
        figures |= _scrolled(page, ".list", ".row")
        figures |= _cost(page, lambda number: lab.request(f"n{number}"))
        return figures


def feed(entries: int) -> Figures:
    """The log with so many entries: the same."""
    with _lab(FEW, entries + 1_000) as lab:
        page = lab.opened("activity")
        figures = {"rows ms": page.evaluate("noted.rows")}
        began = time.perf_counter()
        _read_all(page, ".entries", entries * _ENTRY)
        figures["all read ms"] = (time.perf_counter() - began) * 1000
        figures |= _scrolled(page, ".entries", ".entry")
        figures |= _cost(page, lambda _: lab.http.post("/v1/commands", json={"text": "whoami"}).raise_for_status())
        return figures


def _read_all(page: Page, list_: str, height: int) -> None:
    """The list is scrolled to its end until all of it was read."""
    while page.evaluate("(list) => document.querySelector(list).scrollHeight", list_) < height:
        page.evaluate("(list) => { const it = document.querySelector(list); it.scrollTop = it.scrollHeight; }", list_)
        page.wait_for_timeout(20)


def _scrolled(page: Page, list_: str, row: str, seconds: float = 4.0) -> Figures:
    """Frames while the list is scrolled by five rows a frame, and what the page holds meanwhile."""
    client = _metering(page)
    before = _metrics(client)
    page.evaluate("noted.long.length = 0")
    frames = page.evaluate(
        "([list, pixels, seconds]) => scrollThrough(list, pixels, seconds)", [list_, 5 * _ROW, seconds]
    )
    after = _metrics(client)
    cuts = quantiles(frames, n=100)
    client.send("HeapProfiler.collectGarbage")
    return {
        "frame p50 ms": cuts[49],
        "p95 ms": cuts[94],
        "p99 ms": cuts[98],
        "longest ms": max(frames),
        "dropped %": 100 * sum(max(0, round(each / 16.667) - 1) for each in frames) / len(frames),
        "long tasks": page.evaluate("noted.long.length"),
        "script ms a frame": (after["ScriptDuration"] - before["ScriptDuration"]) * 1000 / len(frames),
        "main thread ms a frame": (after["TaskDuration"] - before["TaskDuration"]) * 1000 / len(frames),
        "rows": page.locator(row).count(),
        "nodes": page.evaluate("document.querySelectorAll('*').length"),
        "heap MB": _metrics(client)["JSHeapUsedSize"] / 1e6,
    }


def _cost(page: Page, happen: Callable[[int], object], times: int = 20) -> Figures:
    """What the main thread does for one thing that happens, beyond what it does anyhow in that time."""
    client = _metering(page)

    def busy(act: Callable[[int], object]) -> float:
        before = _metrics(client)["TaskDuration"]
        for number in range(times):
            act(number)
            page.wait_for_timeout(150)
        return (_metrics(client)["TaskDuration"] - before) * 1000 / times

    idle = busy(lambda _: None)
    return {"main thread ms an update": busy(happen) - idle}


def decided(count: int, rounds: int = 20) -> Figures:
    """From the click that approves to the new state in the rows of so many open pages, the presser's among them."""
    with _lab(FEW, 0) as lab:
        presser = lab.opened("queue?view=open")
        pages = [presser]
        while len(pages) < count:
            who = READERS[len(pages) % len(READERS)]
            beside = pages[len(pages) - len(READERS)] if len(pages) >= len(READERS) else None
            pages.append(lab.opened("queue?view=open", who, beside=beside))
        pressed, cost = _approved(lab, presser, rounds)
        for page in pages:
            page.wait_for_function("(names) => names.every((each) => each in noted.drawn)", arg=list(pressed))
        seen = [page.evaluate("noted") for page in pages]
        drawn = _spread([each["drawn"] for each in seen], pressed)
        return (
            _spread([each["changed"] for each in seen], pressed)
            | {f"drawn {key}": value for key, value in drawn.items()}
            | cost
        )


def followed(count: int, rounds: int = 20) -> Figures:
    """The same with one page that presses; the others are clients that read what a page reads, and draw nothing."""
    with _lab(FEW, 0) as lab:
        cookies = [lab.cookies[READERS[number % len(READERS)]] for number in range(count - 1)]
        presser = lab.opened("queue?view=open")
        with followers(lab.url, cookies) as seen:
            pressed, cost = _approved(lab, presser, rounds)
        return _spread([presser.evaluate("noted")["changed"], *seen], pressed) | cost


def _approved(lab: Lab, presser: Page, rounds: int) -> tuple[dict[str, float], Figures]:
    """When each of so many requests was approved by a click, and what one round of it cost beyond doing nothing."""
    pressed = {}
    presser.wait_for_timeout(6_000)  # until all are shown what is open
    idle, _ = _spent(lambda: presser.wait_for_timeout(3_000))

    def act() -> None:
        for number in range(rounds):
            name = lab.request(f"n{number}")
            presser.evaluate("(name) => { location.hash = `#/approvals/${name}?view=open`; }", name)
            presser.locator(f'article[data-id="{name}"] button[data-choice=approve]').click()
            presser.wait_for_timeout(2_000)  # a person reads; the other pages have drawn that it was asked
            presser.locator(".decide .go").click()
            presser.wait_for_timeout(1_000)
            pressed[name] = presser.evaluate("noted.pressed")

    busy, seconds = _spent(act)
    return pressed, {
        f"{who} CPU ms a round": (spent - idle[who] * seconds / 3) * 1000 / rounds for who, spent in busy.items()
    }


_PRINTED = """() => {
  window.printed = [];
  const seen = (node) => node.querySelectorAll?.(".output .line") ?? [];
  new MutationObserver((changes) => {
    const at = Date.now() / 1000;
    for (const { addedNodes } of changes)
      for (const node of addedNodes)
        for (const line of seen(node.parentElement ?? node))
          if (!line.timed) {
            line.timed = true;
            const took = at - Number(line.textContent);
            requestAnimationFrame(() => printed.push([took * 1000, (Date.now() / 1000 - at + took) * 1000]));
          }
  }).observe(document.body, { childList: true, subtree: true });
}"""


def printed(seconds: float) -> Figures:
    """From a command's print, one every 200 ms, to its line in the document of a page that watches, and the frame after."""
    with _lab(FEW, 0) as lab:
        name = str(lab.http.post("/v1/approvals", json={"action": "tick", "params": {}}).json()["id"])
        page = lab.opened("queue?view=open")
        page.evaluate("(name) => { location.hash = `#/approvals/${name}?view=open`; }", name)
        page.locator(f'article[data-id="{name}"] button[data-choice=approve]').click()
        page.locator(".decide .go").click()
        page.locator(".output .line").nth(2).wait_for()
        page.evaluate(_PRINTED)
        page.wait_for_timeout(500)  # the lines that were there already
        page.evaluate("() => { printed.length = 0; }")
        page.wait_for_timeout(seconds * 1000)
        took = [quantiles(each, n=100) for each in zip(*page.evaluate("printed"), strict=True)]
        return {
            f"{what}p{at} ms": cuts[at - 1] for what, cuts in zip(("", "drawn "), took, strict=True) for at in (50, 95)
        }


def _spread(seen: Sequence[dict[str, float]], pressed: dict[str, float]) -> Figures:
    """Milliseconds over every page and decision, and to the last page of each decision."""
    took = [[each[name] - at for each in seen] for name, at in pressed.items()]
    every = quantiles([each for one in took for each in one], n=100)
    last = quantiles([max(one) for one in took], n=100)
    return {"p50 ms": every[49], "p95 ms": every[94], "last page p50 ms": last[49], "last page p95 ms": last[94]}


def _spent(act: Callable[[], object]) -> tuple[Figures, float]:
    """CPU seconds that the browser and the hub spend while `act` is done, and how long that takes."""
    before, began = _cpu(), time.monotonic()
    act()
    return {who: spent - before[who] for who, spent in _cpu().items()}, time.monotonic() - began


def _cpu() -> Figures:
    """CPU seconds so far of the browser's processes together, and of the hub's."""
    spent = {"browser": 0.0, "hub": 0.0}
    for each in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            times = each.cpu_times()
            if each.name().startswith("chrom"):
                spent["browser"] += times.user + times.system
            elif "up" in each.cmdline():
                spent["hub"] += times.user + times.system
    return spent


def _metering(page: Page) -> CDPSession:
    client = page.context.new_cdp_session(page)
    client.send("Performance.enable", {"timeDomain": "threadTicks"})
    return client


def _metrics(client: CDPSession) -> Figures:
    return {each["name"]: each["value"] for each in client.send("Performance.getMetrics")["metrics"]}


@contextmanager
def _lab(approvals: int, entries: int) -> Iterator[Lab]:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        key, cookies = asyncio.run(_filled(root, approvals, entries))
        with hub_process(environ_of(root / "hub.yaml")) as url, _chromium() as browser:
            bearer = {"authorization": f"Bearer {key}"}
            with httpx.Client(base_url=url, headers=bearer, timeout=30, trust_env=False) as http:
                yield Lab(url=url, browser=browser, cookies=cookies, http=http)


async def _filled(root: Path, approvals: int, entries: int) -> tuple[str, dict[str, str]]:
    """A hub's data with so many requests and entries; the agent's key, and a session of everybody."""
    settings = await made_one(root, CONFIG)
    copied(settings, approvals)
    await talked(settings, entries)

    def proofs(tx: Tx) -> tuple[str, dict[str, str]]:
        begun = {
            each: sessions.begin_browser(tx, principal=each, assurance=Assurance.SIGNED_IN, began="bench").secret
            for each in READERS
        }
        return keys.create(tx, by="operator", principal=Principal(id="bot", kind=Kind.AGENT, name="bot")), begun

    async with build(settings) as hub:
        made: tuple[str, dict[str, str]] = await hub.db.write(proofs)
    return made


@contextmanager
def _chromium() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    assert path is not None, "put Chromium on PATH"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_SWITCHES)
        try:
            yield browser
        finally:
            browser.close()
