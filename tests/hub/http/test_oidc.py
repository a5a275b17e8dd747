"""Signing in by OpenID Connect, against a real provider of ours that misbehaves on demand: each trap, through HTTP."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from house import BASE, CONFIG, House, housed
from provider import CLIENT_SECRET, OpenIdProvider, key_of, provided
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

import hub.openid
from core.people.assurance import Assurance
from core.people.tokens import Tokens
from hub.http.note import NOTE_SECONDS, read_note, write_note
from hub.limits import Limiter

pytestmark = pytest.mark.anyio

CALLBACK = "/login/oidc/callback"
PEOPLE = """\
  ana: {name: Ana Ruiz, email: ana@example.com, oidc: "248289761001", groups: [sre, admins]}
  bo: {name: Bo Lind, email: bo@example.com, groups: [sre, security]}
"""


def config(provider: OpenIdProvider, *, people: str = PEOPLE, more: str = "") -> str:
    text = re.sub(r"  ana: .*\n  bo: .*\n", people, CONFIG)
    return text + (
        f"sign_in:\n  oidc: {{name: Acme, issuer: '{provider.url}', client_id: interlock, "
        f"client_secret: '${{file:secret}}'{more}}}\n"
    )


@asynccontextmanager
async def opened(folder: Path, provider: OpenIdProvider, **how: Any) -> AsyncIterator[House]:
    (folder / "secret").write_text(CLIENT_SECRET)
    async with housed(folder, config(provider, **how)) as house:
        yield house


@pytest.fixture
async def provider() -> AsyncIterator[OpenIdProvider]:
    async with provided() as found:
        yield found


@pytest.fixture
async def acme(tmp_path: Path, provider: OpenIdProvider) -> AsyncIterator[House]:
    """A hub that the provider may sign people in to."""
    async with opened(tmp_path, provider) as house:
        yield house


class Browser:
    """Keeps cookies and follows nothing by itself."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=house.app, raise_app_exceptions=False), base_url=BASE
        )

    async def begin(self, to: str | None = None) -> str:
        """The provider's address that the browser is sent to."""
        answer = await self.http.get("/login/oidc", params={} if to is None else {"to": to})
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    async def come_back(self, url: httpx.URL | str, **changed: str) -> httpx.Response:
        """What the hub answers there, with some parameters changed."""
        return await self.http.get(httpx.URL(url).copy_merge_params(changed))

    async def sign_in(self, provider: OpenIdProvider, **changed: str) -> httpx.Response:
        return await self.come_back(await provider.visit(await self.begin()), **changed)

    async def me(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.http.get("/v1/me")).json()
        return found


async def demand_nobody(house: House, browser: Browser, answer: httpx.Response, status: int, words: str) -> None:
    """A page that says what to do, nobody signed in, and not a word of what goes on inside."""
    assert answer.status_code == status, answer.text
    assert words in answer.text
    assert answer.headers["content-type"].startswith("text/html")
    assert "interlock_session" not in answer.headers.get("set-cookie", "")
    assert (await browser.http.get("/v1/me")).status_code == 401
    assert "login:used" not in [each["event"] for each in await house.events()]
    for secret in (CLIENT_SECRET, "Traceback", "Error("):
        assert secret not in answer.text


@pytest.mark.parametrize("key", ["rsa-1", "ec-1"])
async def test_whom_the_provider_names_is_signed_in_as_strongly_as_by_a_printed_link(
    acme: House, provider: OpenIdProvider, key: str
) -> None:
    provider.signs_with = key
    browser = Browser(acme)
    answer = await browser.sign_in(provider)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    me = await browser.me()
    assert (me["id"], me["assurance"]) == ("ana", "signed_in")
    (used,) = [each for each in await acme.events() if each["event"] == "login:used"]
    assert used["actor"] == used["subject"] == "ana"
    assert re.fullmatch("oidc:[0-9a-f]{16}", used["details"]["began"])


