from __future__ import annotations

from pathlib import Path

import pytest

from config import offline
from config.doctor import Examined, examine
from config.hub import open_database
from config.settings import Settings, read
from core.clock import SystemClock
from core.people.told import tell_group
from hub.receiving import suppress

CONFIG = """\
version: 1
people: {ana: {name: Ana, groups: [admins, team]}, bo: {name: Bo, groups: [team]}}
actions: {go: {title: Go, apply: {command: ["/bin/true"]}}}
policies:
  - {name: free, when: 'requester.kind == "person"', allow: true}
  - {name: default, require: [{group: team, count: 1}]}
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A data directory as a first, stopped hub leaves it."""
    (tmp_path / "hub.yaml").write_text(CONFIG)
    (tmp_path / "hub.yaml").chmod(0o644)
    environ = {"XDG_STATE_HOME": str(tmp_path / "state")}
    settings = read(environ, config=tmp_path / "hub.yaml", data=tmp_path / "data")
    offline.create_key(settings, "ana", decide=True)
    offline.sign_offline(settings)
    return settings


def levels(found: list[Examined], part: str) -> set[str]:
    return {each.level for each in found if part in each.what}


def test_a_sound_hub_has_nothing_that_fails(settings: Settings) -> None:
    found = examine(settings)
    assert [each for each in found if each.level == "fail"] == []
    assert levels(found, "quick_check") == {"ok"}
    assert levels(found, "newest checkpoint") == {"ok"}


def test_what_the_configuration_trusts_is_said_aloud(settings: Settings) -> None:
    found = examine(settings)
    assert levels(found, "commands of go") == {"warn"}
    assert levels(found, "the policy free allows") == {"warn"}


def test_every_warning_and_failure_has_a_remedy(settings: Settings) -> None:
    settings.data.chmod(0o755)
    found = examine(settings)
    assert levels(found, "others can look into") == {"fail"}
    assert all(each.remedy for each in found if each.level != "ok")


def test_an_invalid_configuration_fails_and_the_rest_is_still_looked_at(settings: Settings) -> None:
    settings.config.write_text("version: 1\nnonsense: 1\n")
    found = examine(settings)
    assert levels(found, "nonsense") == {"fail"}
    assert levels(found, "quick_check") == {"ok"}


def test_a_configuration_that_others_can_change_fails(settings: Settings) -> None:
    settings.config.chmod(0o666)
    assert levels(examine(settings), "others can change") == {"fail"}


def test_a_damaged_database_fails(settings: Settings) -> None:
    path = settings.data / "hub.db"
    data = bytearray(path.read_bytes())
    data[4096 * 3 : 4096 * 12] = b"\xff" * (4096 * 9)
    path.write_bytes(data)
    assert "fail" in {each.level for each in examine(settings)}


def test_an_anchor_inside_the_data_directory_proves_nothing(settings: Settings) -> None:
    settings.config.write_text(CONFIG + f"audit: {{anchors: ['{settings.data}/inside.log']}}\n")
    found = examine(settings)
    assert levels(found, "proves nothing") == {"fail"}
    assert levels(found, "no checkpoint is kept outside") == {"warn"}


def test_what_is_frozen_now_is_said(settings: Settings) -> None:
    text = settings.config.read_text()
    window = '{name: quiet, resources: ["env:*"], reason: Nobody is here, from: "2020-01-01T00:00", until: "2099-01-01T00:00"}'
    settings.config.write_text(f"{text}freezes: [{window}]\n")
    (found,) = [each for each in examine(settings) if "is frozen by" in each.what]
    assert found.level == "warn"
    assert found.what == "env:* is frozen by quiet until 2099-01-01 00:00 UTC (Nobody is here)"


def test_an_address_that_takes_nothing_and_a_group_that_cannot_be_read_are_named(settings: Settings) -> None:
    database = open_database(settings, SystemClock())
    database.open()
    database.write_now(suppress, "slack", "#prod", "the channel is archived (is_archived)")
    database.write_now(tell_group, "slack:S1", None, "missing_scope")
    database.close()
    found = examine(settings)
    assert levels(found, "nothing reaches #prod on slack: the channel is archived") == {"warn"}
    assert levels(found, "slack:S1 was read last never UTC: missing_scope") == {"warn"}
