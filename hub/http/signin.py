"""Signing in and out: `/login/{token}` for browsers, `/v1/auth/*` for programs.

Looking at a link never uses it up; only the POST of its page does. What `/v1/auth/*` is asked is limited by address.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from core.deep_link import deep_link
from core.errors import Invalid, Unproven
from core.people import links, sessions
from core.people.assurance import Assurance
from core.people.sessions import Begun
from core.people.tokens import ACCESS_SECONDS, Tokens
from core.store.tx import Tx
from hub.contracts import Caller
from hub.http import signin_pages as pages
from hub.http.ask import answer
from hub.http.asked_links import approval_of
from hub.http.auth import HTTP, PAGE, identify
from hub.http.edge import cookies_are_secure
from hub.http.guard import HUB, Guarded
from hub.http.hub import Hub
from hub.http.origin import demand_same_site
from hub.http.pace import demand_pace
from hub.http.permissions import OPEN, needs
from hub.proofs import COOKIE, SECURE_COOKIE, cookie_of

TRIES = 5
"""How many tries an address has in a minute, for each of the routes below `/v1/auth`."""

router = APIRouter(route_class=Guarded, tags=["sign-in"])


class Proof(BaseModel):
    """What tokens are exchanged for: a sign-in link's token, or an API key. Exactly one."""

    model_config = ConfigDict(extra="forbid")
    token: str | None = Field(default=None, max_length=256)
    key: str | None = Field(default=None, max_length=256)


class RefreshToken(BaseModel):
    """The refresh token."""

    model_config = ConfigDict(extra="forbid")
    refresh_token: str = Field(max_length=512)


class MaybeRefreshToken(BaseModel):
    """The refresh token, where nothing else says which session."""

    model_config = ConfigDict(extra="forbid")
    refresh_token: str | None = Field(default=None, max_length=512)


async def _limited(request: Request) -> Hub:
    """The hub, for an address that has not asked too often. Raises TooFast."""
    return demand_pace(request, TRIES)


Limited = Annotated[Hub, Depends(_limited)]


@router.get("/login/{token}", response_class=HTMLResponse)
@needs(OPEN)
async def login_page(request: Request, token: str) -> Response:
    """A page with one button, which says as whom it signs in. Looking at it uses nothing up."""
    hub: Hub = request.scope[HUB]
    link = await hub.db.read(links.look, token)
    person = hub.world.people.find(link.principal) if link is not None else None
    if link is None or person is None:
        return pages.over(404)
    to = approval_of(request.query_params.get("to", ""))
    return pages.button(f"/login/{token}{f'?to={to}' if to else ''}", person.name, link.assurance)


@router.post("/login/{token}", response_class=HTMLResponse, status_code=303)
@needs(OPEN)
async def sign_in(request: Request, token: str) -> Response:
    """A session cookie, and the way to the page: to the approval that was asked for (`to`), where one was."""
    hub: Hub = request.scope[HUB]
    demand_same_site(request.method, request.headers, hub.public_url)
    begun = await hub.db.write(lambda tx: _begin_browser(tx, hub, token))
    if isinstance(begun, Unproven):
        hub.unproven(PAGE, begun.code)
        return pages.over(401)
    to = approval_of(request.query_params.get("to", ""))
    response = RedirectResponse(deep_link("", to) if to else "/", 303)
    set_cookie(response, hub, begun.secret)
    return response


def _begin_browser(tx: Tx, hub: Hub, token: str) -> Begun | Unproven:
    link = links.redeem(tx, token, known=lambda name: hub.world.people.find(name) is not None, channel=PAGE)
    if isinstance(link, Unproven):
        return link
    return sessions.begin_browser(tx, principal=link.principal, assurance=link.assurance, began=link.began)


@router.post("/logout", status_code=303)
@needs(OPEN)
async def sign_out(request: Request) -> Response:
    """No session cookie, and no session behind it."""
    hub: Hub = request.scope[HUB]
    demand_same_site(request.method, request.headers, hub.public_url)
    cookie = cookie_of(request.headers.get("cookie", ""))
    session = await hub.db.read(sessions.find_by_secret, cookie) if cookie is not None else None
    if session is not None:
        await _end(hub, session.id, session.principal, PAGE)
    response = RedirectResponse("/", 303)
    for name in (COOKIE, SECURE_COOKIE):
        response.delete_cookie(name, path="/", secure=cookies_are_secure(hub.public_url), httponly=True, samesite="lax")
    return response


