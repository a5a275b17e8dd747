"""The OpenID provider as its client sees it: where a browser is sent, and who came back by the provider's own word.

The authorization code flow with PKCE alone (RFC 6749, RFC 7636, OpenID Connect Core 1.0 section 3.1). The rules of the
protocol are Authlib's and joserfc's; which algorithms count, how long anything may take and how large it may be is
decided here and never by the provider.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
import orjson
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import get_well_known_url
from cryptography.exceptions import UnsupportedAlgorithm
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import JWKRegistry, KeySet
from joserfc.jws import JWSRegistry

from core.clock import SECOND, Clock
from core.errors import Forbidden, Unavailable, Unproven
from core.net import is_confidential, safe_client, trusted_authorities
from core.world import Provider

ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
)
"""How an ID token may be signed: by a private key alone. No MAC, whose key would be public, and never `none`."""
FRESH_SECONDS = 3_600.0
"""How long what the provider published about itself is believed without asking again."""
FAILED_SECONDS = 5.0
"""How long nobody asks again after the provider could not say it: who waited behind a slow one need not wait as well."""
CALL_SECONDS = 10.0
MOST_BYTES = 262_144
LEEWAY_SECONDS = 60

_KEY_TYPES = frozenset({"RSA", "EC", "OKP"})
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_SUBJECT = re.compile(r"[!-~]{1,255}")
_FORM = {"content-type": "application/x-www-form-urlencoded"}


T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who came back."""

    subject: str
    email: str | None
    """Their address, when the provider says that it verified it and somebody wants to know."""


