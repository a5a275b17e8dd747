"""`POST /login`: somebody types an address on the sign-in page, and a link goes to whom it belongs.

Everybody gets the same answer at the same speed: whom an address belongs to is looked up after it was given
(`hub/doorman.py`).
"""

from __future__ import annotations

import ipaddress

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from core import ids
from core.errors import Invalid, Refusal, TooFast, TooLarge
from core.form import read_form
from hub.doorman import Knock
from hub.http import signin_pages as pages
from hub.http.auth import PAGE
from hub.http.browser import browser
from hub.http.guard import HUB, Guarded
from hub.http.hub import Hub
from hub.http.origin import demand_same_site
from hub.http.pace import demand_pace
from hub.http.permissions import OPEN, needs

TRIES = 5
"""How many links may be asked for from one place in a minute."""
_MOST_FORM_BYTES = 4_096
_MOST_ADDRESS = 254

router = APIRouter(route_class=Guarded, tags=["sign-in"])


@router.get("/login", status_code=303)
@needs(OPEN)
async def sign_in_page(request: Request) -> Response:
    """The way to the page, which says how to sign in."""
    return RedirectResponse("/", 303)


@router.post("/login", response_class=HTMLResponse)
@needs(OPEN)
async def ask_for_link(request: Request) -> Response:
    """The same page for everybody; a link goes to the person whose address it is, if there is one."""
    hub: Hub = request.scope[HUB]
    demand_same_site(request.method, request.headers, hub.public_url)
    try:
        demand_pace(request, TRIES, PAGE)
    except TooFast as refusal:
        return pages.too_fast(float(refusal.data["retry_after_seconds"]))
    if not hub.doorman.links_by().by_address:
        return pages.no_mail()
    form = await _form_of(request)
    address = form.get("address", "").strip().lower()[:_MOST_ADDRESS]
    whence = f"{_place(request)}, with {browser(request.headers.get('user-agent', ''))}"
    hub.doorman.hear(Knock(address=address, asked_from=whence, to=approval_of(form.get("to", ""))))
    return pages.sent()


def approval_of(text: str) -> str | None:
    """The id of the approval to show after signing in; None for anything else."""
    try:
        return ids.show("A", ids.parse("A", text)) if text else None
    except Refusal:
        return None


def _place(request: Request) -> str:
    """The address that the request came from, in its own notation; `an unknown place` where there is none."""
    try:
        return ipaddress.ip_address(request.client.host if request.client is not None else "").compressed
    except ValueError:
        return "an unknown place"


async def _form_of(request: Request) -> dict[str, str]:
    """The form's fields; none for what is no form. Raises TooLarge."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MOST_FORM_BYTES:
            raise TooLarge("too_large", "that is no address")
    try:
        return read_form(body)
    except Invalid:
        return {}
