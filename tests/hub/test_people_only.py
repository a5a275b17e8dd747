"""What lets something go on that was held back takes a person, whatever rights an agent or a service was given (P12)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hubs import Bench, make_hub, running

from commands.registry import Registry
from commands.verb import Permission
from core.people.assurance import Assurance
from hub.contracts import Command, Inbound, Sender

pytestmark = pytest.mark.anyio

PEOPLE = """
people:
  ana: {name: Ana Ruiz, groups: [sre, admins]}
  bo:  {name: Bo Lind, groups: [sre]}
  cai: {name: Cai Wu, groups: [sre, admins]}
agents: {helper: {owner: ana, groups: [admins]}}
services: {ci: {owners: [ana], groups: [admins]}}
"""
ACTIONS = """
actions:
  deploy: {title: Deploy, resources: ["env:prod"], apply: {command: ["true"]}}
"""
POLICIES = """
policies:
  - {name: default, require: [{group: sre, count: 1}], min_assurance: signed_in}
"""
LETTING_GO_ON: dict[str, dict[str, Any]] = {
    "override": {"id": "A1", "reason": "it burns"},
    "unfreeze": {"id": "F1"},
    "resolve": {"id": "A1", "outcome": "completed", "reason": "I looked"},
    "resume": {},
    "lease-break": {"lock_id": "L1", "reason": "it hangs"},
}


@asynccontextmanager
async def frozen_bench(folder: Path) -> AsyncIterator[Bench]:
    """A hub with freeze F1 over the request A1 of Ana."""
    hub = make_hub(folder, people=PEOPLE, actions=ACTIONS, policies=POLICIES)
    async with running(hub) as bench:
        assert (await bench.say("cai", "freeze env:prod for 2h because of the audit")).ok
        assert (await bench.say("ana", "deploy because now")).code == "frozen"
        yield bench


@pytest.mark.parametrize("who", ["helper", "ci"])
@pytest.mark.parametrize("verb", LETTING_GO_ON)
async def test_neither_an_agent_nor_a_service_lets_anything_go_on(tmp_path: Path, who: str, verb: str) -> None:
    async with frozen_bench(tmp_path) as bench:
        assert (await bench.ask(who, verb, **LETTING_GO_ON[verb])).code == "not_a_person"
        offered = {usage.split()[0] for usage, _ in (await bench.say(who, "help")).data["items"]}
        assert verb not in offered
        assert (await bench.state("A1"))["state"] == "DRAFT"


@pytest.mark.parametrize("verb", LETTING_GO_ON)
async def test_a_key_that_may_not_decide_lets_nothing_go_on(tmp_path: Path, verb: str) -> None:
    async with frozen_bench(tmp_path) as bench:
        said = await bench.hub.handle(_from("cai", verb, may_decide=False))
        assert said.code == "key_may_not_decide"


@pytest.mark.parametrize("verb", LETTING_GO_ON)
async def test_mail_is_too_weak_to_let_anything_go_on(tmp_path: Path, verb: str) -> None:
    async with frozen_bench(tmp_path) as bench:
        assert (await bench.hub.handle(_from("cai", verb, assurance=Assurance.EMAIL))).code == "assurance_too_low"


async def test_an_override_is_proved_as_strongly_as_an_approval(tmp_path: Path) -> None:
    async with frozen_bench(tmp_path) as bench:
        assert (await bench.hub.handle(_from("cai", "override", assurance=Assurance.CHAT))).code == "assurance_too_low"
        assert (await bench.hub.handle(_from("cai", "override"))).ok


@pytest.mark.parametrize("requester", ["ana", "helper", "ci"])
async def test_nobody_overrides_for_themselves_or_for_whom_they_own(tmp_path: Path, requester: str) -> None:
    async with frozen_bench(tmp_path) as bench:
        reply = await bench.ask(requester, "request", action="deploy")
        assert reply.approval is not None
        name = reply.approval["id"]
        assert (await bench.say("ana", f"override {name} because mine")).code == "own_request"
        assert (await bench.state(name))["override"] is None
        assert (await bench.say("cai", f"override {name} because it burns")).ok


async def test_who_owned_the_agent_when_it_asked_cannot_override_after_handing_it_on(tmp_path: Path) -> None:
    async with frozen_bench(tmp_path) as bench:
        reply = await bench.ask("helper", "request", action="deploy")
        assert reply.approval is not None
        text = (tmp_path / "hub.yaml").read_text()
        (tmp_path / "hub.yaml").write_text(text.replace("helper: {owner: ana", "helper: {owner: cai"))
        assert await bench.hub.reload() == []
        for person in ("ana", "cai"):
            said = await bench.say(person, f"override {reply.approval['id']} because mine")
            assert said.code == "own_request", person


async def test_holding_back_is_open_to_whoever_has_the_right(tmp_path: Path) -> None:
    async with frozen_bench(tmp_path) as bench:
        assert (await bench.say("ci", "freeze env:staging for 1h because the monitor fired")).ok
        assert (await bench.say("ci", "stop all because the monitor fired")).ok
        assert (await bench.say("ci", "resume")).code == "not_a_person"
        assert (await bench.say("cai", "resume")).ok


def test_every_verb_of_a_right_that_only_lets_go_on_is_for_people() -> None:
    rights = (Permission.RESOLVE, Permission.BREAK, Permission.OVERRIDE)
    open_to_all = [verb.name for verb in Registry.installed() if verb.permission in rights and not verb.people_only]
    assert open_to_all == []


def _from(who: str, verb: str, **given: Any) -> Inbound:
    proved = {"assurance": Assurance.SIGNED_IN, **given}
    command = Command(verb=verb, args=LETTING_GO_ON[verb])
    return Inbound(channel="page", sender=Sender(principal=who), command=command, **proved)
