"""Signing in: a link's page, its button, cookies, tokens, and how all of that ends."""

import re

import httpx
import pytest
from house import BASE, House

from core.people import links
from core.people.assurance import Assurance

pytestmark = pytest.mark.anyio


async def link(house: House, who: str = "ana", assurance: Assurance = Assurance.SIGNED_IN) -> str:
    principal = house.hub.world.people.find(who)
    assert principal is not None
    token: str = await house.write(
        lambda tx: links.create(tx, by="operator", principal=principal, assurance=assurance, began="cli")
    )
    return token


def cookie_of(answer: httpx.Response) -> dict[str, str]:
    found = re.match(r"interlock_session=([^;]+)", answer.headers["set-cookie"])
    assert found is not None
    return {"cookie": f"interlock_session={found[1]}"}


async def sign_in(house: House, who: str = "ana", **headers: str) -> httpx.Response:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return await house.http.post(f"/login/{await link(house, who)}", headers=sent)


async def test_looking_at_a_link_any_number_of_times_signs_nobody_in(house: House) -> None:
    token = await link(house)
    for method in ("GET", "HEAD", "GET"):
        page = await house.http.request(method, f"/login/{token}")
        assert page.status_code == 200
        assert "set-cookie" not in page.headers
    assert f'action="/login/{token}"' in page.text
    assert "script" not in page.text
    assert "form-action 'self'" in page.headers["content-security-policy"]
    done = await house.http.post(f"/login/{token}")
    assert (done.status_code, done.headers["location"]) == (303, "/")
    assert (await house.http.get("/v1/me", headers=cookie_of(done))).json()["assurance"] == "signed_in"


async def test_a_link_is_good_once(house: House) -> None:
    token = await link(house)
    assert (await house.http.post(f"/login/{token}")).status_code == 303
    assert (await house.http.post(f"/login/{token}")).status_code == 401
    assert (await house.http.get(f"/login/{token}")).status_code == 404
    events = [each["event"] for each in await house.events()]
    assert (events.count("login:used"), events.count("login:failed")) == (1, 1)


async def test_the_cookie_cannot_be_read_by_scripts_nor_sent_by_other_sites(house: House) -> None:
    header = (await sign_in(house)).headers["set-cookie"].lower()
    assert "httponly" in header and "samesite=lax" in header and "path=/" in header
    assert "secure" not in header  # public_url is http


async def test_another_sites_page_cannot_press_the_button(house: House) -> None:
    for headers in ({"origin": "https://evil.example"}, {"sec_fetch_site": "cross-site"}, {"origin": "null"}):
        answer = await sign_in(house, **headers)
        assert answer.status_code == 403, headers
        assert answer.json()["code"] == "cross_site"
    assert (await sign_in(house, origin=BASE)).status_code == 303
    assert (await sign_in(house, sec_fetch_site="same-origin")).status_code == 303


async def test_a_cookie_does_nothing_for_another_sites_page(house: House) -> None:
    cookie = await house.cookie("ana")
    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "same-site"}):
        answer = await house.http.post("/v1/stop", json={"reason": "x"}, headers={**cookie, **headers})
        assert (answer.status_code, answer.json()["code"]) == (403, "cross_site")
    looked = await house.http.get("/v1/me", headers={**cookie, "sec-fetch-site": "cross-site"})
    assert looked.status_code == 200
    assert (
        await house.http.post("/v1/stop", json={"reason": "x"}, headers={**cookie, "origin": BASE})
    ).status_code == 200


async def test_a_session_is_no_stronger_than_its_link(house: House) -> None:
    done = await house.http.post(f"/login/{await link(house, assurance=Assurance.EMAIL)}")
    assert (await house.http.get("/v1/me", headers=cookie_of(done))).json()["assurance"] == "email"


async def test_signing_out_ends_the_session_behind_the_cookie(house: House) -> None:
    cookie = cookie_of(await sign_in(house))
    out = await house.http.post("/logout", headers=cookie)
    assert out.status_code == 303
    assert 'interlock_session=""' in out.headers["set-cookie"]
    answer = await house.http.get("/v1/me", headers=cookie)
    assert (answer.status_code, answer.json()["code"]) == (401, "session_ended")


async def test_a_cookie_does_not_mend_a_bad_key(house: House) -> None:
    cookie = await house.cookie("ana")
    answer = await house.http.get("/v1/me", headers={**cookie, "authorization": "Bearer ilk_nothing"})
    assert answer.status_code == 401


