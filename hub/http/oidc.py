"""Signing in by OpenID Connect: `/login/oidc` sends the browser to the provider, `/login/oidc/callback` takes it back.

What an attempt needs is in a cookie of that attempt's own, which only this hub can write: so each tab has its own, a
restart changes nothing, and an answer that another browser began signs nobody in here (RFC 6749, section 10.12). The
nonce and PKCE's verifier are made from the state by a key of the hub's, and a state is good once.

Whoever the provider names and nobody knows is told their own subject, and nothing about who else there is. A person
who is signed in beside that, as strongly, may link the account to themselves.
"""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
from collections.abc import Awaitable, Callable
from html import escape
from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from core import once
from core.errors import Forbidden, NotFound, Refusal, TooFast, Unavailable, Unproven
from core.once import Once
from core.people import linking, sessions
from core.people.assurance import Assurance, demand_assurance
from core.people.directory import OIDC, Kind, Principal, subject_at
from core.people.linking import began_with
from core.people.sessions import Begun
from core.store.tx import Tx
from core.world import Provider
from hub.contracts import Caller
from hub.http.auth import PAGE
from hub.http.guard import HUB, Guarded
from hub.http.hub import Hub
from hub.http.note import hand_note, note_name, read_note, write_note
from hub.http.origin import demand_same_site
from hub.http.pace import demand_pace
from hub.http.permissions import OPEN, needs
from hub.http.refused import refused
from hub.http.screen import screen
from hub.http.signin import set_cookie

if TYPE_CHECKING:
    from hub.openid import OpenId

TRIES = 30
"""How many tries an address has in a minute, for each route: a whole office may come from one in the morning."""

_START = "/login/oidc"
_LINK = "oidc_link"
_STATE = re.compile(r"[A-Za-z0-9_-]{22}")
_PLACE = re.compile(r"/(?:approvals/A[0-9]{1,12})?(?:#/[A-Za-z0-9/_.~:@=&?%+,;!$'()*-]{0,512})?")
"""Where on our own page somebody may come back to."""
_ERRORS = frozenset(
    {
        *("access_denied", "login_required", "consent_required", "interaction_required", "account_selection_required"),
        *("invalid_request", "invalid_scope", "unauthorized_client", "unsupported_response_type"),
        *("server_error", "temporarily_unavailable"),
    }
)
"""What a provider may answer instead of a code (RFC 6749, section 4.1.2.1, and OpenID Connect Core, 3.1.2.6)."""

Step = Callable[[Request, Hub, Provider], Awaitable[Response]]

logger = logging.getLogger("interlock.oidc")
router = APIRouter(route_class=Guarded, tags=["sign-in"])


@router.get(_START, response_class=HTMLResponse, status_code=303)
@needs(OPEN)
async def begin(request: Request) -> Response:
    """The way to the provider, with a state that only this browser can bring back. `to` is where it ends."""
    return await _stepped(request, _begin)


@router.get(f"{_START}/callback", response_class=HTMLResponse, status_code=303)
@needs(OPEN)
async def finish(request: Request) -> Response:
    """A session for the person whom the provider names, and the way back to where they were."""
    response = await _stepped(request, _finish)
    state = request.query_params.get("state", "")
    if _STATE.fullmatch(state):
        hand_note(response, _hub(request).public_url, f"oidc_{state}", "")
    return response


@router.post(f"{_START}/link", response_class=HTMLResponse)
@needs(OPEN)
async def link(request: Request) -> Response:
    """The account that this browser proved just now is bound to the person who is signed in in it."""
    demand_same_site(request.method, request.headers, _hub(request).public_url)
    response = await _stepped(request, _link)
    hand_note(response, _hub(request).public_url, _LINK, "")
    return response


def _hub(request: Request) -> Hub:
    hub: Hub = request.scope[HUB]
    return hub


