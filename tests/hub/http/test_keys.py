"""`/v1/keys` and `/v1/login-links`: made by who may, told to whom they belong, ended at once."""

import pytest
from house import CONFIG, House

from core.people import keys

pytestmark = pytest.mark.anyio


async def test_a_key_works_from_the_moment_it_is_made_to_the_moment_it_is_revoked(house: House) -> None:
    made = await house.ask("ana", "POST", "/v1/keys", {"principal": "bot"})
    assert made.status_code == 201
    text, prefix = made.json()["key"], made.json()["prefix"]
    assert made.json()["decide"] is False
    bearer = {"authorization": f"Bearer {text}"}
    assert (await house.http.get("/v1/me", headers=bearer)).json()["id"] == "bot"
    ended = await house.ask("ana", "DELETE", f"/v1/keys/{prefix}")
    assert ended.json()["revoked_at"] is not None
    refused = await house.http.get("/v1/me", headers=bearer)
    assert (refused.status_code, refused.json()["code"]) == (401, "key_revoked")


async def test_a_key_is_shown_once_and_is_in_no_list_and_no_log(house: House) -> None:
    text = (await house.ask("ana", "POST", "/v1/keys", {"principal": "bo"})).json()["key"]
    listed = (await house.ask("ana", "GET", "/v1/keys")).text
    assert keys.prefix_of(text) in listed
    assert text not in listed
    assert text[12:] not in str(await house.events())


async def test_making_keys_and_links_needs_the_right(house: House) -> None:
    for method, path in (
        ("POST", "/v1/keys"),
        ("GET", "/v1/keys"),
        ("DELETE", "/v1/keys/x"),
        ("POST", "/v1/login-links"),
    ):
        answer = await house.ask("cai", method, path, {"principal": "cai"})
        assert answer.status_code == 403, path


async def test_nobody_unknown_gets_a_key_and_no_agent_gets_a_link(house: House) -> None:
    assert (await house.ask("ana", "POST", "/v1/keys", {"principal": "zed"})).json()["code"] == "unknown_principal"
    assert (await house.ask("ana", "POST", "/v1/login-links", {"principal": "bot"})).json()["code"] == "not_a_person"
    assert (await house.ask("ana", "DELETE", "/v1/keys/nothing0")).status_code == 404


async def test_a_link_that_a_key_asked_for_is_no_stronger_than_the_key(house: House) -> None:
    made = (await house.ask("ana", "POST", "/v1/login-links", {"principal": "ana"})).json()
    assert made["assurance"] == "chat"
    assert made["url"] == "http://127.0.0.1:8000" + made["path"]


async def test_whoever_leaves_the_configuration_is_out_at_once_and_stays_out(house: House) -> None:
    await house.key("cai")
    cookie = await house.cookie("cai")
    assert (await house.ask("cai", "GET", "/v1/me")).status_code == 200
    assert (await house.http.get("/v1/me", headers=cookie)).status_code == 200
    path = house.hub.data.parent / "hub.yaml"
    path.write_text(CONFIG.replace("  cai: {name: Cai Wu, groups: [sre]}\n", ""))
    assert (await house.ask("ana", "POST", "/v1/reload")).status_code == 200
    assert (await house.ask("cai", "GET", "/v1/me")).status_code == 401
    assert (await house.http.get("/v1/me", headers=cookie)).status_code == 401


async def test_a_list_of_keys_goes_on_where_its_page_ended(house: House) -> None:
    made = sorted([(await house.key(who))[4:12] for who in ("ana", "bo", "cai", "dee", "bot")])
    first = (await house.ask("ana", "GET", "/v1/keys?limit=3")).json()
    rest = (await house.ask("ana", "GET", f"/v1/keys?limit=3&cursor={first['next']}")).json()
    assert [each["prefix"] for each in first["items"] + rest["items"]] == made
    assert rest["next"] is None
