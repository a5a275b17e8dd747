"""Links asked for on the sign-in page: one answer for everybody, a link for whom the address belongs to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from hubs import Bench, Chat, make_hub, running, until

from core.people import sessions
from core.people.assurance import Assurance
from hub import doorman
from hub.contracts import DeliveryFailed, SignInLink
from hub.http.app import build_app
from hub.http.browser import browser

pytestmark = pytest.mark.anyio

BASE = "http://127.0.0.1:8000"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


class Letters(Chat):
    """A channel that brings sign-in links to addresses, as mail does."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.links: list[tuple[str, SignInLink]] = []
        self.attempts: list[SignInLink] = []

    async def admit(self, address: str, link: SignInLink) -> None:
        self.attempts.append(link)
        if self.failures:
            raise self.failures.pop(0)
        if self.hold is not None:
            await self.hold.wait()
        self.links.append((address, link))


@dataclass(kw_only=True)
class Door:
    """A hub and a browser before it."""

    bench: Bench
    http: httpx.AsyncClient

    @property
    def letters(self) -> Letters:
        found: Letters = self.bench.channels["post"]
        return found

    async def knock(self, address: str, **headers: str) -> httpx.Response:
        sent = {"user-agent": FIREFOX, **headers}
        return await self.http.post("/login", data={"address": address, "to": "A7"}, headers=sent)

    async def link(self) -> SignInLink:
        """The newest link, once it has arrived."""
        await until(lambda: self.letters.links)
        return self.letters.links[-1][1]

    async def everything_stored(self) -> bytes:
        """The bytes of the database, with what is still in its journal."""
        return b"".join(path.read_bytes() for path in self.bench.hub.data.rglob("*") if path.is_file())


Open = Callable[..., AbstractAsyncContextManager[Door]]


@pytest.fixture
def at_the_door(tmp_path: Path) -> Open:
    @asynccontextmanager
    async def opened(channels: str = "channels: {post: {adapter: letters}}\n") -> AsyncIterator[Door]:
        hub = make_hub(tmp_path, channels=channels, adapters={"letters": Letters})
        transport = httpx.ASGITransport(build_app(hub))
        async with running(hub) as bench, httpx.AsyncClient(transport=transport, base_url=BASE) as http:
            yield Door(bench=bench, http=http)

    return opened


async def test_everybody_gets_the_same_answer_and_only_whom_it_belongs_to_a_link(at_the_door: Open) -> None:
    async with at_the_door() as door:
        given = ["nobody@example.com", "", "deploy-bot", "x", "bo@example.com"]
        answers = [await door.knock(each) for each in given]
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.text for answer in answers}) == 1
        assert len({tuple(sorted({**answer.headers, "x-request-id": ""}.items())) for answer in answers}) == 1
        link = await door.link()
        assert [address for address, _ in door.letters.links] == ["@bo"]
        assert (link.name, link.where) == ("Bo Lind", BASE)
        assert link.asked_from == "127.0.0.1, with Firefox on Linux"
        await until(lambda: _is(door, "delivery:", ["delivery:sent"]))
        assert await door.bench.events("login:") == ["login:created"]


async def _is(door: Door, prefix: str, wanted: list[str]) -> bool:
    return await door.bench.events(prefix) == wanted


async def test_the_answer_waits_for_nothing_that_is_done_for_somebody_known(at_the_door: Open) -> None:
    async with at_the_door() as door:
        door.letters.hold = asyncio.Event()
        answer = await asyncio.wait_for(door.knock("bo@example.com"), 5)
        assert answer.status_code == 200 and door.letters.links == []
        door.letters.hold.set()
        await door.link()


async def test_a_link_begins_a_session_as_strong_as_a_mail_at_the_request_that_was_wanted(at_the_door: Open) -> None:
    async with at_the_door() as door:
        await door.knock("BO@Example.com ")
        path = (await door.link()).url.removeprefix(BASE)
        assert path.endswith("?to=A7")
        page = await door.http.get(path)
        assert "Sign in as Bo Lind" in page.text and "script" not in page.text
        done = await door.http.post(path)
        assert (done.status_code, done.headers["location"]) == (303, "/#/approvals/A7")
        assert (await door.http.get("/v1/me")).json()["assurance"] == "email"
        assert (await door.http.post(path)).status_code == 401
        assert await door.bench.events("login:") == ["login:created", "login:used", "login:failed"]


@pytest.mark.parametrize(
    "to", ["//evil.example", "https://evil.example", "A1/../x", "A0", "B1", "A1\r\nx: y", "A" * 99]
)
async def test_a_link_leads_to_a_request_of_this_hub_and_to_nothing_else(at_the_door: Open, to: str) -> None:
    async with at_the_door() as door:
        await door.http.post("/login", data={"address": "bo@example.com", "to": to})
        path = (await door.link()).url.removeprefix(BASE)
        assert "?" not in path
        assert (await door.http.post(path, params={"to": to})).headers["location"] == "/"


async def test_an_address_gets_three_links_and_the_next_one_later(at_the_door: Open, monkeypatch: Any) -> None:
    monkeypatch.setattr("hub.http.asked_links.TRIES", 50)
    async with at_the_door() as door:
        bodies = {(await door.knock("bo@example.com")).text for _ in range(6)}
        bodies |= {(await door.knock("nobody@example.com")).text for _ in range(6)}
        assert len(bodies) == 1
        await door.knock("cai@example.com")
        await until(lambda: len(door.letters.links) == 4)
        assert [address for address, _ in door.letters.links].count("@bo") == 3


async def test_a_place_has_five_tries_a_minute(at_the_door: Open) -> None:
    async with at_the_door() as door:
        answers = [await door.knock(f"n{number}@example.com") for number in range(6)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429]
        assert 1 <= int(answers[5].headers["retry-after"]) <= 60