async def _stepped(request: Request, step: Step) -> Response:
    """The step's response, or a page that says what kept us from it and what to do."""
    hub = _hub(request)
    provider = hub.world.provider
    try:
        if provider is None:
            raise NotFound("no_provider", "no provider is configured")
        demand_pace(request, TRIES, PAGE)
        return await step(request, hub, provider)
    except TooFast as refusal:
        return refused(refusal, provider, again=_START)
    except Refusal as refusal:
        hub.unproven(PAGE, refusal.code)
        logger.warning("nobody was signed in by OpenID Connect (%s): %s", refusal.code, refusal.message)
        return refused(refusal, provider, again=_START)


async def _begin(request: Request, hub: Hub, provider: Provider) -> Response:
    state = secrets.token_urlsafe(16)
    to = request.query_params.get("to", "")
    address = await _client(hub).address(state=state, redirect=_redirect(hub), **_proofs(hub, state))
    response = RedirectResponse(address, 303)
    place = to if _PLACE.fullmatch(to) else "/"
    note = write_note(hub.proofs.tokens, f"oidc {state}", place, now_us=hub.proofs.now_us())
    hand_note(response, hub.public_url, f"oidc_{state}", note)
    return response


async def _finish(request: Request, hub: Hub, provider: Provider) -> Response:
    answer = request.query_params
    state = answer.get("state", "")
    place = _begun_here(request, hub, state)
    if place is None:
        raise Unproven("bad_state", "this browser did not begin that, or more than ten minutes ago")
    await hub.db.write(_use_up, state)
    if answer.get("iss", provider.issuer) != provider.issuer:  # RFC 9207
        raise Unproven("bad_issuer", "the answer comes from another provider")
    if "error" in answer:
        error = answer["error"] if answer["error"] in _ERRORS else "an unknown error"
        raise Forbidden("denied", f"the provider answers {error}", error=error)
    account = await _client(hub).prove(code=answer.get("code", ""), redirect=_redirect(hub), **_proofs(hub, state))
    identity = subject_at(provider.issuer, account.subject)
    begun = await hub.db.write(lambda tx: _sign_in(tx, hub, identity, account.email))
    if begun is None:
        return await _unknown(request, hub, provider, identity)
    response = RedirectResponse(place, 303)
    set_cookie(response, hub, begun.secret)
    return response


def _begun_here(request: Request, hub: Hub, state: str) -> str | None:
    """Where whoever began this in this browser wants to come back to; None when nobody did, or too long ago."""
    if not _STATE.fullmatch(state):
        return None
    note = request.cookies.get(note_name(hub.public_url, f"oidc_{state}"), "")
    return read_note(hub.proofs.tokens, f"oidc {state}", note, now_us=hub.proofs.now_us())


def _use_up(tx: Tx, state: str) -> None:
    """The state is worth nothing from now on. Raises Unproven (`state_used`)."""
    key = Once(scope="login:oidc", sender="browser", key=state, body_hash=hashlib.sha256(state.encode()).digest())
    if once.recall(tx, key) is not None:
        raise Unproven("state_used", "that answer was used before")
    once.keep(tx, key, "")


def _sign_in(tx: Tx, hub: Hub, identity: str, email: str | None) -> Begun | None:
    """A session of the person whose account that is; None, recorded, when it is nobody's."""
    began = began_with(OIDC, identity)
    person = _person(tx, hub, identity, email)
    if person is None:
        details = {"why": "unknown_person", "began": began}
        tx.record("login:failed", actor=None, channel=PAGE, details=details, private={"identity": identity})
        return None
    assurance = Assurance.SIGNED_IN
    details = {"principal": person.id, "assurance": assurance.word, "began": began}
    tx.record("login:used", actor=person.id, subject=person.id, channel=PAGE, details=details)
    return sessions.begin_browser(tx, principal=person.id, assurance=assurance, began=began)


