"""What a command finds in its environment, and what it must not."""

from __future__ import annotations

import json
import os

import pytest

from core.apply.action import CommandSpec
from core.apply.environment import RunMarks, act, look
from core.apply.fingerprint import PATH
from core.errors import Invalid, Refusal

FIXED = {"PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ"}
MARKS = RunMarks(approval="A142", run="R9", fence=1_795_228_866_959_070)
SOURCES = {("env", "KUBECONFIG"): "/etc/kube-canary", ("file", "/run/token"): "file-canary"}


def resolve(kind: str, name: str) -> str:
    if (kind, name) not in SOURCES:
        raise Invalid("secret_missing", f"{kind}:{name} is not there")
    return SOURCES[kind, name]


def spec(**changes: object) -> CommandSpec:
    return CommandSpec(argv=("./x",), **changes)  # type: ignore[arg-type]


def test_nothing_of_the_hubs_own_environment_gets_in(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PATH", "LD_PRELOAD", "HUB_SECRET", "HOME", "LANG", "PYTHONPATH", "INTERLOCK_KEY"):
        monkeypatch.setenv(name, "canary")
    found = look(spec(), resolve)
    assert set(found.values) == FIXED
    assert "canary" not in found.values.values()
    assert (found.values["PATH"], found.values["TZ"], found.values["LC_ALL"]) == (PATH, "UTC", "C.UTF-8")


def test_what_the_action_names_is_resolved_at_the_start() -> None:
    found = look(
        spec(env={"KUBECONFIG": "${env:KUBECONFIG}", "AUTH": "Bearer ${file:/run/token}!", "TZ": "CET"}), resolve
    )
    assert found.values["KUBECONFIG"] == "/etc/kube-canary"
    assert found.values["AUTH"] == "Bearer file-canary!"
    assert found.values["TZ"] == "CET"
    assert found.secrets == ("/etc/kube-canary", "file-canary")


def test_what_a_reference_leads_to_is_not_read_again() -> None:
    found = look(spec(env={"A": "${env:A}"}), lambda kind, name: "${file:/etc/shadow}")
    assert found.values["A"] == "${file:/etc/shadow}"


def test_a_missing_value_refuses() -> None:
    with pytest.raises(Refusal) as refused:
        look(spec(env={"A": "${env:NOWHERE}"}), resolve)
    assert refused.value.code == "secret_missing"


def test_a_preview_knows_nothing_of_a_run() -> None:
    found = look(spec(env={"A": "b"}), resolve)
    assert not [name for name in found.values if name.startswith("INTERLOCK")]
    assert found.stdin is None


def test_a_run_knows_its_marks_and_its_secrets() -> None:
    found = act(spec(), resolve, marks=MARKS, secrets={"db-password": "hunter22", "pin": 1234567, "dry": True})
    assert (
        found.values.items()
        >= {
            "INTERLOCK_APPROVAL": "A142",
            "INTERLOCK_RUN": "R9",
            "INTERLOCK_FENCE": "1795228866959070",
            "INTERLOCK_SECRET_DB_PASSWORD": "hunter22",
            "INTERLOCK_SECRET_PIN": "1234567",
            "INTERLOCK_SECRET_DRY": "true",
        }.items()
    )
    assert found.stdin is None
    assert found.secrets == ("hunter22", "1234567", "true")


def test_secrets_on_stdin_are_not_in_the_environment() -> None:
    found = act(spec(secrets="stdin"), resolve, marks=MARKS, secrets={"db": 'hun"ter\nü', "pin": 7})
    assert not [name for name in found.values if name.startswith("INTERLOCK_SECRET")]
    assert found.stdin is not None
    assert json.loads(found.stdin) == {"db": 'hun"ter\nü', "pin": 7}


@pytest.mark.parametrize("name", ["INTERLOCK_FENCE", "INTERLOCK_RUN", "INTERLOCK_MARK", "A=B", "", "1A", "A B", "Ä"])
def test_names_that_would_deceive_are_refused(name: str) -> None:
    with pytest.raises(Invalid) as refused:
        look(spec(env={name: "x"}), resolve)
    assert refused.value.code == "bad_environment"


def test_a_value_that_no_environment_can_hold_is_refused_without_being_told() -> None:
    with pytest.raises(Invalid) as refused:
        act(spec(), resolve, marks=MARKS, secrets={"db": "can\0ary"})
    assert refused.value.code == "bad_environment"
    assert "ary" not in str(refused.value)


def test_no_value_is_in_the_repr() -> None:
    found = act(spec(env={"K": "${env:KUBECONFIG}"}), resolve, marks=MARKS, secrets={"db": "hunter22"})
    assert repr(found) == "Environment()"


def test_home_and_user_are_the_accounts_own() -> None:
    found = look(spec(run_as="nobody"), resolve)
    assert found.values["USER"] == found.values["LOGNAME"] == "nobody"
    assert look(spec(), resolve).values["HOME"] == os.path.expanduser(f"~{look(spec(), resolve).values['USER']}")