async def test_the_provider_is_asked_for_a_code_with_state_nonce_and_challenge_and_for_nothing_more(
    acme: House, provider: OpenIdProvider
) -> None:
    browser = Browser(acme)
    address = urlsplit(await browser.begin())
    asked = {name: values[0] for name, values in parse_qs(address.query).items()}
    assert f"{address.scheme}://{address.netloc}{address.path}" == f"{provider.url}/authorize"
    assert (asked["response_type"], asked["scope"], asked["code_challenge_method"]) == ("code", "openid", "S256")
    assert asked["redirect_uri"] == BASE + CALLBACK
    again = parse_qs(urlsplit(await browser.begin()).query)
    for name in ("state", "nonce", "code_challenge"):
        assert asked[name] != again[name][0], name
    assert CLIENT_SECRET not in address.query


async def test_the_cookie_of_an_attempt_is_short_lived_and_for_this_browser_alone(acme: House) -> None:
    header = (await acme.http.get("/login/oidc")).headers["set-cookie"].lower()
    for each in ("httponly", "samesite=lax", "path=/", "max-age=600"):
        assert each in header
    assert "secure" not in header  # public_url is http


async def test_by_https_no_other_host_of_the_site_can_set_the_cookie(tmp_path: Path, provider: OpenIdProvider) -> None:
    (tmp_path / "secret").write_text(CLIENT_SECRET)
    text = config(provider).replace("public_url: http://127.0.0.1:8000", "public_url: https://hub.example.com")
    async with housed(tmp_path, text) as house:
        answer = await house.http.get("/login/oidc", headers={"host": "hub.example.com"})
        assert answer.headers["set-cookie"].startswith("__Host-interlock_oidc_")
        assert "; secure" in answer.headers["set-cookie"].lower()
        assert "redirect_uri=https%3A%2F%2Fhub.example.com%2Flogin%2Foidc%2Fcallback" in answer.headers["location"]


async def test_one_comes_back_to_where_one_was(acme: House, provider: OpenIdProvider) -> None:
    for place in ("/", "/#/approvals/A142", "/approvals/A142", "/#/queue?view=open&q=by:ana%20state:failed"):
        browser = Browser(acme)
        answer = await browser.come_back(await provider.visit(await browser.begin(to=place)))
        assert answer.headers["location"] == place


ELSEWHERE = (
    *(
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/login/oidc",
        "javascript:alert(1)",
        "/#/a\r\nx: y",
    ),
    *("/approvals/A1/../../x", "/%2F/evil.example", '/#//"><script>', "/approvals/A1?x=//e", "", "x" * 10_000),
)


async def test_nobody_is_sent_anywhere_but_to_our_own_page(acme: House, provider: OpenIdProvider) -> None:
    for place in ELSEWHERE:
        browser = Browser(acme)
        answer = await browser.come_back(await provider.visit(await browser.begin(to=place)))
        assert answer.headers["location"] == "/", place


async def test_an_answer_that_another_browser_began_signs_nobody_in(acme: House, provider: OpenIdProvider) -> None:
    """Login CSRF: an attacker's own answer, opened by the victim, even while the victim signs in too."""
    attacker, victim = Browser(acme), Browser(acme)
    theirs = await provider.visit(await attacker.begin())
    await victim.begin()
    answer = await victim.come_back(theirs)
    await demand_nobody(acme, victim, answer, 401, "This browser did not begin that sign-in")
    assert provider.times("/token") == 0


async def test_a_cookie_of_ones_own_making_and_that_of_another_attempt_prove_nothing(
    acme: House, provider: OpenIdProvider
) -> None:
    attacker, victim = Browser(acme), Browser(acme)
    theirs = await provider.visit(await attacker.begin())
    await victim.begin()
    state = theirs.params["state"]
    (mine,) = victim.http.cookies.values()
    for forged in (mine, "", "a.b", "é", f"{mine.partition('.')[0]}.{'A' * 43}", "." * 5_000):
        raw = f"interlock_oidc_{state}={forged}".encode()
        answer = await acme.http.get(theirs, headers=[(b"cookie", raw)])
        assert answer.status_code == 401, forged
    assert provider.times("/token") == 0


