"""What hub.yaml says of freezes, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.loader import load
from config.problem import ConfigInvalid

BASE = """version: 1
people:
  ana: {name: Ana Ruiz, groups: [sre, admins]}
  bo: {name: Bo Lind, groups: [sre, admins]}
actions:
  note: {title: Note, apply: {command: ["true"]}}
policies:
  - {name: default, require: [{group: sre, count: 1}]}
freezes:
"""
GOOD = '{name: weekend, resources: ["env:*"], reason: Quiet, '


def problems(folder: Path, *freezes: str) -> list[str]:
    path = folder / "hub.yaml"
    path.write_text(BASE + "".join(f"  - {each}\n" for each in freezes))
    try:
        load(path, {})
    except ConfigInvalid as invalid:
        return [str(each) for each in invalid.data["problems"]]
    return []


@pytest.mark.parametrize(
    "freeze",
    [
        GOOD + 'cron: "0 18 * * 5", for: 62h}',
        GOOD + 'from: "2030-12-24T00:00", until: "2031-01-02T00:00"}',
        GOOD + 'from: "2030-12-24T00:00Z", until: "2031-01-02T00:00+01:00", timezone: Europe/Madrid}',
        GOOD + 'cron: "0 9 * * 1-5", for: 25h}',
        '{name: all, resources: ["*:*", "repo:web/*"], reason: Quiet, cron: "0 0 29 2 *", for: 24h}',
    ],
)
def test_a_freeze_that_comes_and_ends_is_taken(tmp_path: Path, freeze: str) -> None:
    assert problems(tmp_path, freeze) == []


@pytest.mark.parametrize(
    ("freeze", "wrong"),
    [
        (GOOD + 'cron: "0 0 30 2 *", for: 1h}', "hub.yaml:10: freezes[0].cron"),
        (GOOD + 'cron: "61 0 * * *", for: 1h}', "freezes[0].cron"),
        (GOOD + 'cron: "0 9 * * *", for: 24h}', "hub.yaml:10: freezes[0].for: it never ends"),
        (GOOD + 'from: "2031-01-02T00:00", until: "2030-12-24T00:00"}', "freezes[0].until: it ends before it begins"),
        (GOOD + 'cron: "0 9 * * *", until: "2030-12-24T00:00"}', "freezes[0]"),
        (GOOD + 'cron: "0 9 * * *"}', "freezes[0]"),
        (GOOD + 'cron: "0 9 * * *", for: 1h, timezone: Mars/Olympus}', "freezes[0].timezone"),
        ('{name: x, resources: ["prod"], reason: Quiet, cron: "0 9 * * *", for: 1h}', "freezes[0].resources[0]"),
        ('{name: x, resources: ["env:a?b"], reason: Quiet, cron: "0 9 * * *", for: 1h}', "freezes[0].resources[0]"),
        ('{name: x, resources: [], reason: Quiet, cron: "0 9 * * *", for: 1h}', "freezes[0].resources"),
        ('{name: F12, resources: ["env:a"], reason: Quiet, cron: "0 9 * * *", for: 1h}', "freezes[0].name"),
    ],
)
def test_a_freeze_that_cannot_work_is_refused_by_line(tmp_path: Path, freeze: str, wrong: str) -> None:
    assert wrong in problems(tmp_path, freeze)[0]


def test_two_freezes_of_one_name_are_refused(tmp_path: Path) -> None:
    window = GOOD + 'cron: "0 18 * * 5", for: 62h}'
    assert "hub.yaml:11: freezes[1].name: two freezes are called weekend" in problems(tmp_path, window, window)[0]