class OpenId:
    """One provider. What it publishes is fetched when it is needed first, by one caller for all."""

    def __init__(self, provider: Provider, clock: Clock) -> None:
        self.provider = provider
        self._clock = clock
        self._tls: ssl.SSLContext | None = None
        self._asking = asyncio.Lock()
        self._metadata: tuple[float, Mapping[str, Any]] | None = None
        self._keys: tuple[float, KeySet] | None = None
        self._failed: tuple[float, Unavailable] | None = None

    async def metadata(self) -> Mapping[str, Any]:
        """What the provider says of itself. Raises Unavailable (`provider_down`, `provider_wrong`)."""
        async with self._asking:
            kept = self._metadata
            if kept is None or not self._is_within(kept[0], FRESH_SECONDS):
                self._metadata = kept = (self._clock.monotonic(), await self._patiently(self._discover))
            return kept[1]

    async def keys(self, *, after: KeySet | None = None) -> KeySet:
        """The keys that it signs with; newer ones than `after`, which lacked one. Raises Unavailable."""
        uri = (await self.metadata())["jwks_uri"]
        async with self._asking:
            kept = self._keys
            if kept is None or kept[1] is after or not self._is_within(kept[0], FRESH_SECONDS):
                self._keys = kept = (self._clock.monotonic(), await self._patiently(lambda: self._fetch_keys(uri)))
            return kept[1]

    async def address(self, *, redirect: str, state: str, nonce: str, verifier: str) -> str:
        """Where a browser that wants to sign in is sent. Raises Unavailable."""
        metadata = await self.metadata()
        address: str = prepare_grant_uri(
            metadata["authorization_endpoint"],
            self.provider.client_id,
            "code",
            redirect_uri=redirect,
            scope="openid email" if self.provider.match_email else "openid",
            state=state,
            nonce=nonce,
            code_challenge=create_s256_code_challenge(verifier),  # type: ignore[no-untyped-call]  # its stubs lack it
            code_challenge_method="S256",
        )
        return address

    async def prove(self, *, code: str, redirect: str, nonce: str, verifier: str) -> Account:
        """Whom the provider gave this code for. Raises Unavailable, Unproven (`code_refused`, `bad_token`)."""
        told = await self._exchange(code, redirect, verifier)
        id_token, access = told.get("id_token"), told.get("access_token")
        if not isinstance(id_token, str) or not isinstance(access, str):
            raise Unproven("bad_token", "the provider gave no ID token with an access token")
        claims = await self._claims(id_token, access, nonce)
        email = await self._email(claims, access) if self.provider.match_email else None
        return Account(subject=claims["sub"], email=email)

    async def _patiently(self, fetch: Callable[[], Awaitable[T]]) -> T:
        """What `fetch` finds; what kept it from that a moment ago keeps it still."""
        if self._failed is not None and self._is_within(self._failed[0], FAILED_SECONDS):
            raise Unavailable(self._failed[1].code, self._failed[1].message)
        try:
            return await fetch()
        except Unavailable as failure:
            self._failed = (self._clock.monotonic(), failure)
            raise

    async def _fetch_keys(self, uri: str) -> KeySet:
        return _key_set(_demand_well(*await self._ask("GET", uri)))

    async def _discover(self) -> Mapping[str, Any]:
        issuer = self.provider.issuer
        found = _demand_well(*await self._ask("GET", get_well_known_url(issuer, external=True)))
        if found.get("issuer") != issuer:
            raise _wrong(f"it says that its issuer is {_short(found.get('issuer'))}, and hub.yaml says {issuer!r}")
        optional = ("userinfo_endpoint",) if "userinfo_endpoint" in found else ()
        for name in (*_ENDPOINTS, *optional):
            url = found.get(name)
            if not isinstance(url, str) or not is_confidential(url):
                raise _wrong(f"its {name} is {_short(url)}, which is no https URL")
        return found

    async def _exchange(self, code: str, redirect: str, verifier: str) -> Mapping[str, Any]:
        """What the token endpoint gives for the code."""
        metadata = await self.metadata()
        known = metadata.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        method = next((each for each in ("client_secret_basic", "client_secret_post") if each in known), None)
        if method is None:
            raise _wrong("its token endpoint takes no client secret")
        if not (self.provider.client_id + self.provider.client_secret).isascii():
            raise _wrong("client_id or client_secret in hub.yaml is not ASCII, as OAuth has it")
        body = prepare_token_request("authorization_code", redirect_uri=redirect, code=code, code_verifier=verifier)
        auth = ClientAuth(self.provider.client_id, self.provider.client_secret, method)
        uri, headers, body = auth.prepare("POST", metadata["token_endpoint"], dict(_FORM), body)  # type: ignore[no-untyped-call]
        status, told = await self._ask("POST", uri, headers=headers, content=body.encode())
        if status in (400, 401) and told.get("error") == "invalid_grant":
            raise Unproven("code_refused", "the provider does not take its code back")
        if status in (400, 401):
            raise _wrong(f"it refuses client_id and client_secret ({_short(told.get('error'))})")
        return _demand_well(status, told)

    async def _claims(self, id_token: str, access: str, nonce: str) -> Mapping[str, Any]:
        """What the ID token says, once all of it was checked (OpenID Connect Core 1.0, section 3.1.3.7)."""
        keys = await self.keys()
        try:
            try:
                token = _decode(id_token, keys)
            except InvalidKeyIdError:  # the provider may have changed its keys since
                token = _decode(id_token, await self.keys(after=keys))
            claims = CodeIDToken(
                token.claims,
                token.header,
                {
                    "iss": {"essential": True, "value": self.provider.issuer},
                    "aud": {"essential": True, "value": self.provider.client_id},
                },
                {"nonce": nonce, "client_id": self.provider.client_id, "access_token": access},
            )
            claims.validate(now=self._clock.wall_us() // SECOND, leeway=LEEWAY_SECONDS)
        except (JoseError, ValueError, TypeError) as error:
            raise Unproven("bad_token", f"the ID token proves nothing: {_short(error)}") from None
        if not _SUBJECT.fullmatch(claims["sub"]):
            raise Unproven("bad_token", "the ID token's subject has not the form of one")
        return claims

    async def _email(self, claims: Mapping[str, Any], access: str) -> str | None:
        """The verified address, from the ID token or else from where the provider tells more."""
        uri = (await self.metadata()).get("userinfo_endpoint")
        if "email" not in claims and uri is not None:
            told = _demand_well(*await self._ask("GET", uri, headers={"authorization": f"Bearer {access}"}))
            if told.get("sub") != claims["sub"]:
                raise Unproven("bad_token", "the provider tells of somebody else than its ID token")
            claims = told
        email = claims.get("email")
        return email if isinstance(email, str) and claims.get("email_verified") is True else None

    async def _ask(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, content: bytes | None = None
    ) -> tuple[int, Mapping[str, Any]]:
        """Status and JSON object of one answer, in time and of bounded size. Raises Unavailable."""
        sent = {"accept": "application/json", "accept-encoding": "identity", **(headers or {})}
        if self._tls is None:
            self._tls = trusted_authorities()
        body = b""
        try:
            async with (
                asyncio.timeout(CALL_SECONDS),
                safe_client(allow_private=True, timeout_seconds=CALL_SECONDS, ssl_context=self._tls) as client,
                client.stream(method, url, headers=sent, content=content) as response,
            ):
                async for part in response.aiter_raw():
                    body += part
                    if len(body) > MOST_BYTES:
                        raise _wrong("it answers at a length that no answer needs")
        except (httpx.HTTPError, httpx.InvalidURL, OSError, Forbidden) as error:
            raise Unavailable("provider_down", f"no answer from {self._host(url)}: {_short(error)}") from None
        if response.status_code >= 500 or response.status_code == 429:
            raise Unavailable("provider_down", f"{self._host(url)} answers {response.status_code}")
        try:
            told = orjson.loads(body)
        except orjson.JSONDecodeError:
            told = None
        if not isinstance(told, dict):
            raise _wrong(f"{self._host(url)} answers {response.status_code} and no JSON object")
        return response.status_code, told

    def _host(self, url: str) -> str:
        return httpx.URL(url).host

    def _is_within(self, at: float, seconds: float) -> bool:
        return self._clock.monotonic() - at < seconds


def _decode(text: str, keys: KeySet) -> jwt.Token:
    return jwt.decode(text, keys, registry=JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False))


def _key_set(published: Mapping[str, Any]) -> KeySet:
    """Those of the published keys that check signatures; what cannot be read is left out (RFC 7517, section 5)."""
    listed = published.get("keys")
    keys = []
    for each in listed if isinstance(listed, list) else ():
        if not isinstance(each, dict) or each.get("kty") not in _KEY_TYPES or each.get("use", "sig") != "sig":
            continue
        try:
            keys.append(JWKRegistry.import_key(each))
        except (JoseError, ValueError, TypeError, KeyError, UnsupportedAlgorithm):
            continue
    if not keys:
        raise _wrong("it publishes no key that could have signed anything")
    return KeySet(keys)


def _demand_well(status: int, told: Mapping[str, Any]) -> Mapping[str, Any]:
    if status != 200:
        raise _wrong(f"it answers {status}")
    return told


def _wrong(why: str) -> Unavailable:
    return Unavailable("provider_wrong", f"the provider cannot be used: {why}")


def _short(value: object) -> str:
    """What somebody else wrote, for a log: on one line, and not much of it."""
    if isinstance(value, Exception):
        value = f"{type(value).__name__} {value}".strip()
    return repr(value)[:200]
