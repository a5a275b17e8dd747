"""What runs with nobody asked, as the shell's tools see it: doctor, backtest, the configuration's check, the second verdict."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from house import CONFIG, House, housed
from sqlalchemy import literal_column, update

from config.backtest import backtest
from config.cli.policy import _lines
from config.doctor import examine
from config.loader import load
from config.problem import ConfigInvalid
from config.settings import read
from core.audit.state_match import match_state
from core.store import schema
from core.store.statement import Statement

pytestmark = pytest.mark.anyio

PLAIN = "  - name: default\n    require: [{group: sre, count: 2}]\n"
GLASS = f"{PLAIN}    break_glass: {{groups: [sre], review_within: 1h}}\n"
BREAKING = CONFIG.replace(PLAIN, GLASS)


async def broken(house: House) -> str:
    """The id of what Ana ran by break-glass."""
    body = {"action": "greet", "params": {"name": "bob"}, "reason": "it burns", "break_glass": True}
    made = (await house.ask("ana", "POST", "/v1/approvals", body)).json()
    path = f"/v1/approvals/{made['id']}/wait?until=final&timeout=20"
    assert (await house.ask("ana", "GET", path)).json()["state"] == "COMPLETED"
    return str(made["id"])


async def granted(house: House) -> None:
    """Cai's request ran, and once more by a grant."""
    seen = await house.review("cai")
    for who in ("ana", "bo"):
        body = {"approval": seen["id"], "digest": seen["digest"], "seconds": "30m", "times": 2}
        assert (await house.ask(who, "POST", "/v1/grants", body)).is_success
    again = {"action": "greet", "params": {"name": "bob"}, "reason": "again"}
    made = (await house.ask("cai", "POST", "/v1/approvals", again)).json()
    path = f"/v1/approvals/{made['id']}/wait?until=final&timeout=20"
    assert (await house.ask("cai", "GET", path)).json()["by_grant"]["id"] == "G1"


async def test_the_doctor_says_which_review_is_owed_and_who_may_break_the_glass(tmp_path: Path) -> None:
    async with housed(tmp_path, BREAKING) as house:
        name = await broken(house)
    said = [each.line for each in examine(read({}, config=tmp_path / "hub.yaml", data=tmp_path / "data"))]
    assert any(f"warn  {name} ran by break-glass: its review is owed until" in each for each in said)
    assert any("sre may run what the policy default covers by break-glass" in each for each in said)


async def test_a_backtest_counts_break_glass_and_grants_apart(tmp_path: Path) -> None:
    (tmp_path / "hub").mkdir()
    async with housed(tmp_path / "hub", BREAKING) as house:
        await broken(house)
        await granted(house)
        world = house.hub.world
        (tmp_path / "new.yaml").write_text(CONFIG)
        found = await house.hub.db.read(backtest, world, load(tmp_path / "new.yaml", {}).world)
    assert (found.replayed, found.changed, found.granted) == (3, 1, 1)
    assert [(each.before, each.after) for each in found.listed] == [("default: break-glass", "refused: no_break_glass")]
    assert (found.before.glass, found.after.glass, found.before.nobody) == (1, 0, 0)
    assert "  run by break-glass: 0, not 1" in _lines(found)


@pytest.mark.parametrize(
    ("policy", "problem"),
    [
        ("allow: true\n    break_glass: {groups: [sre]}", "there is no glass to break"),
        ("require: [{group: sre}]\n    break_glass: {groups: [nobody]}", "group nobody has no members"),
        ("require: [{group: sre}]\n    break_glass: {groups: []}", "break_glass.groups"),
        ("require: [{group: sre}]\n    break_glass: {groups: [sre], quietly: true}", "quietly"),
        ("require: [{group: sre}]\n    grants: {times: -1}", "grants.times"),
    ],
)
def test_what_nobody_could_mean_is_refused(tmp_path: Path, policy: str, problem: str) -> None:
    (tmp_path / "hub.yaml").write_text(CONFIG.replace("require: [{group: sre, count: 2}]", policy))
    with pytest.raises(ConfigInvalid) as refused:
        load(tmp_path / "hub.yaml", {})
    assert problem in "\n".join(str(each) for each in refused.value.problems) + "".join(
        each.remedy or "" for each in refused.value.problems
    )


def test_a_policy_that_says_nothing_of_it_is_the_policy_that_it_was(tmp_path: Path) -> None:
    (tmp_path / "hub.yaml").write_text(CONFIG)
    before = load(tmp_path / "hub.yaml", {}).world.policies[-1]
    assert before.canonical == '{"name":"default","require":[{"count":2,"group":"sre"}]}'


GRANT, USE, REVIEW, APPROVAL = schema.grant, schema.grant_use, schema.owed_review, schema.approval


@pytest.mark.parametrize(
    ("forged", "told"),
    [
        (update(GRANT).values(times=literal_column("99")), "grant G1"),
        (update(GRANT).values(until=literal_column("99")), "grant G1"),
        (update(GRANT).values(used=literal_column("0")), "grant G1"),
        (update(GRANT).values(terms=literal_column("'x'")), "grant G1"),
        (update(USE).values(approval=literal_column("1")), "grant G1, use 1"),
        (update(APPROVAL).values(by_grant=literal_column("NULL")), "approval by grant of"),
        (update(APPROVAL).values(glass=literal_column("1")), "break-glass of"),
        (update(REVIEW).values(verdict=literal_column("'ok'")), "review of A1"),
        (update(schema.decision).values(grant_times=literal_column("7")), "decision by ana"),
    ],
)
async def test_a_forged_row_disagrees_with_the_log(tmp_path: Path, forged: Any, told: str) -> None:
    async with housed(tmp_path, BREAKING) as house:
        await broken(house)
        await granted(house)
        assert await house.hub.db.read(match_state) == ()
        await house.hub.db.write(lambda tx: tx.run(Statement(forged)))
        found = await house.hub.db.read(match_state)
    assert any(told in each.message for each in found), found