@router.post("/v1/auth/token")
@needs(OPEN)
async def get_tokens(hub: Limited, body: Proof) -> Response:
    """An access token for ten minutes, and a refresh token for the next."""
    if (body.token is None) == (body.key is None):
        raise Invalid("invalid_request", "send either the `token` of a sign-in link or a `key`")
    if body.key is not None:
        caller = await hub.proofs.prove({"authorization": f"Bearer {body.key}"})
        if not caller.proof.startswith("key:"):
            raise Unproven("bad_key", "this is no key of this hub")
        begun: Begun | Unproven = await hub.db.write(lambda tx: _begin_by_key(tx, hub.proofs.tokens, caller))
    else:
        token = body.token or ""
        begun = await hub.db.write(lambda tx: _begin_by_link(tx, hub, token))
    return _tokens(hub, begun)


def _begin_by_key(tx: Tx, tokens: Tokens, caller: Caller) -> Begun:
    tx.record(
        "login:used",
        actor=caller.principal,
        subject=caller.principal,
        channel=HTTP,
        details={"principal": caller.principal, "assurance": caller.assurance.word, "began": caller.proof},
    )
    return sessions.begin_tokens(
        tx, tokens, principal=caller.principal, assurance=Assurance(caller.assurance), began=caller.proof
    )


def _begin_by_link(tx: Tx, hub: Hub, token: str) -> Begun | Unproven:
    link = links.redeem(tx, token, known=lambda name: hub.world.people.find(name) is not None, channel=HTTP)
    if isinstance(link, Unproven):
        return link
    return sessions.begin_tokens(
        tx, hub.proofs.tokens, principal=link.principal, assurance=link.assurance, began=link.began
    )


@router.post("/v1/auth/refresh")
@needs(OPEN)
async def refresh(hub: Limited, body: RefreshToken) -> Response:
    """The next access and refresh token. A refresh token that comes a second time ends the session."""
    text = body.refresh_token
    return _tokens(hub, await hub.db.write(lambda tx: sessions.refresh(tx, hub.proofs.tokens, text, channel=HTTP)))


@router.post("/v1/auth/logout", status_code=204)
@needs(OPEN)
async def end(request: Request, hub: Limited, body: MaybeRefreshToken | None = None) -> Response:
    """The session of the refresh token, of the access token or of the cookie has ended."""
    if body is not None and body.refresh_token is not None:
        name = hub.proofs.tokens.read_refresh(body.refresh_token).session
        session = await hub.db.read(sessions.find, name)
        if session is None:
            raise Unproven("session_ended", "the session is over")
        await _end(hub, name, session.principal, HTTP)
        return Response(status_code=204)
    caller, channel = await identify(request, hub, request.method)
    current = hub.proofs.session_of(caller)
    if current is None:
        raise Invalid("no_session", "you come with no session; a key is revoked, not signed out")
    await _end(hub, current, caller.principal, channel)
    return Response(status_code=204)


async def _end(hub: Hub, name: str, principal: str, channel: str) -> None:
    await hub.db.write(lambda tx: sessions.end(tx, name, by=principal, why="signed out", channel=channel), urgent=True)


def _tokens(hub: Hub, begun: Begun | Unproven) -> Response:
    if isinstance(begun, Unproven):
        raise begun
    session = begun.session
    if hub.world.people.find(session.principal) is None:
        raise Unproven("unknown_principal", "you are no longer in the configuration")
    access = hub.proofs.tokens.access(session=session.id, principal=session.principal, now_us=hub.proofs.now_us())
    return answer(
        {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": ACCESS_SECONDS,
            "refresh_token": begun.secret,
            "session": session.id,
            "principal": session.principal,
            "assurance": session.assurance.word,
        }
    )


def set_cookie(response: Response, hub: Hub, secret: str) -> None:
    """The browser keeps the session's secret."""
    secure = cookies_are_secure(hub.public_url)
    response.set_cookie(
        SECURE_COOKIE if secure else COOKIE,
        secret,
        max_age=sessions.LIFETIME_SECONDS["browser"],
        path="/",
        secure=secure,
        httponly=True,
        samesite="lax",
    )