async def test_no_other_sites_page_asks_for_links(at_the_door: Open) -> None:
    async with at_the_door() as door:
        for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
            assert (await door.knock("bo@example.com", **headers)).status_code == 403
        assert (await door.http.post("/login", content=b"a=" + b"x" * 9_000)).status_code == 413
        assert (await door.http.get("/login")).headers["location"] == "/"
        assert door.letters.attempts == []


async def test_what_cannot_be_sent_now_is_sent_later_as_the_same_message(at_the_door: Open, monkeypatch: Any) -> None:
    monkeypatch.setattr(doorman, "PAUSES_SECONDS", (0.01, 0.01))
    async with at_the_door() as door:
        door.letters.failures = [DeliveryFailed("busy"), DeliveryFailed("busy")]
        await door.knock("bo@example.com")
        await door.link()
        assert len({(each.key, each.url) for each in door.letters.attempts}) == 1
        await until(lambda: _is(door, "delivery:", ["delivery:failed", "delivery:failed", "delivery:sent"]))
        door.letters.failures = [DeliveryFailed("no such mailbox", permanent=True)]
        await door.knock("cai@example.com")
        await until(lambda: _is(door, "delivery:dead", ["delivery:dead"]))
        door.letters.failures = [DeliveryFailed("busy")] * 3
        await door.knock("ana@example.com")
        await until(lambda: _is(door, "delivery:dead", ["delivery:dead"] * 2))


async def test_a_links_token_is_nowhere_but_in_its_message(
    at_the_door: Open, caplog: pytest.LogCaptureFixture, monkeypatch: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(doorman, "PAUSES_SECONDS", (0.01,))
    async with at_the_door() as door:
        door.letters.failures = [DeliveryFailed("busy")]
        await door.knock("bo@example.com")
        link = await door.link()
        token = link.url.rpartition("/")[2].partition("?")[0]
        said = await door.bench.say("bo", "login", private=True, channel="post", message_id="m1", body_hash=b"1")
        again = await door.bench.say("bo", "login", private=True, channel="post", message_id="m1", body_hash=b"1")
        typed = said.data["sign_in"].rpartition("/")[2]
        assert again.repeated and "sign_in" not in again.data and typed not in again.text
        await until(lambda: _is(door, "delivery:", ["delivery:failed", "delivery:sent"]))
        stored = await door.everything_stored()
        for each in (token, typed):
            assert each.encode() not in stored
            assert each not in caplog.text


async def test_a_hub_without_such_a_channel_offers_no_field_and_sends_nothing(at_the_door: Open) -> None:
    async with at_the_door(channels="") as door:
        assert "Your e-mail address" not in (await door.http.get("/")).text
        assert (await door.knock("bo@example.com")).status_code == 404
    async with at_the_door() as door:
        assert "Your e-mail address" in (await door.http.get("/")).text


async def test_login_is_for_people_where_nobody_else_reads_the_answer(at_the_door: Open) -> None:
    async with at_the_door() as door:
        made = await door.bench.say("bo", "login", private=True, channel="post")
        assert made.ok and "as Bo Lind" in made.text
        done = await door.http.post(made.data["sign_in"].removeprefix(BASE))
        assert done.status_code == 303
        assert (await door.http.get("/v1/me")).json()["assurance"] == "chat", "never more than a chat proves"
        weak = await door.bench.say("bo", "login", private=True, channel="post", assurance=Assurance.EMAIL)
        await door.http.post(weak.data["sign_in"].removeprefix(BASE))
        assert (await door.http.get("/v1/me")).json()["assurance"] == "email"
        for who, given, code in (
            ("bo", {}, "not_private"),
            ("deploy-bot", {"private": True}, "not_a_person"),
            ("ci", {"private": True}, "not_a_person"),
            ("bo", {"private": True, "may_decide": False}, "not_a_person"),
        ):
            refused = await door.bench.say(who, "login", **given)
            assert (refused.ok, refused.code) == (False, code)
        assert await door.bench.events("command:refused") == ["command:refused"] * 4
        unproven = await door.bench.say("bo", "login", private=True, assurance=Assurance.UNVERIFIED)
        assert unproven.code == "unknown_sender"


async def test_a_session_begun_by_mail_makes_nothing_stronger_than_itself(at_the_door: Open) -> None:
    async with at_the_door() as door:
        begun = await door.bench.hub.db.write(
            lambda tx: sessions.begin_browser(tx, principal="ana", assurance=Assurance.EMAIL, began="mail")
        )
        door.http.cookies.set("interlock_session", begun.secret)
        for path in ("/v1/keys", "/v1/login-links"):
            refused = await door.http.post(path, json={"principal": "ana"})
            assert (refused.status_code, refused.json()["code"]) == (403, "assurance_too_low")
        linked = await door.bench.say("ana", "link", assurance=Assurance.EMAIL)
        assert linked.code == "too_weak"
        strong = await door.bench.cookie("ana")
        door.http.cookies.set("interlock_session", strong)
        assert (await door.http.post("/v1/login-links", json={"principal": "ana"})).status_code == 201


def test_a_browser_is_named_in_our_words_alone() -> None:
    assert browser(FIREFOX) == "Firefox on Linux"
    iphone = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1 Version/19.0 Mobile Safari/604.1"
    assert browser(iphone) == "Safari on an iPhone"
    assert browser("Mozilla/5.0 (Windows NT 10.0; Win64) Chrome/140.0 Safari/537.36 Edg/140.0") == "Edge on Windows"
    assert browser("Call +1 555 0100 now") == browser("") == "a program"
