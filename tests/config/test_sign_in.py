"""What hub.yaml says of the OpenID provider is checked before it is in force, and by the doctor against the provider."""

from __future__ import annotations

from pathlib import Path

import pytest
from provider import CLIENT_SECRET, provided_aside

from config.doctor import Examined, examine
from config.loader import Loaded, load
from config.problem import ConfigInvalid
from config.settings import read

BASE = """\
version: 1
public_url: https://hub.example.com
people:
  ana: {name: Ana Ruiz, oidc: "2482", groups: [sre, admins]}
  bo: {name: Bo Lind, groups: [sre]}
sign_in:
  oidc: {name: Acme, issuer: https://id.example.com, client_id: interlock, client_secret: "${env:OIDC_SECRET}"}
"""
ENVIRON = {"OIDC_SECRET": CLIENT_SECRET}


def loaded(folder: Path, old: str = "", new: str = "", environ: dict[str, str] = ENVIRON) -> Loaded:
    assert old in BASE
    (folder / "hub.yaml").write_text(BASE.replace(old, new) if old else BASE)
    return load(folder / "hub.yaml", environ)


def test_a_provider_becomes_part_of_the_world_and_its_secret_is_never_shown(tmp_path: Path) -> None:
    world = loaded(tmp_path).world
    assert world.provider is not None
    assert (world.provider.client_secret, world.provider.match_email) == (CLIENT_SECRET, False)
    assert CLIENT_SECRET not in repr(world)
    ana = world.people.by_identity("oidc", "https://id.example.com#2482")
    assert ana is not None and ana.id == "ana"
    assert world.people.by_identity("oidc", "https://other.example.com#2482") is None


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"${env:OIDC_SECRET}"', "s3cret", "hub.yaml:7: sign_in.oidc.client_secret: is a secret written out"),
        ("interlock", '"${env:OIDC_SECRET}"', "hub.yaml:7: sign_in.oidc.client_id: a secret cannot be used here"),
        ("https://id.example.com", "http://id.example.com", "hub.yaml:7: sign_in.oidc.issuer: 'http://id"),
        ("https://id.example.com", "http://127.0.0.1@id.example.com", "neither a password nor"),
        ("https://id.example.com", "'https://id.example.com/?a=b'", "an issuer has no ?query"),
        ("https://id.example.com", "'https://id.example.com/#a'", "neither a password nor a #fragment"),
        (", client_id: interlock", "", "hub.yaml:7: sign_in.oidc.client_id: is missing"),
        ("client_id:", "clientid:", "did you mean client_id?"),
        ("public_url: https://hub.example.com\n", "", "public_url is missing"),
        ("bo: {name: Bo Lind", 'bo: {name: Bo Lind, oidc: "2482"', "2482 is given twice"),
        ("bo: {name: Bo Lind", "bo: {name: Bo Lind, oidc: a b", "is no subject"),
        ("bo: {name: Bo Lind", "bo: {name: Bo Lind, identities: {oidc: x}", "people.bo.identities.oidc"),
        ("sign_in:", "channels: {oidc: {adapter: webhook}}\nsign_in:", "oidc is how people sign in"),
        (BASE[BASE.index("sign_in") :], "", "there is no provider to know it"),
    ],
)
def test_what_is_wrong_is_said_where_it_stands(tmp_path: Path, old: str, new: str, problem: str) -> None:
    with pytest.raises(ConfigInvalid) as refused:
        loaded(tmp_path, old, new)
    assert problem in refused.value.message
    assert CLIENT_SECRET not in refused.value.message


def test_a_missing_secret_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="environment variable OIDC_SECRET is not set"):
        loaded(tmp_path, environ={})


@pytest.mark.parametrize("issuer", ["http://127.0.0.1:9", "http://localhost:9", "http://[::1]:9", "https://10.0.0.7"])
def test_a_provider_on_this_machine_needs_no_https_and_one_inside_is_fine(tmp_path: Path, issuer: str) -> None:
    world = loaded(tmp_path, "https://id.example.com", f"'{issuer}'").world
    assert world.provider is not None and world.provider.issuer == issuer


def examined(folder: Path, issuer: str) -> list[Examined]:
    (folder / "hub.yaml").write_text(BASE.replace("https://id.example.com", issuer))
    found = examine(read(ENVIRON, config=folder / "hub.yaml", data=folder / "data"))
    assert CLIENT_SECRET not in str(found)
    return [each for each in found if "Acme" in each.what]


def test_the_doctor_asks_the_provider_and_says_what_it_has_to_know(tmp_path: Path) -> None:
    with provided_aside() as provider:
        (found,) = examined(tmp_path, provider.url)
        assert found.level == "ok" and "https://hub.example.com/login/oidc/callback" in found.what
        provider.metadata = {"issuer": "https://id.example.com"}
        (found,) = examined(tmp_path, provider.url)
        assert found.level == "warn" and "its issuer is 'https://id.example.com'" in found.what
    (found,) = examined(tmp_path, provider.url)
    assert found.level == "warn" and "no answer from 127.0.0.1" in found.what and found.remedy