async def test_a_note_is_over_after_ten_minutes_and_good_for_nothing_else() -> None:
    tokens = Tokens(b"k" * 32)
    note = write_note(tokens, "oidc a", "/#/x y", now_us=5_000_000)
    assert read_note(tokens, "oidc a", note, now_us=5_000_000) == "/#/x y"
    assert read_note(tokens, "oidc a", note, now_us=(5 + NOTE_SECONDS) * 1_000_000) is None
    assert read_note(tokens, "oidc b", note, now_us=5_000_000) is None
    assert read_note(Tokens(b"l" * 32), "oidc a", note, now_us=5_000_000) is None


async def test_a_state_is_good_once(acme: House, provider: OpenIdProvider) -> None:
    browser = Browser(acme)
    back = await provider.visit(await browser.begin())
    kept = dict(browser.http.cookies)
    assert (await browser.come_back(back)).status_code == 303
    assert f"interlock_oidc_{back.params['state']}" not in browser.http.cookies
    again = Browser(acme)
    again.http.cookies.update(kept)
    answer = await again.come_back(back)
    assert answer.status_code == 401 and "used before" in answer.text
    assert provider.times("/token") == 1


async def test_two_tabs_each_sign_in_in_whatever_order(acme: House, provider: OpenIdProvider) -> None:
    browser = Browser(acme)
    first, second = await browser.begin(to="/#/leases"), await browser.begin(to="/#/activity")
    later = await browser.come_back(await provider.visit(second))
    earlier = await browser.come_back(await provider.visit(first))
    assert (later.headers["location"], earlier.headers["location"]) == ("/#/activity", "/#/leases")


async def test_an_attempt_outlives_a_restart_of_the_hub(tmp_path: Path, provider: OpenIdProvider) -> None:
    async with opened(tmp_path, provider) as before:
        browser = Browser(before)
        back = await provider.visit(await browser.begin())
        kept = dict(browser.http.cookies)
    async with opened(tmp_path, provider) as after:
        again = Browser(after)
        again.http.cookies.update(kept)
        assert (await again.come_back(back)).status_code == 303
        assert (await again.me())["id"] == "ana"


@pytest.mark.parametrize(
    ("error", "shown"),
    [("access_denied", "access_denied"), ("<script>alert(1)</script>", "an unknown error"), ("", "an unknown error")],
)
async def test_a_provider_that_answers_an_error_signs_nobody_in(acme: House, error: str, shown: str) -> None:
    browser = Browser(acme)
    state = parse_qs(urlsplit(await browser.begin()).query)["state"][0]
    answer = await browser.http.get(
        CALLBACK, params={"state": state, "error": error, "error_description": "<b>call this number</b>"}
    )
    await demand_nobody(acme, browser, answer, 403, f"<code>{shown}</code>")
    assert "call this number" not in answer.text


async def test_the_answer_of_another_provider_is_refused_before_its_code_goes_anywhere(
    acme: House, provider: OpenIdProvider
) -> None:
    browser = Browser(acme)
    answer = await browser.sign_in(provider, iss="https://evil.example")
    await demand_nobody(acme, browser, answer, 401, "another provider")
    assert provider.times("/token") == 0
    assert (await browser.sign_in(provider, iss=provider.url)).status_code == 303


NOW = int(time.time())


