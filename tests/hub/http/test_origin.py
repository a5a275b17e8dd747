"""Whose pages may use our cookies, and which names are ours."""

import pytest

from core.errors import Forbidden, Invalid
from hub.http.origin import demand_host, demand_same_site, reachable

PUBLIC = "https://hub.example"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "none"},
        {"origin": PUBLIC, "host": "hub.example"},
        {"origin": "HTTPS://HUB.example", "host": "hub.example"},
        {"sec-fetch-site": "cross-site", "origin": PUBLIC, "host": "hub.example"},
        {"origin": "http://localhost:8000", "host": "localhost:8000"},
    ],
)
def test_our_own_pages_and_programs_pass(headers: dict[str, str]) -> None:
    demand_same_site("POST", headers, PUBLIC)


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "null"},
        {"origin": "http://hub.example", "host": "hub.example"},
        {"origin": "https://hub.example:444", "host": "hub.example"},
        {"origin": "https://hub.example.evil", "host": "hub.example"},
        {"origin": "http://localhost:9000", "host": "localhost:8000"},
        {"sec-fetch-site": "odd"},
    ],
)
def test_other_sites_pages_do_not(headers: dict[str, str]) -> None:
    with pytest.raises(Forbidden):
        demand_same_site("POST", headers, PUBLIC)
    demand_same_site("GET", headers, PUBLIC)


@pytest.mark.parametrize("host", ["hub.example", "HUB.example:443", "localhost", "127.0.0.1:8000", "[::1]"])
def test_our_names_are_taken(host: str) -> None:
    demand_host(host, PUBLIC)


@pytest.mark.parametrize("host", [None, "", "evil.example", "hub.example.evil", "[::1", "10.0.0.1"])
def test_other_names_are_refused(host: str | None) -> None:
    with pytest.raises(Invalid):
        demand_host(host, PUBLIC)
    with pytest.raises(Invalid):
        demand_host(host, "")


@pytest.mark.parametrize(
    ("public", "served", "told"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:9000", "http://127.0.0.1:9000"),
        ("http://localhost:8000", "", "http://localhost:8000"),
        ("", "http://127.0.0.1:9000", "http://127.0.0.1:9000"),
        ("https://localhost", "http://127.0.0.1:9000", "https://localhost"),
        ("https://hub.example.com", "http://127.0.0.1:9000", "https://hub.example.com"),
    ],
)
def test_people_are_told_the_port_that_is_served(public: str, served: str, told: str) -> None:
    assert reachable(public, served) == told
