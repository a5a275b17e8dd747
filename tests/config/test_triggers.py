"""What triggers of hub.yaml say is checked before it is in force."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.loader import Loaded, load
from config.problem import ConfigInvalid

BASE = """\
version: 1
people:
  ana: {name: Ana Ruiz, groups: [sre, admins]}
  bo: {name: Bo Lind, groups: [sre]}
services: {ci: {owners: [ana]}}
actions:
  deploy:
    title: "Deploy {service} to {env}"
    params:
      service: {type: string}
      env: {type: string, enum: [staging, prod]}
      token: {type: string, secret: true, required: false}
    apply: {command: ["true"]}
policies:
  - {name: default, require: [{group: sre, count: 1}]}
hooks:
  alerts: {verify: bearer, as: ci}
  mapped: {verify: bearer, as: ci, action: deploy, params: {service: body.s, env: '"prod"'}}
triggers:
  one:
    on: apply:failed
    when: 'approval.params.env == "prod"'
    as: ci  # it
    action: deploy  # it
    params: {service: approval.params.service, env: '"staging"'}
"""


def loaded(folder: Path, old: str = "", new: str = "") -> Loaded:
    assert old in BASE
    (folder / "hub.yaml").write_text(BASE.replace(old, new) if old else BASE)
    return load(folder / "hub.yaml", {})


def test_a_trigger_becomes_part_of_the_world(tmp_path: Path) -> None:
    trigger = loaded(tmp_path).world.triggers["one"]
    assert (trigger.on, trigger.principal, trigger.most) == (frozenset({"apply:failed"}), "ci", 60)
    changed = loaded(tmp_path, "action: deploy  # it", "action: deploy\n    limit: 600/m")
    assert (changed.world.triggers["one"].most, changed.world.triggers["one"].window_seconds) == (600, 60.0)


def test_a_configuration_without_triggers_is_bound_as_it_was(tmp_path: Path) -> None:
    without = BASE.partition("triggers:")[0]
    (tmp_path / "hub.yaml").write_text(without)
    plain = load(tmp_path / "hub.yaml", {}).world
    (tmp_path / "hub.yaml").write_text(without + "triggers: {}\n")
    assert load(tmp_path / "hub.yaml", {}).world.digest == plain.digest


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("on: apply:failed", "on: apply:fialed", "did you mean apply:failed"),
        ("on: apply:failed", "on: trigger:fired", "what triggers do"),
        ("on: apply:failed", "on: hook:nothing", "there is no hook nothing"),
        ("on: apply:failed", "on: hook:mapped", "asks for an action itself"),
        ("on: apply:failed", "on: [apply:failed, hook:alerts]", "a hook stands alone"),
        ("on: apply:failed", "on: []", "on"),
        (
            "as: ci  # it",
            "as: ana",
            "never acts as one",
        ),
        (
            "as: ci  # it",
            "as: zoe",
            "is nobody here",
        ),
        (
            "action: deploy  # it",
            "action: destroy",
            "there is no action destroy",
        ),
        (", env: '\"staging\"'}", "}", "needs env"),
        ("env: '\"staging\"'", "env: '\"moon\"'", "triggers.one.params.env"),
        ("env: '\"staging\"'", "env: staging", "unknown name staging"),
        ("env: '\"staging\"'", "env: '\"staging\"', nothing: '1'", "has no parameter nothing"),
        ("env: '\"staging\"'", "env: '\"staging\"', token: details.x", "keeps no secrets"),
        ("when: 'approval.params.env == \"prod\"'", "when: 'body.x'", "unknown name body"),
        ("when: 'approval.params.env == \"prod\"'", "when: '1 + 1'", "not true or false"),
        ("when: 'approval.params.env == \"prod\"'", "when: 'approval.'", "cannot be read"),
        ("when: 'approval.params.env == \"prod\"'", "limit: often", "is no rate"),
    ],
)
def test_what_could_not_work_is_refused_with_its_place(tmp_path: Path, old: str, new: str, says: str) -> None:
    with pytest.raises(ConfigInvalid) as refused:
        loaded(tmp_path, old, new)
    assert says in str(refused.value)


def test_a_condition_that_fails_for_some_action_is_a_warning(tmp_path: Path) -> None:
    found = loaded(tmp_path, "approval.params.env ==", "approval.params.place ==")
    assert any("triggers.one.when" in str(each) for each in found.warnings)