WRONG_CLAIMS: list[dict[str, Any]] = [
    {"iss": "https://evil.example"},
    {"iss": None},
    {"iss": ["https://evil.example"]},  # beside the right one
    {"aud": "somebody-else"},
    {"aud": None},
    {"aud": "somebody-else", "azp": "interlock"},
    {"aud": ["interlock", "somebody-else"]},
    {"aud": ["interlock", "somebody-else"], "azp": "somebody-else"},
    {"exp": NOW - 3_600},
    {"exp": None},
    {"exp": "never"},
    {"iat": NOW + 86_400},
    {"iat": None},
    {"nbf": NOW + 86_400},
    {"nonce": "of another attempt"},
    {"nonce": None},
    {"nonce": None, "nonce_supported": False},
    {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
    {"sub": None},
    {"sub": ""},
    {"sub": 248289761001},
    {"sub": ["248289761001"]},
    {"sub": "248289761001\n"},
]


async def test_an_id_token_that_says_anything_else_proves_nothing(acme: House, provider: OpenIdProvider) -> None:
    for wrong in WRONG_CLAIMS:
        provider.claims = wrong
        if isinstance(wrong.get("iss"), list):
            provider.claims = {"iss": [provider.url, *wrong["iss"]]}
        acme.hub.limiter = Limiter()
        browser = Browser(acme)
        answer = await browser.sign_in(provider)
        assert answer.status_code == 401, wrong
        await demand_nobody(acme, browser, answer, 401, "could not be verified")
    provider.claims = {}
    assert (await Browser(acme).sign_in(provider)).status_code == 303


async def test_an_audience_of_several_is_fine_when_it_is_for_us(acme: House, provider: OpenIdProvider) -> None:
    provider.claims = {"aud": ["interlock", "somebody-else"], "azp": "interlock"}
    assert (await Browser(acme).sign_in(provider)).status_code == 303


@pytest.mark.parametrize("forge", ["none", "hmac", "stranger"])
async def test_a_forged_signature_proves_nothing_whatever_the_provider_says_it_supports(
    acme: House, provider: OpenIdProvider, forge: str
) -> None:
    provider.forge = forge
    browser = Browser(acme)
    await demand_nobody(acme, browser, await browser.sign_in(provider), 401, "could not be verified")


async def test_a_key_that_the_token_itself_brings_proves_nothing(acme: House, provider: OpenIdProvider) -> None:
    provider.forge = "stranger"
    provider.header = {"jwk": key_of("rsa-1-of-a-stranger").as_dict(private=False)}
    browser = Browser(acme)
    await demand_nobody(acme, browser, await browser.sign_in(provider), 401, "could not be verified")


async def test_an_answer_without_a_token_proves_nothing(acme: House, provider: OpenIdProvider) -> None:
    wrong: list[dict[str, Any]] = [{"id_token": None}, {"access_token": None}, {"id_token": 7}, {"id_token": "a.b.c"}]
    for told in [*wrong, {"id_token": "é"}]:
        provider.told = told
        browser = Browser(acme)
        await demand_nobody(acme, browser, await browser.sign_in(provider), 401, "could not be verified")


async def test_what_the_provider_publishes_is_asked_for_once(acme: House, provider: OpenIdProvider) -> None:
    for _ in range(3):
        assert (await Browser(acme).sign_in(provider)).status_code == 303
    assert provider.times("/.well-known/openid-configuration") == 1
    assert provider.times("/keys") == 1


async def test_new_keys_are_fetched_once_when_a_token_names_one_that_is_unknown(
    acme: House, provider: OpenIdProvider
) -> None:
    assert (await Browser(acme).sign_in(provider)).status_code == 303
    provider.published, provider.signs_with = ["rsa-2"], "rsa-2"
    assert (await Browser(acme).sign_in(provider)).status_code == 303
    assert provider.times("/keys") == 2
    provider.signs_with = "rsa-1"  # no longer published: a leaked key of before
    browser = Browser(acme)
    assert (await browser.sign_in(provider)).status_code == 401
    assert provider.times("/keys") == 3


async def test_odd_keys_beside_the_right_one_do_not_matter_and_keys_for_encryption_do_not_count(
    acme: House, provider: OpenIdProvider
) -> None:
    public = key_of("rsa-1").as_dict(private=False)
    odd = [{"kty": "PQ", "kid": "x"}, {"kty": "RSA", "kid": "y", "n": "!", "e": "AQAB"}, 7, {"kty": "oct", "k": "AAAA"}]
    provider.answers["/keys"] = JSONResponse({"keys": [*odd, {**public, "use": "enc"}]})
    browser = Browser(acme)
    await demand_nobody(acme, browser, await browser.sign_in(provider), 503, "cannot be used")
    provider.answers["/keys"] = JSONResponse({"keys": [*odd, public]})
    assert (await attempted(acme, Browser(acme), provider)).status_code == 303


DISCOVERY = "/.well-known/openid-configuration"
RUBBISH: list[tuple[str, Response, int, str]] = [
    (DISCOVERY, PlainTextResponse("<html>", 200), 503, "cannot be used"),
    (DISCOVERY, PlainTextResponse("no", 404), 503, "cannot be used"),
    (DISCOVERY, JSONResponse([1]), 503, "cannot be used"),
    (DISCOVERY, RedirectResponse("http://127.0.0.1:9/"), 503, "cannot be used"),
    (DISCOVERY, PlainTextResponse("busy", 503), 503, "does not answer"),
    ("/keys", JSONResponse({"keys": []}), 503, "cannot be used"),
    (
        "/keys",
        JSONResponse({"keys": [key_of("rsa-1").as_dict(private=False)], "pad": "x" * 300_000}),
        503,
        "cannot be used",
    ),
    ("/keys", JSONResponse({"keys": 7}), 503, "cannot be used"),
    ("/token", PlainTextResponse("<html>", 200), 503, "cannot be used"),
    ("/token", JSONResponse({"error": "invalid_client"}, 401), 503, "cannot be used"),
    ("/token", JSONResponse({"error": "invalid_grant"}, 400), 401, "does not take back"),
    ("/token", PlainTextResponse("down", 500), 503, "does not answer"),
]


async def attempted(house: House, browser: Browser, provider: OpenIdProvider) -> httpx.Response:
    """The last answer of an attempt, by a hub that knows nothing of the provider yet."""
    house.hub.limiter, house.hub._openid = Limiter(), None
    answer = await browser.http.get("/login/oidc")
    if answer.status_code == 303:
        answer = await browser.come_back(await provider.visit(answer.headers["location"]))
    return answer


async def test_a_provider_that_answers_rubbish_or_fails_signs_nobody_in(acme: House, provider: OpenIdProvider) -> None:
    for path, answer, status, words in RUBBISH:
        provider.answers = {path: answer}
        browser = Browser(acme)
        await demand_nobody(acme, browser, await attempted(acme, browser, provider), status, words)
    provider.answers = {}
    assert (await attempted(acme, Browser(acme), provider)).status_code == 303


async def test_a_provider_that_describes_itself_wrongly_is_not_used(acme: House, provider: OpenIdProvider) -> None:
    wrong: list[dict[str, Any]] = [
        {"issuer": "https://evil.example"},
        {"issuer": f"{provider.url}/"},
        {"issuer": None},
        {"token_endpoint": "http://id.example.com/token"},
        {"token_endpoint": "http://127.0.0.1@id.example.com/token"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"jwks_uri": None},
        {"userinfo_endpoint": "http://id.example.com/me"},
        {"token_endpoint_auth_methods_supported": ["private_key_jwt"]},
    ]
    for metadata in wrong:
        provider.metadata = metadata
        browser = Browser(acme)
        await demand_nobody(acme, browser, await attempted(acme, browser, provider), 503, "cannot be used")
    assert provider.secrets_seen == []


async def test_a_provider_that_takes_the_secret_in_the_body_gets_it_there(
    acme: House, provider: OpenIdProvider
) -> None:
    provider.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    assert (await Browser(acme).sign_in(provider)).status_code == 303


async def test_a_slow_provider_holds_nobody_up_for_long_and_those_behind_not_at_all(
    acme: House, provider: OpenIdProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub.openid, "CALL_SECONDS", 0.3)
    provider.slow_seconds = 2.0
    browser = Browser(acme)
    await demand_nobody(acme, browser, await browser.http.get("/login/oidc"), 503, "Acme does not answer")
    again = await browser.http.get("/login/oidc")
    assert again.status_code == 503 and provider.times("/.well-known/openid-configuration") == 1
    provider.slow_seconds = 0.0
    monkeypatch.setattr(hub.openid, "FAILED_SECONDS", 0.0)
    assert (await browser.http.get("/login/oidc")).status_code == 303


async def test_a_provider_that_is_not_there_is_said_and_counted_and_the_secret_is_in_no_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with provided() as gone:
        pass
    caplog.set_level(logging.DEBUG)
    async with opened(tmp_path, gone) as house:
        browser = Browser(house)
        answer = await browser.http.get("/login/oidc")
        await demand_nobody(house, browser, answer, 503, "Acme does not answer")
        counted = (await house.ask("ana", "GET", "/metrics")).text
        assert 'code="provider_down"' in counted
    assert "provider_down" in caplog.text and CLIENT_SECRET not in caplog.text


async def test_the_secret_is_in_no_log_when_the_provider_repeats_it(
    acme: House, provider: OpenIdProvider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    provider.answers["/token"] = JSONResponse({"error": "invalid_client", "error_description": CLIENT_SECRET}, 401)
    browser = Browser(acme)
    answer = await browser.sign_in(provider)
    await demand_nobody(acme, browser, answer, 503, "cannot be used")
    assert "provider_wrong" in caplog.text and CLIENT_SECRET not in caplog.text
    assert CLIENT_SECRET not in repr(acme.hub.world)


async def test_somebody_unknown_is_told_their_subject_and_nothing_about_anybody_else(
    acme: House, provider: OpenIdProvider
) -> None:
    provider.subject = "<i>nobody</i>&"
    browser = Browser(acme)
    answer = await browser.sign_in(provider)
    await demand_nobody(acme, browser, answer, 403, "this hub knows nobody by that account")
    assert "&lt;i&gt;nobody&lt;/i&gt;&amp;" in answer.text and provider.url in answer.text
    for other in ("ana", "Ana", "bo", "Bo Lind", "cai", "example.com"):
        assert re.search(rf"\b{other}\b", answer.text) is None, other
    (failed,) = [each for each in await acme.events() if each["event"] == "login:failed"]
    assert failed["details"]["why"] == "unknown_person" and failed["actor"] is None


async def test_an_address_names_nobody_unless_that_is_switched_on(acme: House, provider: OpenIdProvider) -> None:
    provider.subject, provider.claims = "new", {"email": "bo@example.com", "email_verified": True}
    assert (await Browser(acme).sign_in(provider)).status_code == 403


@pytest.mark.parametrize(
    ("claims", "who"),
    [
        ({"email": "BO@example.com", "email_verified": True}, "bo"),
        ({"email": "bo@example.com", "email_verified": "true"}, None),
        ({"email": "bo@example.com", "email_verified": 1}, None),
        ({"email": "bo@example.com", "email_verified": False}, None),
        ({"email": "bo@example.com"}, None),
        ({"email": ["bo@example.com"], "email_verified": True}, None),
        ({"email": "zoe@example.com", "email_verified": True}, None),
        ({"email": "ana@example.com", "email_verified": True}, None),  # hub.yaml says which account is hers
    ],
    ids=str,
)
async def test_where_it_is_switched_on_an_address_that_the_provider_verified_names_its_person(
    tmp_path: Path, provider: OpenIdProvider, claims: dict[str, Any], who: str | None
) -> None:
    provider.subject, provider.claims = "new", claims
    async with opened(tmp_path, provider, more=", match_email: true") as house:
        browser = Browser(house)
        answer = await browser.sign_in(provider)
        assert answer.status_code == (403 if who is None else 303)
        assert (await browser.me()).get("id") == who


@pytest.mark.parametrize(("subject", "status"), [(None, 303), ("somebody-else", 401)])
async def test_an_address_is_read_where_the_provider_tells_more_when_it_tells_it_of_the_same_account(
    tmp_path: Path, provider: OpenIdProvider, subject: str | None, status: int
) -> None:
    provider.subject = "new"
    provider.metadata = {"userinfo_endpoint": f"{provider.url}/userinfo"}
    provider.userinfo = {"sub": subject or "new", "email": "bo@example.com", "email_verified": True}
    async with opened(tmp_path, provider, more=", match_email: true") as house:
        assert (await Browser(house).sign_in(provider)).status_code == status


async def signed_in(house: House, who: str, assurance: Assurance = Assurance.SIGNED_IN) -> Browser:
    browser = Browser(house)
    name, _, value = (await house.cookie(who, assurance))["cookie"].partition("=")
    browser.http.cookies.set(name, value)
    return browser


async def test_who_is_signed_in_links_an_account_to_themselves_and_unlinking_ends_what_it_began(
    acme: House, provider: OpenIdProvider
) -> None:
    provider.subject = "of-cai"
    browser = await signed_in(acme, "cai")
    page = await browser.sign_in(provider)
    assert page.status_code == 403 and "Link it to Cai Wu" in page.text
    linked = await browser.http.post("/login/oidc/link")
    assert linked.status_code == 200 and "Linked" in linked.text
    fresh = Browser(acme)
    assert (await fresh.sign_in(provider)).status_code == 303
    assert (await fresh.me())["id"] == "cai"
    (entry,) = [each for each in await acme.events() if each["event"] == "identity:linked"]
    assert entry["details"]["identity"] == f"{provider.url}#of-cai"
    said = await acme.ask("cai", "POST", "/v1/commands", {"text": "unlink oidc"})
    assert said.json()["ok"], said.text
    assert (await fresh.http.get("/v1/me")).status_code == 401
    assert (await Browser(acme).sign_in(provider)).status_code == 403
    assert (await browser.http.get("/v1/me")).status_code == 200  # it rests on something else


@pytest.mark.parametrize("assurance", [Assurance.EMAIL, Assurance.CHAT])
async def test_a_weaker_session_cannot_make_itself_stronger_by_linking(
    acme: House, provider: OpenIdProvider, assurance: Assurance
) -> None:
    provider.subject = "of-cai"
    weak, strong = await signed_in(acme, "cai", assurance), await signed_in(acme, "cai")
    page = await weak.sign_in(provider)
    assert page.status_code == 403 and "Link it" not in page.text
    await strong.sign_in(provider)
    for name, value in strong.http.cookies.items():
        if name == "interlock_oidc_link":
            weak.http.cookies.set(name, value)
    assert (await weak.http.post("/login/oidc/link")).status_code == 403
    assert (await Browser(acme).sign_in(provider)).status_code == 403


async def test_an_account_is_linked_only_by_the_session_that_proved_it_and_from_our_own_page(
    acme: House, provider: OpenIdProvider
) -> None:
    """Else an attacker's account, handed to a victim's browser, would act as the victim."""
    provider.subject = "of-mallory"
    mallory, victim = await signed_in(acme, "dee"), await signed_in(acme, "cai")
    await mallory.sign_in(provider)
    note = mallory.http.cookies["interlock_oidc_link"]
    victim.http.cookies.set("interlock_oidc_link", note)
    assert (await victim.http.post("/login/oidc/link")).status_code == 401
    assert (await victim.http.post("/login/oidc/link")).status_code == 401  # and none at all
    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
        assert (await mallory.http.post("/login/oidc/link", headers=headers)).status_code == 403
    assert (await Browser(acme).sign_in(provider)).status_code == 403


async def test_who_has_an_account_already_gets_no_second_one(acme: House, provider: OpenIdProvider) -> None:
    provider.subject = "second-of-ana"
    browser = await signed_in(acme, "ana")
    await browser.sign_in(provider)
    answer = await browser.http.post("/login/oidc/link")
    assert answer.status_code == 409 and "hub.yaml says already who is who" in answer.text


async def test_who_left_the_configuration_is_not_signed_in_any_more(
    acme: House, provider: OpenIdProvider, tmp_path: Path
) -> None:
    browser = Browser(acme)
    assert (await browser.sign_in(provider)).status_code == 303
    cut = config(provider, people=PEOPLE.splitlines(keepends=True)[1].replace("security]", "security, admins]"))
    (tmp_path / "hub.yaml").write_text(re.sub(r"^(agents|services): .*\n", "", cut, flags=re.MULTILINE))
    assert await acme.hub.reload() == []
    assert (await browser.http.get("/v1/me")).status_code == 401
    assert (await Browser(acme).sign_in(provider)).status_code == 403


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        ("name: Acme", "name: Acme Ltd", 200),
        ("248289761001", "another", 401),
        (', oidc: "248289761001"', "", 401),
        ("issuer: 'http://127.0.0.1", "issuer: 'http://localhost", 401),
        ("sign_in", "# sign_in", 401),
    ],
)
async def test_a_session_lasts_no_longer_than_hub_yaml_takes_the_providers_word_for_it(
    acme: House, provider: OpenIdProvider, tmp_path: Path, old: str, new: str, status: int
) -> None:
    browser, linked = Browser(acme), await signed_in(acme, "ana")
    assert (await browser.sign_in(provider)).status_code == 303
    text = (tmp_path / "hub.yaml").read_text().replace(old, new)
    if new == "# sign_in":
        text = text[: text.index(new)].replace(', oidc: "248289761001"', "")
    (tmp_path / "hub.yaml").write_text(text)
    assert await acme.hub.reload() == []
    assert (await browser.http.get("/v1/me")).status_code == status
    assert (await linked.http.get("/v1/me")).status_code == 200


