"""What people meet who sign in by a link: its button, what is said once one was asked for, and when it is none. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from starlette.responses import Response

from core.people.assurance import Assurance
from hub.http.screen import screen

_STRENGTH: Mapping[Assurance, str] = {
    Assurance.EMAIL: "The link came by mail, which proves little: you see everything and may reject; approving may "
    "ask for more.",
    Assurance.CHAT: "The link came by chat; some approvals may ask for more.",
}
_BACK = '<p><a class="button wide" href="/">Back</a></p>'


def button(action: str, name: str, assurance: Assurance) -> Response:
    """The one button of a link, which says as whom it signs in."""
    return screen(
        f"Sign in as {name}",
        f"""<p>This link signs you in on this browser. It is good once.</p>
<form method="post" action="{escape(action, quote=True)}"><button class="button primary wide">Sign in</button></form>
<p class="quiet">{_STRENGTH.get(assurance, "")}</p>""",
    )


def over(status: int) -> Response:
    """A link that is none, was used, or whose time is over."""
    return screen(
        "This link is over",
        """<p>It was used before, its quarter of an hour has passed, or it was never one of this hub.</p>
<p><a class="button primary wide" href="/">Get a new one</a></p>""",
        status,
    )


def sent() -> Response:
    """What is said to everybody who asked for a link, whoever they are."""
    return screen(
        "Look into your mail",
        f"""<p>If somebody here goes by that address, a sign-in link is on its way to it. It works once, for a quarter of
an hour.</p>
<p class="quiet">Nothing there after a minute? Look into the spam folder, and ask whoever administers this hub whether it
knows that address. An address gets three links, then one every ten minutes.</p>{_BACK}""",
    )


def too_fast(seconds: float) -> Response:
    """Too many asked from one place."""
    page = screen("Too fast", f"<p>Many links were asked for from where you are. Wait a minute.</p>{_BACK}", 429)
    page.headers["retry-after"] = str(max(1, round(seconds + 0.5)))
    return page


def no_mail() -> Response:
    """This hub has no channel that brings links to an address."""
    return screen("No links by mail here", f"<p>The sign-in page says which other ways there are.</p>{_BACK}", 404)
