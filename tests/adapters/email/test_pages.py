"""The pages behind mails: a GET shows, a POST of that page decides."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from hubs import Bench, make_hub, running, until
from mail import MX

from adapters.email.adapter import adapter as email
from core.people.assurance import Assurance
from core.people.sessions import begin_browser
from hub.http.app import build_app

pytestmark = pytest.mark.anyio

PEOPLE = """
people:
  ana: {name: Ana Ruiz, email: ana@lab.test, groups: [sre, admins]}
  bo:  {name: Bo Lind, email: bob@lab.test, groups: [sre], prefer: [mail]}
"""
CHANNELS = f"""
channels:
  mail:
    adapter: email
    address: hub@lab.test
    smtp: {{host: 127.0.0.1, port: 1, tls: none}}
    trust: {{authserv_id: {MX}}}
"""
STRONG = "policies: [{name: default, require: [{group: sre, count: 1}]}]\n"
BY_MAIL = "policies: [{name: default, require: [{group: sre, count: 1}], min_assurance: email}]\n"


@dataclass(kw_only=True)
class Mailed:
    """A request whose mail is on its way to Bo, and a browser."""

    bench: Bench
    client: httpx.AsyncClient
    name: str
    path: str

    async def nonce(self) -> str:
        page = await self.client.get(self.path)
        found = re.search(r'name="nonce" value="([^"]+)"', page.text)
        assert found is not None, page.text
        return found[1]

    async def post(self, **form: str) -> httpx.Response:
        return await self.client.post(self.path, data=form, headers={"origin": "null", "sec-fetch-site": "same-origin"})


@asynccontextmanager
async def mailed(folder: Path, policies: str = BY_MAIL) -> AsyncIterator[Mailed]:
    hub = make_hub(folder, channels=CHANNELS, people=PEOPLE, policies=policies, adapters={"email": email})
    async with running(hub) as bench:
        name = await bench.request("hello")
        tokens: list[str] = []

        async def is_minted() -> bool:
            rows = await bench.hub.db.read(lambda reader: reader.all(_COPIES))
            tokens[:] = [_token(bench, dict(row)) for row in rows]
            return bool(tokens)

        await until(is_minted)
        transport = httpx.ASGITransport(app=build_app(bench.hub))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            yield Mailed(bench=bench, client=client, name=name, path=f"/a/{tokens[0]}")


async def test_a_get_shows_and_decides_nothing(tmp_path: Path) -> None:
    async with mailed(tmp_path) as it:
        for _ in range(3):
            page = await it.client.get(f"{it.path}?choice=approve")
            await it.client.head(it.path)
        assert page.status_code == 200
        assert "Note hello" in page.text
        assert page.headers["referrer-policy"] == "no-referrer"
        assert page.headers["cache-control"] == "no-store"
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
        assert "script" not in page.headers["content-security-policy"]
        cookie = page.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert (await it.bench.state(it.name))["state"] == "REVIEWING"


async def test_the_form_of_that_page_decides_once(tmp_path: Path) -> None:
    async with mailed(tmp_path) as it:
        done = await it.post(choice="approve", nonce=await it.nonce(), comment="fine")
        assert done.status_code == 303
        await it.bench.until_state(it.name, "COMPLETED")
        decision = (await it.bench.state(it.name))["decisions"][0]
        assert (decision["by"]["id"], decision["assurance"], decision["channel"]) == ("bo", "email", "mail")
        page = await it.client.get(it.path)
        assert 'name="nonce"' not in page.text
        assert "Done:" in page.text


@pytest.mark.parametrize("change", ["nonce", "cookie", "site", "origin", "choice", "token", "reason"])
async def test_no_other_form_decides(tmp_path: Path, change: str) -> None:
    async with mailed(tmp_path) as it:
        form = {"choice": "approve", "nonce": await it.nonce()}
        headers = {"origin": "null", "sec-fetch-site": "same-origin"}
        path = it.path
        match change:
            case "nonce":
                form["nonce"] = "x" * 43
            case "cookie":
                it.client.cookies.clear()
            case "site":
                headers["sec-fetch-site"] = "cross-site"
            case "origin":
                headers = {"origin": "https://evil.test"}
            case "choice":
                form["choice"] = "apply"
            case "token":
                path = "/a/" + "B" * 32
            case "reason":
                form["choice"] = "reject"
        answer = await it.client.post(path, data=form, headers=headers)
        assert answer.status_code in (403, 404, 409)
        assert (await it.bench.state(it.name))["state"] == "REVIEWING"


async def test_a_mail_alone_releases_nothing_that_asks_for_more(tmp_path: Path) -> None:
    async with mailed(tmp_path, STRONG) as it:
        page = await it.client.get(it.path)
        assert "Sign in and decide there" in page.text
        assert 'value="approve"' not in page.text
        refused = await it.post(choice="approve", nonce=await it.nonce())
        assert refused.status_code == 409
        assert (await it.bench.state(it.name))["state"] == "REVIEWING"

        begun = await it.bench.hub.db.write(
            lambda tx: begin_browser(tx, principal="bo", assurance=Assurance.SIGNED_IN, began="cli")
        )
        it.client.cookies.set("interlock_session", begun.secret)
        assert (await it.post(choice="approve", nonce=await it.nonce())).status_code == 303
        decision = (await it.bench.state(it.name))["decisions"][0]
        assert decision["assurance"] == "signed_in"


async def test_where_the_policy_asks_for_it_the_form_has_a_field_and_the_hub_reads_it(tmp_path: Path) -> None:
    async with mailed(tmp_path, BY_MAIL.replace("min_assurance", "confirm: typed, min_assurance")) as it:
        page = await it.client.get(it.path)
        assert f"Type {it.name} to confirm" in page.text
        assert page.text.count('name="confirm"') == 1, "rejecting needs none"
        for given in ({}, {"confirm": "yes"}):
            refused = await it.post(choice="approve", nonce=await it.nonce(), **given)
            assert refused.status_code == 409
            assert it.name in refused.text
            assert (await it.bench.state(it.name))["state"] == "REVIEWING"
        assert (await it.post(choice="approve", nonce=await it.nonce(), confirm=it.name)).status_code == 303
        await it.bench.until_state(it.name, "COMPLETED")


async def test_whoever_is_signed_in_as_somebody_else_decides_nothing_here(tmp_path: Path) -> None:
    async with mailed(tmp_path) as it:
        it.client.cookies.set("interlock_session", await it.bench.cookie("ana"))
        refused = await it.post(choice="approve", nonce=await it.nonce())
        assert refused.status_code == 409
        assert "signed in as Ana" in refused.text
        assert (await it.bench.state(it.name))["state"] == "REVIEWING"


async def test_an_older_revision_has_no_buttons_and_an_unknown_link_nothing(tmp_path: Path) -> None:
    async with mailed(tmp_path) as it:
        nonce = await it.nonce()
        assert (await it.bench.ask("ana", "edit", id=it.name, params={"text": "other"})).ok
        await it.bench.until_state(it.name, "REVIEWING")
        page = await it.client.get(it.path)
        assert "Note other" in page.text
        assert 'name="nonce"' not in page.text
        assert (await it.post(choice="approve", nonce=nonce)).status_code in (403, 409)
        assert (await it.client.get("/a/nonsense")).status_code == 404


def _token(bench: Bench, row: dict[str, object]) -> str:
    from core.approvals.press import token

    return token(bench.hub.keys.press, **row, choice="open")  # type: ignore[arg-type]


def _copies() -> object:
    from sqlalchemy import select

    from core.store import schema
    from core.store.statement import Statement

    press = schema.press.c
    return Statement(
        select(press.approval, press.revision, press.digest, press.delivery)
        .where(press.choice == "open")
        .order_by(press.revision)
    )


_COPIES = _copies()