def _person(tx: Tx, hub: Hub, identity: str, email: str | None) -> Principal | None:
    """Whom hub.yaml or a link names by that account, or else by the address that the provider has verified."""
    people = hub.world.people
    found = people.by_identity(OIDC, identity)
    if found is None and email is not None:
        found = people.find(hub.by_email(OIDC, email) or "")
    elif found is not None and people.is_linked(OIDC, identity) and not linking.stands(tx, OIDC, identity, found.id):
        found = None  # unlinked a moment ago
    return found if found is not None and found.kind is Kind.PERSON else None


async def _unknown(request: Request, hub: Hub, provider: Provider, identity: str) -> Response:
    """Whom to tell what; and for somebody who is signed in here, a button that links the account to them."""
    hub.unproven(PAGE, "unknown_person")
    issuer, _, subject = identity.partition("#")
    words = (
        f"<p>{escape(provider.name)} says who you are, and this hub knows nobody by that account. Show this to whoever "
        "administers the hub; they can add it to your entry in hub.yaml.</p>"
        f'<dl class="fields"><div><dt>Issuer</dt><dd><code>{escape(issuer)}</code></dd></div>'
        f"<div><dt>Subject</dt><dd><code>{escape(subject)}</code></dd></div></dl>"
    )
    caller = await hub.proofs.authenticate({"cookie": request.headers.get("cookie", "")})
    session = hub.proofs.session_of(caller) if caller is not None else None
    if caller is None or session is None or not _may_link(caller):
        words += (
            "<p>Or sign in with a link in this browser, as strongly as the shell prints them, and come back by "
            f'<a href="{_START}">{_START}</a>: then you can link the account yourself.</p>'
        )
        return screen("This account is not known here", words, 403)
    words += (
        f"<p>You are signed in here as <strong>{escape(caller.name)}</strong>. If both are you, link them: from then on "
        f"{escape(provider.name)} signs you in.</p>"
        f'<form method="post" action="{_START}/link"><button class="button primary">Link it to {escape(caller.name)}'
        "</button></form>"
    )
    response = screen("This account is not known here", words, 403)
    note = write_note(hub.proofs.tokens, f"{_LINK} {session}", identity, now_us=hub.proofs.now_us())
    hand_note(response, hub.public_url, _LINK, note)
    return response


async def _link(request: Request, hub: Hub, provider: Provider) -> Response:
    caller = await hub.proofs.prove({"cookie": request.headers.get("cookie", "")})
    if not _may_link(caller):
        demand_assurance(Assurance(caller.assurance), Assurance.SIGNED_IN)
        raise Forbidden("not_a_person", "only a person links accounts")
    note = request.cookies.get(note_name(hub.public_url, _LINK), "")
    purpose = f"{_LINK} {hub.proofs.session_of(caller)}"
    identity = read_note(hub.proofs.tokens, purpose, note, now_us=hub.proofs.now_us())
    if identity is None or not identity.startswith(subject_at(provider.issuer, "")):
        raise Unproven("bad_state", "this browser did not prove an account in the last ten minutes")
    await hub.bind(caller.principal, OIDC, identity)
    words = (
        f"<p>{escape(provider.name)} signs <strong>{escape(caller.name)}</strong> in from now on. "
        "<code>unlink oidc</code> ends that, and the sessions that began so.</p>"
        '<p><a class="button" href="/">To the page</a></p>'
    )
    return screen("Linked", words)


def _may_link(caller: Caller) -> bool:
    """Whether the session is of a person and no weaker than what the account will be worth."""
    return caller.kind == Kind.PERSON and caller.may_decide and caller.assurance >= Assurance.SIGNED_IN


def _proofs(hub: Hub, state: str) -> dict[str, str]:
    """What nobody can make who knows the state alone."""
    nonce = hub.proofs.tokens.nonce
    return {"nonce": nonce(state, "oidc nonce"), "verifier": nonce(state, "oidc verifier")}


def _redirect(hub: Hub) -> str:
    return f"{hub.public_url}{_START}/callback"


def _client(hub: Hub) -> OpenId:
    client = hub.openid
    if client is None:
        raise Unavailable("provider_wrong", "the configuration changed meanwhile")
    return client
