"""The pages: `/`, which the browser's own program draws, the same without scripts at `/approvals`, and their files.

A GET shows and never decides (P10). A decision without JavaScript is a form's POST from our own page, with a nonce
of the session and the press token of the revision that the page showed. Nothing on a page runs inline.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any

import orjson
from jinja2 import Environment, FileSystemLoader
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from adapters.websocket import built
from core.errors import Refusal, TooLarge
from core.form import read_form
from hub.contracts import Caller, Hub, Inbound, Reply, Sender

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; font-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
HEADERS = {
    "content-security-policy": CSP,
    "cache-control": "no-store",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}

_HERE = Path(__file__).parent
_THEMES = frozenset({"dark", "light"})
_FOR_GOOD = "public, max-age=31536000, immutable"
_MOST_FORM_BYTES = 65_536
_REASON_NEEDED = frozenset({"reject", "request-changes", "stop"})


class Browsing:
    """Serves the pages of one hub."""

    def __init__(self, hub: Hub, channel: str) -> None:
        self._hub = hub
        self._channel = channel
        self._templates = Environment(
            loader=FileSystemLoader(_HERE / "pages"), autoescape=True, trim_blocks=True, lstrip_blocks=True
        )

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/", self._home, methods=["GET"], name="home"),
            Route("/approvals", self._list, methods=["GET"], name="approvals-page"),
            Route("/approvals/{id}", self._show, methods=["GET"], name="approval-page"),
            Route("/approvals/{id}", self._decide, methods=["POST"], name="approval-form"),
            Route("/static/{name}", self._file, methods=["GET"], name="static"),
        ]

    async def _home(self, request: Request) -> Response:
        caller = await self._caller(request)
        if caller is None:
            return self._sign_in(200)
        entry = built.entry()
        if entry is None:
            return self._page("unbuilt.html", status=503, caller=caller)
        nonce = secrets.token_urlsafe(16)
        page = self._page(
            "home.html",
            entry=entry,
            boot=await self._boot(caller),
            theme=_theme_of(request.headers.get("cookie", "")),
            nonce=nonce,
        )
        # Styles that measure or lock what is on the screen are made by scripts of ours, which carry this nonce.
        page.headers["content-security-policy"] = CSP.replace("style-src 'self'", f"style-src 'self' 'nonce-{nonce}'")
        return page

    async def _boot(self, caller: Caller) -> str:
        """What the page knows before it asks: who looks, from where in the log, and whether everything is stopped."""
        known = {
            "id": caller.principal,
            "name": caller.name,
            "kind": caller.kind,
            "groups": sorted(caller.groups),
            "decides": caller.may_decide and caller.kind == "person",
            "assurance": caller.assurance.word,
            "head": self._hub.head,
            "halted": await self._hub.halted(),
            "url": self._hub.public_url,
        }
        return orjson.dumps(known).decode()

    def _sign_in(self, status: int, wanted: str | None = None) -> Response:
        """How somebody gets in who is not signed in."""
        ways, links = self._hub.ways_in, self._hub.links_by()
        return self._page("signin.html", status=status, wanted=wanted, ways=ways, links=links)

    async def _list(self, request: Request) -> Response:
        """Every request that the caller may see and that is open or ended lately, the newest first."""
        caller = await self._caller(request)
        if caller is None:
            return self._sign_in(401)
        found = [each.card for each in await self._hub.cards(caller) if each.card is not None]
        return self._page("approvals.html", caller=caller, cards=found[::-1])

    async def _show(self, request: Request) -> Response:
        caller = await self._caller(request)
        if caller is None:
            return self._sign_in(401, request.path_params["id"])
        return await self._approval(caller, request.path_params["id"])

    async def _approval(self, caller: Caller, id: str, said: Reply | None = None) -> Response:
        """The page of one approval, with what was answered to a form."""
        seen = await self._hub.card(caller, id)
        if seen.card is None or seen.approval is None:
            return self._page("missing.html", status=404, caller=caller, text=seen.text)
        self._hub.showed(seen.card.approval, int(seen.approval["revision"]), (caller.principal,))
        return self._page(
            "approval.html",
            status=200 if said is None or said.ok else 409,
            caller=caller,
            card=seen.card,
            approval=seen.approval,
            said=said,
            nonce=self._hub.nonce(caller, _purpose(id)),
            needs_reason=_REASON_NEEDED,
            why_not=why_not(caller, seen.approval),
        )

    async def _decide(self, request: Request) -> Response:
        """A form's press, from our own page, of somebody signed in."""
        caller = await self._caller(request)
        if caller is None:
            return self._sign_in(401, request.path_params["id"])
        id = request.path_params["id"]
        try:
            form = await _form_of(request)
        except Refusal as refusal:
            return self._page("missing.html", status=400, caller=caller, text=refusal.message)
        if not self._is_ours(request, caller, id, form):
            self._hub.unproven(self._channel, "bad_nonce")
            text = "This form is not from a page that we showed you just now. Open the request again."
            return self._page("missing.html", status=403, caller=caller, text=text)
        reply = await self._press(caller, form)
        if reply.ok:
            return RedirectResponse(f"/approvals/{id}", 303, HEADERS)
        return await self._approval(caller, id, reply)

    async def _press(self, caller: Caller, form: Mapping[str, str]) -> Reply:
        comment = form.get("comment", "").replace("\r\n", "\n").strip() or None
        if comment is None and form.get("choice") in _REASON_NEEDED:
            return Reply(ok=False, code="missing_reason", text="Say why, so that who asked can do something about it.")
        inbound = Inbound(
            channel=self._channel,
            sender=Sender(principal=caller.principal),
            assurance=caller.assurance,
            may_decide=caller.may_decide,
            evidence=caller.evidence,
            said_at_us=self._hub.clock.wall_us(),
            press=form.get("token", ""),
            comment=comment,
            confirm=form.get("confirm"),
        )
        return await self._hub.handle(inbound)

    def _is_ours(self, request: Request, caller: Caller, id: str, form: Mapping[str, str]) -> bool:
        origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site", "same-origin")
        if origin not in (None, *self._hub.origins(request.headers.get("host"))) or site != "same-origin":
            return False
        expected = self._hub.nonce(caller, _purpose(id))
        return hmac.compare_digest(expected.encode(), form.get("nonce", "").encode())

    async def _caller(self, request: Request) -> Caller | None:
        """Who looks, by their session cookie alone: pages are for browsers."""
        cookie = request.headers.get("cookie")
        return await self._hub.authenticate({"cookie": cookie}) if cookie else None

    async def _file(self, request: Request) -> Response:
        found = built.files().get(request.path_params["name"])
        if found is None:
            return self._page("missing.html", status=404, text="There is no such file.")
        headers = {
            "etag": found.tag,
            "cache-control": _FOR_GOOD if found.lasting else "no-cache",
            "x-content-type-options": "nosniff",
        }
        if request.headers.get("if-none-match") == found.tag:
            return Response(status_code=304, headers=headers)
        if found.compressed is not None:
            headers["vary"] = "accept-encoding"
            if "gzip" in request.headers.get("accept-encoding", ""):
                return Response(found.compressed, 200, {**headers, "content-encoding": "gzip"}, found.media_type)
        return Response(found.content, 200, headers, found.media_type)

    def _page(self, template: str, *, status: int = 200, **values: Any) -> Response:
        text = self._templates.get_template(template).render(status=status, **values)
        return Response(text, status, HEADERS, "text/html")


def why_not(caller: Caller, approval: Mapping[str, Any]) -> str | None:
    """Why the caller surely cannot approve, in words; None when they may be able to. The hub decides all the same."""
    if caller.kind != "person":
        return "Only people decide."
    if not caller.may_decide:
        return "You signed in with a key that may not decide."
    if caller.principal == approval["requester"]["id"] or caller.principal in approval.get("owners", ()):
        return "You asked for this, or own who did; somebody else must decide."
    seats = approval.get("requirements", ())
    if any(each.get("person") == caller.principal or each.get("group") in caller.groups for each in seats):
        return None
    return "The policy does not ask you for this one."


def _purpose(id: str) -> str:
    return f"decide {id}"


async def _form_of(request: Request) -> dict[str, str]:
    """The form's fields, each once. Raises TooLarge, Invalid `unreadable`."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MOST_FORM_BYTES:
            raise TooLarge("too_large", "The form is too large.")
    return read_form(body)


def _theme_of(cookie: str) -> str:
    """The theme that the reader chose on this browser; `` for the system's."""
    try:
        chosen = SimpleCookie(cookie).get("interlock_theme")
    except CookieError:
        return ""
    return chosen.value if chosen is not None and chosen.value in _THEMES else ""