async def test_a_session_by_an_address_ends_when_addresses_stop_to_count(
    tmp_path: Path, provider: OpenIdProvider
) -> None:
    provider.subject, provider.claims = "new", {"email": "bo@example.com", "email_verified": True}
    async with opened(tmp_path, provider, more=", match_email: true") as house:
        browser = Browser(house)
        assert (await browser.sign_in(provider)).status_code == 303
        text = (tmp_path / "hub.yaml").read_text()
        for changed, status in (
            (text.replace("Acme", "Acme Ltd"), 200),
            (text.replace(", match_email: true", ""), 401),
        ):
            (tmp_path / "hub.yaml").write_text(changed)
            assert await house.hub.reload() == []
            assert (await browser.http.get("/v1/me")).status_code == status


async def test_another_provider_with_the_same_subject_is_somebody_else(
    acme: House, provider: OpenIdProvider, tmp_path: Path
) -> None:
    provider.subject = "of-cai"
    browser = await signed_in(acme, "cai")
    await browser.sign_in(provider)
    assert (await browser.http.post("/login/oidc/link")).status_code == 200
    async with provided(subject="of-cai") as other:
        (tmp_path / "hub.yaml").write_text(config(other))
        assert await acme.hub.reload() == []
        assert (await Browser(acme).sign_in(other)).status_code == 403


async def test_too_many_tries_are_held_back(acme: House) -> None:
    statuses = [(await acme.http.get(CALLBACK)).status_code for _ in range(31)]
    assert statuses[:30] == [401] * 30 and statuses[30] == 429
    held = await acme.http.get(CALLBACK)
    assert int(held.headers["retry-after"]) > 0 and "Too many tries" in held.text


async def test_the_page_offers_the_provider_where_there_is_one(acme: House) -> None:
    page = await acme.http.get("/")
    assert "Sign in with Acme" in page.text and f'href="{BASE}/login/oidc"' in page.text
    assert (await acme.http.get("/static/signin.js")).status_code == 200


async def test_without_a_provider_there_is_nothing_to_sign_in_with(house: House) -> None:
    assert "/login/oidc" not in (await house.http.get("/")).text
    for path in ("/login/oidc", CALLBACK):
        answer = await house.http.get(path)
        assert answer.status_code == 404 and "Not set up here" in answer.text