async def test_ones_own_sessions_are_listed_and_ended_and_others_only_with_the_right(house: House) -> None:
    cai, bo = await house.cookie("cai"), await house.cookie("bo")
    mine = (await house.http.get("/v1/sessions", headers=cai)).json()["items"]
    assert [(each["principal"], each["current"]) for each in mine] == [("cai", True)]
    everybodys = (await house.ask("ana", "GET", "/v1/sessions")).json()["items"]
    bos = next(each["id"] for each in everybodys if each["principal"] == "bo")
    assert (await house.http.delete(f"/v1/sessions/{bos}", headers=cai)).status_code == 404
    assert (await house.ask("ana", "DELETE", f"/v1/sessions/{bos}")).status_code == 204
    assert (await house.http.get("/v1/me", headers=bo)).status_code == 401
    assert (await house.http.delete(f"/v1/sessions/{mine[0]['id']}", headers=cai)).status_code == 204
    assert (await house.http.get("/v1/me", headers=cai)).status_code == 401


async def tokens(house: House, who: str = "bo") -> dict[str, str]:
    answer = await house.http.post("/v1/auth/token", json={"key": await house.key(who)})
    assert answer.status_code == 200, answer.text
    found: dict[str, str] = answer.json()
    return found


async def test_tokens_are_given_for_a_key_or_a_link_and_for_nothing_else(house: House) -> None:
    by_key = await tokens(house)
    bearer = {"authorization": f"Bearer {by_key['access_token']}"}
    assert (await house.http.get("/v1/me", headers=bearer)).json()["id"] == "bo"
    by_link = await house.http.post("/v1/auth/token", json={"token": await link(house)})
    assert by_link.json()["assurance"] == "signed_in"
    for body in ({}, {"key": "x", "token": "y"}, {"key": "ilk_x"}):
        assert (await house.http.post("/v1/auth/token", json=body)).status_code in (400, 401)


async def test_an_access_token_cannot_be_exchanged_for_a_new_session(house: House) -> None:
    found = await tokens(house)
    answer = await house.http.post("/v1/auth/token", json={"key": found["access_token"]})
    assert answer.status_code == 401


async def test_a_refresh_token_that_comes_twice_ends_the_session_and_its_access_tokens(house: House) -> None:
    first = await tokens(house)
    second = (await house.http.post("/v1/auth/refresh", json={"refresh_token": first["refresh_token"]})).json()
    bearer = {"authorization": f"Bearer {second['access_token']}"}
    assert (await house.http.get("/v1/me", headers=bearer)).status_code == 200
    reused = await house.http.post("/v1/auth/refresh", json={"refresh_token": first["refresh_token"]})
    assert (reused.status_code, reused.json()["code"]) == (401, "token_reused")
    assert (await house.http.get("/v1/me", headers=bearer)).status_code == 401


async def test_signing_out_ends_access_tokens_too(house: House) -> None:
    found = await tokens(house)
    bearer = {"authorization": f"Bearer {found['access_token']}"}
    assert (await house.http.post("/v1/auth/logout", headers=bearer)).status_code == 204
    assert (await house.http.get("/v1/me", headers=bearer)).status_code == 401
    other = await tokens(house)
    out = await house.http.post("/v1/auth/logout", json={"refresh_token": other["refresh_token"]})
    assert out.status_code == 204
    late = await house.http.post("/v1/auth/refresh", json={"refresh_token": other["refresh_token"]})
    assert late.status_code == 401


async def test_revoking_a_key_ends_the_tokens_that_it_was_exchanged_for(house: House) -> None:
    found = await tokens(house)
    bearer = {"authorization": f"Bearer {found['access_token']}"}
    assert (await house.http.get("/v1/me", headers=bearer)).status_code == 200
    await house.ask("ana", "DELETE", f"/v1/keys/{(await house.key('bo'))[4:12]}")
    assert (await house.http.get("/v1/me", headers=bearer)).status_code == 401


@pytest.mark.parametrize("route", ["token", "refresh", "logout"])
async def test_an_address_has_five_tries_a_minute(house: House, route: str) -> None:
    answers = [
        await house.http.post(f"/v1/auth/{route}", json={"refresh_token": "x"} if route != "token" else {"token": "x"})
        for _ in range(6)
    ]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert 1 <= int(answers[5].headers["retry-after"]) <= 60
    assert answers[5].json()["code"] == "too_fast"
