"""A small OpenID provider of ours: discovery, a page with a button, tokens for codes with PKCE, keys that it changes.

It takes only what the specifications allow of a client, and misbehaves as told.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import html
import json
import secrets
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from serving import serving
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT_ID, CLIENT_SECRET = "interlock", "s3cret-of-the-client"
KNOWN_ALGORITHMS = ["RS256", "ES256"]


@cache
def key_of(kid: str) -> RSAKey | ECKey:
    """The key of that name; names that begin with `ec` are of elliptic curves."""
    if kid.startswith("ec"):
        return ECKey.generate_key("P-256", {"kid": kid, "use": "sig"})
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig"})


@dataclass(kw_only=True)
class OpenIdProvider:
    """The far side. What stands in `metadata`, `claims`, `header` and `told` goes over what it would say; None takes away."""

    url: str = ""
    subject: str = "248289761001"
    signs_with: str = "rsa-1"
    published: list[str] = field(default_factory=lambda: ["rsa-1", "ec-1"])
    metadata: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    told: dict[str, Any] = field(default_factory=dict)
    """Over the answer of the token endpoint."""
    userinfo: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, Response] = field(default_factory=dict)
    """Path -> what is answered there instead."""
    slow_seconds: float = 0.0
    forge: str | None = None
    """How the ID token is forged: `none`, `hmac` or `stranger`."""
    calls: list[str] = field(default_factory=list)
    """The paths that were asked, in order."""
    secrets_seen: list[str] = field(default_factory=list)
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def app(self) -> Starlette:
        routes = {
            "/.well-known/openid-configuration": self._discovery,
            "/keys": self._keys,
            "/userinfo": self._userinfo,
            "/authorize": self._ask,
        }
        posts = {"/authorize": self._agree, "/token": self._token}
        return Starlette(
            routes=[
                *(Route(path, self._watched(page), methods=["GET"]) for path, page in routes.items()),
                *(Route(path, self._watched(page), methods=["POST"]) for path, page in posts.items()),
            ]
        )

    async def visit(self, address: str) -> httpx.URL:
        """Where the browser is sent back to, once its person pressed the button there."""
        async with httpx.AsyncClient(trust_env=False) as browser:
            answer = await browser.post(address)
        assert answer.status_code == 303, answer.text
        return httpx.URL(answer.headers["location"])

    def times(self, path: str) -> int:
        return self.calls.count(path)

    def _watched(self, page: Any) -> Any:
        async def watched(request: Request) -> Response:
            self.calls.append(request.url.path)
            await asyncio.sleep(self.slow_seconds)
            instead = self.answers.get(request.url.path)
            answer: Response = instead if instead is not None else await page(request)
            return answer

        return watched

    async def _discovery(self, request: Request) -> Response:
        return JSONResponse(
            _over(
                {
                    "issuer": self.url,
                    "authorization_endpoint": f"{self.url}/authorize",
                    "token_endpoint": f"{self.url}/token",
                    "jwks_uri": f"{self.url}/keys",
                    "response_types_supported": ["code"],
                    "subject_types_supported": ["public"],
                    "id_token_signing_alg_values_supported": [*KNOWN_ALGORITHMS, "HS256", "none"],
                    "code_challenge_methods_supported": ["S256"],
                },
                self.metadata,
            )
        )

    async def _keys(self, request: Request) -> Response:
        return JSONResponse({"keys": [key_of(kid).as_dict(private=False) for kid in self.published]})

    async def _ask(self, request: Request) -> Response:
        """The page that its people see."""
        action = html.escape(f"/authorize?{request.url.query}", quote=True)
        return HTMLResponse(
            '<title>Acme</title><link rel="icon" href="data:,"><h1>Acme</h1>'
            f'<form method="post" action="{action}"><button>Go on</button></form>'
        )

    async def _agree(self, request: Request) -> Response:
        asked = dict(request.query_params)
        assert (asked["response_type"], asked["client_id"]) == ("code", CLIENT_ID), asked
        assert asked["code_challenge_method"] == "S256" and len(asked["code_challenge"]) == 43, asked
        assert "openid" in asked["scope"].split() and asked["state"] and asked["nonce"], asked
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}", 303)

    async def _token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode(), strict_parsing=True))
        given = base64.b64decode(request.headers.get("authorization", "").removeprefix("Basic ")).decode()
        client, _, secret = given.partition(":") if given else (form.get("client_id"), "", form.get("client_secret"))
        self.secrets_seen.append(str(secret))
        if (client, secret) != (CLIENT_ID, CLIENT_SECRET):
            return JSONResponse({"error": "invalid_client", "error_description": f"not {secret}"}, 401)
        asked = self._codes.pop(form.get("code", ""), None)
        challenge = _text(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if (
            asked is None
            or form["grant_type"] != "authorization_code"
            or form["redirect_uri"] != asked["redirect_uri"]
            or challenge != asked["code_challenge"]
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        access = secrets.token_urlsafe(16)
        told = {"access_token": access, "token_type": "Bearer", "id_token": self._id_token(asked["nonce"], access)}
        return JSONResponse(_over(told, self.told))

    def _id_token(self, nonce: str, access: str) -> str:
        now = int(time.time())
        claims = _over(
            {
                "iss": self.url,
                "sub": self.subject,
                "aud": CLIENT_ID,
                "exp": now + 300,
                "iat": now,
                "nonce": nonce,
                "at_hash": _text(hashlib.sha256(access.encode()).digest()[:16]),
            },
            self.claims,
        )
        kid = self.signs_with
        header = {"alg": "ES256" if kid.startswith("ec") else "RS256", "kid": kid, **self.header}
        if self.forge == "none":
            return f"{_json({**header, 'alg': 'none'})}.{_json(claims)}."
        if self.forge == "hmac":
            signed = f"{_json({**header, 'alg': 'HS256'})}.{_json(claims)}"
            return f"{signed}.{_text(hmac.digest(key_of(kid).as_pem(private=False), signed.encode(), 'sha256'))}"
        key = key_of(f"{kid}-of-a-stranger") if self.forge == "stranger" else key_of(kid)
        return jwt.encode(header, claims, key, algorithms=KNOWN_ALGORITHMS)

    async def _userinfo(self, request: Request) -> Response:
        assert request.headers["authorization"].startswith("Bearer ")
        return JSONResponse(_over({"sub": self.subject}, self.userinfo))


@asynccontextmanager
async def provided(**how: Any) -> AsyncIterator[OpenIdProvider]:
    """Such a provider, until the end."""
    provider = OpenIdProvider(**how)
    async with serving(provider.app()) as port:
        provider.url = f"http://127.0.0.1:{port}"
        yield provider


@contextmanager
def provided_aside(**how: Any) -> Iterator[OpenIdProvider]:
    """Such a provider on a thread of its own, for tests without a loop."""
    provider, started, over = OpenIdProvider(**how), threading.Event(), threading.Event()

    async def live() -> None:
        async with serving(provider.app()) as port:
            provider.url = f"http://127.0.0.1:{port}"
            started.set()
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=lambda: asyncio.run(live()))
    thread.start()
    try:
        assert started.wait(20)
        yield provider
    finally:
        over.set()
        thread.join()


def _over(usual: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**usual, **told}.items() if value is not None}


def _json(value: Any) -> str:
    return _text(json.dumps(value).encode())


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
