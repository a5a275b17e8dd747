"""Installing the app in a workspace, by OAuth: a page with one button, Slack's own page, and back.

The state that comes back is good once, for ten minutes, and only in the browser session that began: a link that
somebody else made installs nothing (RFC 6749, section 10.12).
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from html import escape
from urllib.parse import parse_qs, urlencode, urlsplit

import orjson
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from adapters.slack.installations import Installations, home_of
from adapters.slack.settings import Settings
from core.clock import SECOND
from core.people.assurance import Assurance
from hub.contracts import Caller, DeliveryFailed, Hub, Inbound, Sender

STATE_SECONDS = 600
AUTHORIZE_URL = "https://slack.com/oauth/v2/authorize"
RIGHT = "channels"
_PURPOSE = "slack install"
_STATE = "state:"
_MOST_FORM_BYTES = 4096

logger = logging.getLogger("interlock.slack")


class Install:
    """The pages of one channel. `installed` is told where the app was installed."""

    def __init__(
        self,
        *,
        channel: str,
        hub: Hub,
        settings: Settings,
        installations: Installations,
        scopes: Callable[[], Sequence[str]],
        installed: Callable[[str], Awaitable[None]],
    ) -> None:
        self._channel = channel
        self._hub = hub
        self._settings = settings
        self._installations = installations
        self._scopes = scopes
        self._installed = installed

    def routes(self) -> list[BaseRoute]:
        """The page, its form, and where Slack comes back to."""
        path = self._settings.install_path
        return [
            Route(path, self._page, methods=["GET"], name=f"slack-install:{self._channel}"),
            Route(path, self._begin, methods=["POST"], name=f"slack-begin:{self._channel}"),
            Route(f"{path}/done", self._done, methods=["GET"], name=f"slack-done:{self._channel}"),
        ]

    @property
    def _redirect(self) -> str:
        return redirect_url(self._hub.public_url, self._settings.install_path)

    async def _page(self, request: Request) -> Response:
        """A page with one button. Looking at it begins nothing."""
        caller = await self._caller(request)
        if caller is None:
            return _said("Sign in first", f"Whoever installs the app needs the right {RIGHT}.", 401)
        nonce = escape(self._hub.nonce(caller, _PURPOSE), quote=True)
        form = f'<form method="post"><input type="hidden" name="nonce" value="{nonce}"><button>To Slack</button></form>'
        return _html(
            "Install Interlock in a workspace of Slack", f"<p>Slack asks you which, and what it may do.</p>{form}"
        )

    async def _begin(self, request: Request) -> Response:
        """The way to Slack, with a state that only this browser session can bring back."""
        caller = await self._caller(request)
        form = await _form_of(request)
        origin = request.headers.get("origin")
        ours = origin is None or origin in self._hub.origins(request.headers.get("host"))
        if caller is None or not ours or not _same(form.get("nonce", ""), self._hub.nonce(caller, _PURPOSE)):
            self._hub.unproven(self._channel, "bad_nonce")
            return _said("Not begun", "This form is not from a page that was shown to you just now.", 403)
        await self._sweep()
        state = secrets.token_urlsafe(32)
        value = {"nonce": self._hub.nonce(caller, state), "until": self._now() + STATE_SECONDS}
        await self._hub.keep(self._channel, _name(state), orjson.dumps(value).decode())
        query = {
            "client_id": self._settings.client_id,
            "scope": ",".join(self._scopes()),
            "state": state,
            "redirect_uri": self._redirect,
        }
        return RedirectResponse(f"{authorize_url(self._settings.api_url)}?{urlencode(query)}", 303, _HEADERS)

    async def _done(self, request: Request) -> Response:
        """The app is installed in the workspace that was chosen, or it is said and recorded why not."""
        caller = await self._caller(request)
        state, code = request.query_params.get("state", ""), request.query_params.get("code", "")
        why = await self._unproved(caller, state)
        if why is not None or caller is None:
            self._hub.unproven(self._channel, "bad_state")
            return _said("Not installed", why or "Sign in, and begin again.", 400)
        if not code:
            return await self._refused(caller, "not_installed", "Slack was told not to install it.")
        try:
            made = await self._installations.exchange(code, self._redirect)
        except DeliveryFailed as failed:
            return await self._refused(caller, "not_installed", f"Slack did not give a token: {failed}")
        await self._installations.async_save(made, caller.principal)
        home = home_of(made.enterprise_id, made.team_id, made.is_enterprise_install)
        await self._installed(home)
        where = f"{made.team_name or home} ({home})"
        return _said("Installed", f"Interlock is in {where}. Its channels are written {home}/#name in hub.yaml.", 200)

    async def _sweep(self) -> None:
        """No state is kept whose ten minutes are over."""
        for name, (value, _) in (await self._hub.kept(self._channel)).items():
            if name.startswith(_STATE) and orjson.loads(value)["until"] < self._now():
                await self._hub.take(self._channel, name)

    async def _unproved(self, caller: Caller | None, state: str) -> str | None:
        """Why this does not come from an installation that this session began; the state is used up in any case."""
        kept = await self._hub.take(self._channel, _name(state)) if state else None
        if kept is None:
            return "This was used before, or never begun here. Begin again."
        value = orjson.loads(kept)
        if caller is None or not _same(value["nonce"], self._hub.nonce(caller, state)):
            return "Another browser session began this. Begin again in this one."
        return "This took more than ten minutes. Begin again." if value["until"] < self._now() else None

    async def _refused(self, caller: Caller, code: str, words: str) -> Response:
        inbound = Inbound(
            channel=self._channel, sender=Sender(principal=caller.principal), assurance=Assurance(caller.assurance)
        )
        await self._hub.refuse(inbound, code, words)
        return _said("Not installed", words, 400)

    async def _caller(self, request: Request) -> Caller | None:
        """Who is signed in in this browser and may install."""
        cookie = request.headers.get("cookie")
        caller = await self._hub.authenticate({"cookie": cookie}) if cookie else None
        return caller if caller is not None and self._hub.may(caller, RIGHT) else None

    def _now(self) -> int:
        return self._hub.clock.wall_us() // SECOND


def redirect_url(public_url: str, install_path: str) -> str:
    """Where Slack comes back to, as the app's manifest must have it."""
    return f"{public_url.rstrip('/')}{install_path}/done"


def authorize_url(api_url: str | None) -> str:
    """Slack's own page that asks."""
    if api_url is None:
        return AUTHORIZE_URL
    parts = urlsplit(api_url)
    return f"{parts.scheme}://{parts.netloc}/oauth/v2/authorize"


def _name(state: str) -> str:
    return f"{_STATE}{hashlib.sha256(state.encode()).hexdigest()}"


def _same(given: str, ours: str) -> bool:
    return hmac.compare_digest(given.encode(), ours.encode())


async def _form_of(request: Request) -> dict[str, str]:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MOST_FORM_BYTES:
            return {}
    fields = parse_qs(body.decode("ascii", "replace"), max_num_fields=4)
    return {name: values[0] for name, values in fields.items()}


_HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
}


def _said(title: str, words: str, status: int) -> Response:
    return _html(title, f"<p>{escape(words)}</p>", status)


def _html(title: str, body: str, status: int = 200) -> Response:
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="robots" content="noindex">'
        f"<title>{escape(title)}</title><main><h1>{escape(title)}</h1>{body}</main></html>"
    )
    return Response(page, status, _HEADERS, "text/html")
