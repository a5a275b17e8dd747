"""`/a/{token}`: the request behind a mail's buttons. A GET shows; only a POST with that page's nonce decides (P10).

The token proves that somebody has the mail, which is `email` and no more; the page says so when a policy asks for
more. Whoever is signed in as the mail's recipient decides with the strength of their session.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from core.errors import Invalid
from core.form import read_form
from core.people.assurance import Assurance
from hub.contracts import Caller, Hub, Inbound, Opened, Reply, Sender

COOKIE = "interlock_mail"
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    ),
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-robots-tag": "noindex",
}
_MOST_FORM_BYTES = 65_536
_REASON_NEEDED = frozenset({"reject", "request-changes"})
_CHOICES = {"approve": "Approve", "reject": "Reject", "request-changes": "Ask for changes"}


class Pages:
    """Serves the pages behind the mails of one channel."""

    def __init__(self, channel: str, hub: Hub) -> None:
        self._channel = channel
        self._hub = hub
        self._templates = Environment(
            loader=FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/a/{token}", self._show, methods=["GET"], name="mail-page"),
            Route("/a/{token}", self._decide, methods=["POST"], name="mail-form"),
        ]

    async def _show(self, request: Request) -> Response:
        found = await self._hub.opened(request.path_params["token"])
        if found is None:
            return self._nothing()
        return await self._page(request, *found)

    async def _decide(self, request: Request) -> Response:
        found = await self._hub.opened(request.path_params["token"])
        if found is None:
            return self._nothing()
        copy, seen = found
        form = await _form_of(request)
        if not self._is_ours(request, form):
            self._hub.unproven(self._channel, "bad_nonce")
            said = Reply(ok=False, code="bad_nonce", text="This form is not from a page that we showed you just now.")
            return await self._page(request, copy, seen, said, status=403)
        answered = await self._press(request, copy, form)
        if answered.ok:
            return RedirectResponse(f"/a/{request.path_params['token']}", 303, HEADERS)
        again = await self._hub.opened(request.path_params["token"])
        return await self._page(request, *(again or found), answered, status=409)

    def _is_ours(self, request: Request, form: Mapping[str, str]) -> bool:
        """Whether the form comes from the page that this browser was shown last.

        A page without referrers posts with the Origin `null`, so there Sec-Fetch-Site must say that it is ours.
        """
        site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
        if site not in (None, "same-origin"):
            return False
        if origin == "null" and site is None:
            return False
        if origin not in (None, "null", *self._hub.origins(request.headers.get("host"))):
            return False
        nonce, cookie = form.get("nonce", ""), request.cookies.get(COOKIE, "")
        return len(cookie) >= 32 and hmac.compare_digest(nonce.encode(), cookie.encode())

    async def _press(self, request: Request, copy: Opened, form: Mapping[str, str]) -> Reply:
        choice, comment = form.get("choice", ""), form.get("comment", "").replace("\r\n", "\n").strip() or None
        token = copy.tokens.get(choice)
        if token is None or copy.recipient is None:
            return Reply(ok=False, code="unknown_press", text="There is no such choice here.")
        if comment is None and choice in _REASON_NEEDED:
            return Reply(ok=False, code="missing_reason", text="Say why, so that who asked can do something about it.")
        caller = await self._caller(request)
        if caller is not None and caller.principal != copy.recipient:
            text = f"You are signed in as {caller.name}, and this mail was for somebody else. Decide on your own page."
            return Reply(ok=False, code="another_person", text=text)
        signed_in = caller.assurance if caller is not None else None
        return await self._hub.handle(
            Inbound(
                channel=self._channel,
                sender=Sender(principal=copy.recipient),
                assurance=signed_in or Assurance.EMAIL,
                said_at_us=self._hub.clock.wall_us(),
                press=token,
                comment=comment,
                confirm=form.get("confirm"),
                evidence={"mail": "link" if signed_in is None else "link, signed in", "delivery": str(copy.delivery)},
            )
        )

    async def _caller(self, request: Request) -> Caller | None:
        """Who is signed in in this browser."""
        cookie = request.headers.get("cookie")
        return await self._hub.authenticate({"cookie": cookie}) if cookie else None

    async def _page(
        self, request: Request, copy: Opened, seen: Reply, said: Reply | None = None, *, status: int = 200
    ) -> Response:
        assert seen.card is not None
        assert seen.approval is not None
        nonce = secrets.token_urlsafe(32)
        wanted = request.query_params.get("choice", "")
        caller = await self._caller(request)
        have = caller.assurance if caller is not None else Assurance.EMAIL
        needs = seen.approval.get("min_assurance") or "chat"
        response = self._render(
            "page.html",
            status,
            card=seen.card,
            said=said,
            copy=copy,
            nonce=nonce,
            choices=_CHOICES if copy.current else {},
            wanted=wanted if wanted in _CHOICES else None,
            needs_reason=_REASON_NEEDED,
            confirms={"approve": seen.card.approval} if seen.approval.get("confirm") == "typed" else {},
            too_weak=have < Assurance.parse(needs),
            needs=needs,
            token=request.path_params["token"],
        )
        secure = self._hub.public_url.startswith("https:")
        response.set_cookie(COOKIE, nonce, max_age=3600, path="/a/", secure=secure, httponly=True, samesite="strict")
        return response

    def _nothing(self) -> Response:
        self._hub.unproven(self._channel, "unknown_link")
        return self._render("gone.html", 404)

    def _render(self, template: str, status: int, **values: Any) -> Response:
        return Response(self._templates.get_template(template).render(**values), status, HEADERS, "text/html")


async def _form_of(request: Request) -> dict[str, str]:
    """The form's fields, each once; nothing for what cannot be read."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MOST_FORM_BYTES:
            return {}
    try:
        return read_form(body)
    except Invalid:
        return {}
