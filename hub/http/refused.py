"""What somebody reads whom the OpenID provider could not sign in: what happened, and what to do now."""

from __future__ import annotations

from html import escape

from starlette.responses import Response

from core.errors import Refusal
from core.world import Provider
from hub.http.problems import of_refusal, status_of
from hub.http.screen import screen

_AGAIN = "Begin again, in this browser."
_TELL = "Show this to whoever administers the hub: <code>interlock doctor</code> says what is wrong."
_LATER = "Try again in a minute, or sign in with a link: <code>interlock login-link</code>."
_WORDS = {
    "no_provider": ("Not set up here", "This hub signs people in by links alone.", "Ask for one."),
    "too_fast": ("Too many tries", "Too many sign-ins came from your address.", "Wait a minute, and try again."),
    "bad_state": (
        "Not begun here",
        "This browser did not begin that sign-in, or more than ten minutes ago, or under another address of the hub.",
        _AGAIN,
    ),
    "state_used": ("Used before", "That answer of {name} was used before, and is good once.", _AGAIN),
    "bad_issuer": ("Not from {name}", "The answer says that it comes from another provider.", _AGAIN),
    "denied": ("Not signed in", "{name} did not sign you in: <code>{error}</code>.", _AGAIN),
    "code_refused": ("Not signed in", "{name} does not take back the code that it gave.", _AGAIN),
    "bad_token": ("Not signed in", "What {name} said about you could not be verified.", _TELL),
    "provider_down": ("{name} does not answer", "It could not be reached in time, or it failed.", _LATER),
    "provider_wrong": ("{name} cannot be used", "What it answers does not fit what this hub was told of it.", _TELL),
    "assurance_too_low": (
        "Sign in more strongly first",
        "The link that signed you in came by chat or mail, which is weaker than {name}.",
        "Use one that the shell printed, then link the account.",
    ),
    "already_linked": ("Not linked", "You or that account are linked already.", "<code>links</code> says to what."),
    "bound_in_config": ("Not linked", "hub.yaml says already who is who.", "Ask whoever administers the hub."),
}
_OTHER = ("Not signed in", "The hub refused that.", _AGAIN)


def refused(refusal: Refusal, provider: Provider | None, *, again: str) -> Response:
    """The page of a refusal, with its status."""
    title, words, remedy = _WORDS.get(refusal.code, _OTHER)
    name = provider.name if provider is not None else ""
    values = {"name": escape(name), "error": escape(str(refusal.data.get("error", "")))}
    body = f"<p>{words.format(**values)} {remedy}</p><p>"
    if provider is not None:
        body += f'<a class="button primary" href="{again}">Sign in with {escape(name)}</a> '
    body += '<a class="button" href="/">Other ways in</a></p>'
    response = screen(title.format(name=name), body, status_of(refusal))
    if retry := of_refusal(refusal).headers.get("retry-after"):
        response.headers["retry-after"] = retry
    return response
