"""Which hosts this hub answers to, and which pages may use its cookies.

The rule against cross-site requests is that of Go's `net/http.CrossOriginProtection`: a safe method passes; else
Sec-Fetch-Site says whether the page is ours, and where a browser does not send it, Origin does. A request with
neither does not come from a browser that could be led astray.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from core.errors import Forbidden, Invalid

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


def hostname(host: str) -> str | None:
    """The host of a Host header without its port, lower-case; None for what is no host."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def reachable(public_url: str, served_at: str) -> str:
    """`public_url`, or `served_at` where the first is empty or another port of this very machine."""
    if not served_at:
        return public_url
    public, served = urlsplit(public_url), urlsplit(served_at)
    same = public.scheme == served.scheme and public.hostname in _LOCAL and served.hostname in _LOCAL
    return served_at if same or not public_url else public_url


def demand_host(host: str | None, public_url: str) -> None:
    """Nothing, when the Host header names this hub. Raises Invalid (`unknown_host`)."""
    name = hostname(host or "")
    if name is None or (name not in _LOCAL and name != urlsplit(public_url).hostname):
        raise Invalid("unknown_host", "this hub does not go by that name; hub.yaml says which as public_url")


def origins(host: str | None, public_url: str) -> frozenset[str]:
    """The origins whose pages are ours: the public one, and the one asked under."""
    public = urlsplit(public_url)
    ours = {f"{public.scheme}://{public.netloc}".lower()}
    if host:
        ours.add(f"{public.scheme if hostname(host) == public.hostname else 'http'}://{host}".lower())
    return frozenset(ours)


def demand_same_site(method: str, headers: Mapping[str, str], public_url: str) -> None:
    """Nothing, when no other site's page can have made this request. Raises Forbidden (`cross_site`)."""
    if method in SAFE:
        return
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site in ("same-origin", "none") or (site is None and origin is None):
        return
    if origin is not None and origin.lower() in origins(headers.get("host"), public_url):
        return
    raise Forbidden("cross_site", "this request comes from another site's page")
