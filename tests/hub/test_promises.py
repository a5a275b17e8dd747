"""The promises P1 to P12 through a whole hub in this process: real SQLite, real commands (see docs/promises.md)."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from config.hub import build
from config.settings import read
from core.approvals.view import view
from core.audit.stored import verify_stored
from core.clock import SECOND
from core.leases.reading import live
from core.people import keys, links
from core.people.assurance import Assurance
from hub.contracts import Command, Inbound, Reply, Sender
from hub.http.app import build_app
from hub.hub import Hub

pytestmark = pytest.mark.anyio

CONFIG = """
version: 1
public_url: http://127.0.0.1:8000
people:
  ana: {name: Ana, groups: [team, admins]}
  bo: {name: Bo, groups: [team, security]}
  cai: {name: Cai, groups: [team]}
agents: {bot: {owner: ana}}
services: {ci: {owners: [ana]}}
actions:
  toil:
    title: "Work on {place}"
    params:
      place: {type: string, pattern: "[-a-z]+"}
    resources: ["env:{place}"]
    files: ["bound.txt"]
    preview: {command: ["./plan", "{place}"]}
    apply: {command: ["./work", "{place}"], timeout: TIMEOUT}
    EXTRA
  login:
    title: "Log in"
    params: {password: {type: string, secret: true}}
    apply: {command: ["./login"]}
policies:
  - name: pair
    when: 'action == "toil" && params.place == "pair"'
    require: [{group: team, count: 1}, {group: security, count: 1}]
  - name: default
    require: [{group: team, count: 1}]
"""
PLAN = "#!/bin/sh\necho would work on $1\n"
WORK = "#!/bin/sh\necho $1 $INTERLOCK_APPROVAL $INTERLOCK_FENCE >> done.log\nenv\n"
LOGIN = '#!/bin/sh\n[ "$INTERLOCK_SECRET_PASSWORD" = canary-3141592653 ] && echo in with $INTERLOCK_SECRET_PASSWORD\n'


class Bench:
    """A hub and the people who use it."""

    def __init__(self, hub: Hub, root: Path) -> None:
        self.hub = hub
        self.root = root

    async def say(self, who: str, text: str, **inbound: Any) -> Reply:
        inbound.setdefault("assurance", Assurance.CHAT)
        return await self.hub.handle(Inbound(channel="test", sender=Sender(principal=who), text=text, **inbound))

    async def send(self, who: str, verb: str, args: dict[str, Any], **inbound: Any) -> Reply:
        inbound.setdefault("assurance", Assurance.CHAT)
        command = Command(verb=verb, args=args)
        return await self.hub.handle(Inbound(channel="test", sender=Sender(principal=who), command=command, **inbound))

    async def look(self, approval: str) -> dict[str, Any]:
        return await self.hub.db.read(view, self.hub.world, int(approval[1:]))

    async def until(self, approval: str, *states: str) -> dict[str, Any]:
        return await self.until_true(approval, lambda seen: seen["state"] in states)

    async def until_true(self, approval: str, true: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        until = asyncio.get_running_loop().time() + 30
        with self.hub.feed.watch(approval) as news:
            while True:
                news.clear()
                if true(seen := await self.look(approval)):
                    return seen
                assert asyncio.get_running_loop().time() < until, f"this is where it stayed: {seen}"
                try:
                    async with asyncio.timeout(0.5):
                        await news.wait()
                except TimeoutError:
                    pass

    async def asked(self, place: str = "one", who: str = "ana") -> dict[str, Any]:
        reply = await self.say(who, f"toil {place} because it is time")
        assert reply.ok, reply.text
        assert reply.approval is not None
        return await self.until(reply.approval["id"], "REVIEWING", "DRAFT")

    async def approve(self, who: str, seen: dict[str, Any], **inbound: Any) -> Reply:
        return await self.send(who, "approve", {"ids": [seen["id"]], "digest": seen["digest"]}, **inbound)

    async def events(self, *names: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        async for entry in self.hub.feed.subscribe(0):
            if not names or entry.event in names:
                found.append({"event": entry.event, "actor": entry.actor, "subject": entry.subject, **entry.details})
            if entry.seq >= self.hub.db.log.size:
                return found
        raise AssertionError

    @property
    def done(self) -> list[str]:
        path = self.root / "done.log"
        return path.read_text().splitlines() if path.exists() else []


@asynccontextmanager
async def bench_in(root: Path, *, extra: str = "", work: str = WORK, timeout: str = "30s") -> AsyncIterator[Bench]:
    (root / "hub.yaml").write_text(CONFIG.replace("EXTRA", extra or "retry_safe: false").replace("TIMEOUT", timeout))
    for name, text in (("plan", PLAN), ("work", work), ("login", LOGIN), ("bound.txt", "as approved\n")):
        (root / name).write_text(text)
        (root / name).chmod(0o755)
    (root / "data").mkdir(mode=0o700, exist_ok=True)
    settings = read({"XDG_STATE_HOME": str(root / "state")}, config=root / "hub.yaml", data=root / "data")
    async with build(settings) as hub:
        yield Bench(hub, root)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench_in(tmp_path) as opened:
        yield opened


async def test_p1_nothing_runs_before_somebody_approved_and_the_preview_gets_no_token(bench: Bench) -> None:
    seen = await bench.asked()
    assert seen["preview"]["output"] == "would work on one\n"
    assert bench.done == []
    assert (await bench.approve("bo", seen)).ok
    ended = await bench.until(seen["id"], "COMPLETED")
    assert len(bench.done) == 1
    assert f"INTERLOCK_FENCE={ended['run']['token']}" in ended["run"]["output_tail"]


async def test_p2_a_decision_on_another_digest_is_refused(bench: Bench) -> None:
    seen = await bench.asked()
    reply = await bench.send("bo", "approve", {"ids": [seen["id"]], "digest": "0" * 64})
    assert reply.code == "digest_stale"
    assert (await bench.send("bo", "approve", {"ids": [seen["id"]]})).code == "digest_required"
    edited = await bench.send("ana", "edit", {"id": seen["id"], "params": {"place": "two"}})
    assert edited.ok
    again = await bench.until_true(seen["id"], lambda now: now["state"] == "REVIEWING" and now["revision"] == 2)
    assert (await bench.approve("bo", seen)).code == "digest_stale"
    assert again["digest"] != seen["digest"]


async def test_p2_a_world_that_moved_sends_the_request_back_with_what_changed(tmp_path: Path) -> None:
    async with bench_in(tmp_path, extra="start: manual") as bench:
        seen = await bench.asked()
        assert (await bench.approve("bo", seen)).ok
        (tmp_path / "bound.txt").write_text("something else\n")
        assert (await bench.send("ana", "apply", {"ids": [seen["id"]]})).ok
        back = await bench.until_true(seen["id"], lambda now: now["revision"] == 2)
        assert back["state"] == "REVIEWING"
        assert back["decisions"] == []
        assert bench.done == []
        assert (await bench.events("approval:reopened"))[0]["changed"] == ["files.bound.txt"]


async def test_p2_who_left_the_configuration_before_the_start_does_not_count(tmp_path: Path) -> None:
    async with bench_in(tmp_path, extra="start: manual") as bench:
        seen = await bench.asked()
        assert (await bench.approve("bo", seen)).ok
        config = tmp_path / "hub.yaml"
        config.write_text(
            config.read_text().replace(
                "bo: {name: Bo, groups: [team, security]}", "dee: {name: Dee, groups: [security]}"
            )
        )
        assert await bench.hub.reload() == []
        await bench.send("ana", "apply", {"ids": [seen["id"]]})
        await bench.until_true(seen["id"], lambda now: now["state"] in ("REVIEWING", "EXPIRED", "APPROVED"))
        await asyncio.sleep(1)
        assert bench.done == []


async def test_p3_an_approval_is_consumed_by_its_one_run(bench: Bench) -> None:
    seen = await bench.asked()
    await asyncio.gather(*(bench.approve(who, seen) for who in ("bo", "cai", "bo", "cai")))
    await bench.until(seen["id"], "COMPLETED")
    assert len(bench.done) == 1
    assert len(await bench.events("apply:started")) == 1
    assert (await bench.approve("cai", seen)).code == "wrong_state"


async def test_p3_a_run_that_timed_out_unreaped_or_not_is_unknown_until_a_person_resolves_it(tmp_path: Path) -> None:
    async with bench_in(tmp_path, work="#!/bin/sh\nexec sleep 30\n", timeout="1s") as bench:
        seen = await bench.asked()
        await bench.approve("bo", seen)
        ended = await bench.until(seen["id"], "UNKNOWN")
        assert "timed out" in ended["why"]
        held = await bench.hub.db.read(live)
        assert [lease.state for lease in held] == ["closed"]
        assert (await bench.say("bo", "lock env:one for 1m")).data["ticket"]["position"] == 1
        assert (await bench.say("bo", f"resolve {seen['id']} failed because I looked")).code == "not_allowed"
        assert (await bench.say("ana", f"resolve {seen['id']} failed because I looked")).ok
        assert [each.principal for each in await bench.hub.db.read(live)] == ["bo"]


async def test_p4_runs_on_one_resource_follow_each_other_and_tokens_grow(bench: Bench) -> None:
    requests = [await bench.asked() for _ in range(3)]
    await asyncio.gather(*(bench.approve("bo", seen) for seen in requests))
    for seen in requests:
        await bench.until(seen["id"], "COMPLETED")
    tokens = [int(line.split()[2]) for line in bench.done]
    assert len(tokens) == 3
    assert tokens == sorted(set(tokens))


async def test_p5_every_change_and_every_refusal_of_a_known_sender_is_in_the_log(bench: Bench) -> None:
    seen = await bench.asked()
    await bench.approve("ana", seen)
    await bench.approve("bo", seen)
    await bench.until(seen["id"], "COMPLETED")
    names = [each["event"] for each in await bench.events()]
    for event in (
        "hub:started",
        "config:changed",
        "approval:requested",
        "approval:submitted",
        "command:refused",
        "approval:decided",
        "approval:approved",
        "lease:acquired",
        "apply:started",
        "apply:finished",
        "lease:released",
    ):
        assert event in names, event
    refused = (await bench.events("command:refused"))[0]
    assert (refused["actor"], refused["code"]) == ("ana", "own_request")


async def test_p6_the_log_verifies_and_an_edit_of_one_byte_is_found(bench: Bench) -> None:
    seen = await bench.asked()
    await bench.approve("bo", seen)
    await bench.until(seen["id"], "COMPLETED")
    await bench.hub.checkpoint()
    key = bench.hub.signer.verifier
    verdict = await bench.hub.db.read(lambda reader: verify_stored(reader, keys=[key], held=[], outside=[]))
    assert verdict.intact, verdict.lines()
    with sqlite3.connect(bench.root / "data" / "hub.db") as db:
        db.execute("UPDATE log SET entry = replace(entry, '\"bo\"', '\"xx\"') WHERE event = 'approval:decided'")
    db.close()
    verdict = await bench.hub.db.read(lambda reader: verify_stored(reader, keys=[key], held=[], outside=[]))
    assert not verdict.intact


async def test_p7_a_message_delivered_again_gets_the_first_answer_and_changes_nothing(bench: Bench) -> None:
    first = await bench.say("ana", "toil one", message_id="m1", body_hash=b"1" * 32)
    again = await bench.say("ana", "toil one", message_id="m1", body_hash=b"1" * 32)
    assert first.approval is not None
    assert again.approval is not None
    assert again.repeated
    assert again.approval["id"] == first.approval["id"]
    other = await bench.say("ana", "toil two", message_id="m1", body_hash=b"2" * 32)
    assert other.code == "idempotency_mismatch"
    assert len(await bench.events("approval:requested")) == 1


async def test_p7_a_refusal_delivered_again_is_the_same_refusal(bench: Bench) -> None:
    first = await bench.say("ana", "toil 123", message_id="m2", body_hash=b"1" * 32)
    again = await bench.say("ana", "toil 123", message_id="m2", body_hash=b"1" * 32)
    assert first.code == again.code == "pattern_mismatch"
    assert len(await bench.events("command:refused")) == 1


async def test_p8_a_press_is_redeemed_once_a_person_and_the_card_loses_its_buttons(bench: Bench) -> None:
    seen = await bench.asked()
    card = (await bench.say("bo", f"show {seen['id']}")).card
    assert card is not None
    token = next(button.token for button in card.buttons if button.choice == "approve")
    press = Inbound(channel="test", sender=Sender(principal="bo"), assurance=Assurance.CHAT, press=token)
    first, second = await bench.hub.handle(press), await bench.hub.handle(press)
    assert first.ok
    assert second.repeated
    await bench.until(seen["id"], "COMPLETED")
    late = await bench.hub.handle(
        Inbound(channel="test", sender=Sender(principal="cai"), assurance=Assurance.CHAT, press=token)
    )
    assert late.code == "wrong_state"
    after = (await bench.say("bo", f"show {seen['id']}")).card
    assert after is not None
    assert after.buttons == ()


async def test_p9_nobody_decides_on_their_own_request_or_their_own_agents(bench: Bench) -> None:
    mine = await bench.asked(who="ana")
    assert (await bench.approve("ana", mine)).code == "own_request"
    of_the_bot = await bench.asked(who="bot")
    assert (await bench.approve("ana", of_the_bot)).code == "own_request"
    assert (await bench.approve("bo", of_the_bot)).ok


async def test_p9_an_unknown_sender_is_refused_and_only_counted(bench: Bench) -> None:
    before = bench.hub.db.log.size
    reply = await bench.hub.handle(
        Inbound(channel="test", sender=Sender(identity="T1/U9"), assurance=Assurance.CHAT, text="toil one")
    )
    assert reply.code == "unknown_sender"
    assert bench.hub.db.log.size == before


async def test_p10_a_get_of_every_address_decides_nothing(bench: Bench) -> None:
    seen = await bench.asked()
    bo = bench.hub.world.people.find("bo")
    assert bo is not None
    key = await bench.hub.db.write(lambda tx: keys.create(tx, by="operator", principal=bo))
    link = await bench.hub.db.write(
        lambda tx: links.create(tx, by="operator", principal=bo, assurance=Assurance.SIGNED_IN, began="cli")
    )
    card = (await bench.say("bo", f"show {seen['id']}")).card
    assert card is not None
    transport = httpx.ASGITransport(app=build_app(bench.hub))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        document = (await client.get("/openapi.json", headers={"Authorization": f"Bearer {key}"})).json()
        paths = [path for path, operations in document["paths"].items() if "get" in operations and "tail" not in path]
        assert len(paths) > 15, paths
        fill = {"approval": seen["id"], "id": seen["id"], "token": link, "seq": "1", "ticket": "T1", "name": "x"}
        urls = [re.sub(r"{(\w+)}", lambda found: fill.get(found[1], seen["id"]), path) for path in paths]
        urls = [url.replace("/wait", "/wait?timeout=0") for url in urls]
        urls += [f"/approvals/{seen['id']}?choice={each.choice}&token={each.token}" for each in card.buttons]
        urls += [f"/login/{link}", f"/a/{card.buttons[0].token}", f"/v1/approvals/{seen['id']}/approve"]
        before = await bench.look(seen["id"])
        for url in urls:
            for headers in ({}, {"Authorization": f"Bearer {key}"}):
                answer = await client.get(url, headers=headers)
                assert answer.status_code < 500 or url == "/readyz", (url, answer.text)
        assert await bench.look(seen["id"]) == before
        assert not await bench.events("approval:decided", "login:used", "approval:approved")
        signed_in = await client.post(f"/login/{link}", headers={"Origin": "http://127.0.0.1:8000"})
        assert signed_in.status_code < 400, signed_in.text


async def test_p11_a_deadline_that_passed_refuses_even_before_its_timer(tmp_path: Path) -> None:
    async with bench_in(tmp_path) as bench:
        config = tmp_path / "hub.yaml"
        config.write_text(
            config.read_text().replace("  - name: default\n", "  - name: default\n    review_expires: 1s\n")
        )
        assert await bench.hub.reload() == []
        seen = await bench.asked()
        ended = await bench.until(seen["id"], "EXPIRED")
        assert (await bench.approve("bo", ended)).code == "wrong_state"
        assert bench.done == []


async def test_p11_too_weak_a_proof_approves_nothing_and_may_still_reject(bench: Bench) -> None:
    seen = await bench.asked()
    assert (await bench.approve("bo", seen, assurance=Assurance.EMAIL)).code == "assurance_too_low"
    reject = {"ids": [seen["id"]], "digest": seen["digest"]}
    assert (await bench.send("bo", "reject", reject, assurance=Assurance.EMAIL)).ok
    assert (await bench.look(seen["id"]))["state"] == "REJECTED"


async def test_p12_agents_and_services_have_no_verb_that_decides(bench: Bench) -> None:
    seen = await bench.asked()
    for who in ("bot", "ci"):
        for verb in ("approve", "reject", "request-changes"):
            reply = await bench.send(who, verb, {"ids": [seen["id"]], "digest": seen["digest"]})
            assert reply.code == "not_a_person", (who, verb)
        shown = (await bench.say(who, "help")).text
        assert "approve <ids" not in shown


async def test_a_policy_with_two_groups_seats_each_person_once(bench: Bench) -> None:
    seen = await bench.asked("pair")
    assert (await bench.approve("bo", seen)).ok
    waiting = await bench.look(seen["id"])
    assert waiting["state"] == "REVIEWING"
    assert sum(each["have"] for each in waiting["requirements"]) == 1
    assert (await bench.approve("cai", seen)).ok
    await bench.until(seen["id"], "COMPLETED")


async def test_a_secret_reaches_the_command_and_nothing_else(bench: Bench) -> None:
    reply = await bench.send("ana", "request", {"action": "login", "params": {"password": "canary-3141592653"}})
    assert reply.approval is not None
    seen = await bench.until(reply.approval["id"], "REVIEWING")
    await bench.approve("bo", seen)
    ended = await bench.until(seen["id"], "COMPLETED")
    assert ended["run"]["output_tail"].startswith("in with ")
    assert "canary" not in str(ended)
    for path in (bench.root / "data").iterdir():
        if path.is_file():
            assert b"canary-3141592653" not in path.read_bytes(), path.name


async def test_stop_kills_a_run_within_five_seconds(tmp_path: Path) -> None:
    async with bench_in(tmp_path, work="#!/bin/sh\ntrap '' TERM\nsleep 60 & wait\nsleep 60\n") as bench:
        seen = await bench.asked()
        await bench.approve("bo", seen)
        await bench.until_true(seen["id"], lambda now: now["state"] == "APPLYING")
        loop = asyncio.get_running_loop()
        begun = loop.time()
        assert (await bench.say("ana", f"stop {seen['id']} because it is wrong")).ok
        ended = await bench.until(seen["id"], "FAILED", "UNKNOWN")
        assert loop.time() - begun < 5.5
        assert "stopped by ana" in ended["why"]


async def test_after_stop_all_nothing_starts_until_resume(bench: Bench) -> None:
    assert (await bench.say("bo", "stop all because of the outage")).code == "may_not_stop"
    assert (await bench.say("ana", "stop all because of the outage")).ok
    seen = await bench.asked()
    assert (await bench.approve("bo", seen)).ok
    await asyncio.sleep(0.5)
    assert (await bench.look(seen["id"]))["state"] == "APPROVED"
    assert (await bench.say("ana", "resume")).ok
    await bench.until(seen["id"], "COMPLETED")


async def test_what_is_held_can_be_stopped_before_it_starts(tmp_path: Path) -> None:
    async with bench_in(tmp_path, extra="hold: 20s") as bench:
        seen = await bench.asked()
        await bench.approve("bo", seen)
        assert (await bench.look(seen["id"]))["hold_until"] is not None
        assert (await bench.say("bo", f"stop {seen['id']} because I saw something")).ok
        assert (await bench.look(seen["id"]))["state"] == "REJECTED"
        assert bench.done == []


async def test_a_command_that_fails_is_failed_with_its_output(tmp_path: Path) -> None:
    async with bench_in(tmp_path, work="#!/bin/sh\necho it broke\nexit 7\n") as bench:
        seen = await bench.asked()
        await bench.approve("bo", seen)
        ended = await bench.until(seen["id"], "FAILED")
        assert (ended["run"]["exit"], ended["run"]["output_tail"]) == (7, "it broke\n")
        again = await bench.say("ana", f"retry {seen['id']}")
        assert again.approval is not None
        assert again.approval["attempt"] == 2


async def test_a_request_that_closes_a_cycle_is_refused_and_stays_in_the_log(bench: Bench) -> None:
    for holder, place in (("h1", "env:a"), ("h2", "env:b")):
        wanted = {"resources": [place], "holder": holder}
        assert (await bench.send("ana", "lease-acquire", wanted)).ok
    waiting = {"resources": ["env:b"], "holder": "h1", "wait_seconds": 60}
    assert (await bench.send("ana", "lease-acquire", waiting)).data["ticket"]["state"] == "waiting"
    closing = {"resources": ["env:a"], "holder": "h2", "wait_seconds": 60}
    refused = await bench.send("ana", "lease-acquire", closing)
    assert (refused.ok, refused.code) == (False, "deadlock")
    assert refused.data["cycle"]
    assert len(await bench.events("lease:deadlock")) == 1


async def test_bad_input_gets_a_stable_code_and_changes_nothing(bench: Bench) -> None:
    for text, code in (
        ("toil", "missing_parameter"),
        ("toil a b", "usage"),
        ("toil -rf", "leading_dash"),
        ("wrok one", "unknown_command"),
        ('toil "one', "unbalanced_quote"),
        ("toil o\u200bne", "invalid_characters"),
        ("toil o\x00ne", "invalid_characters"),
        ("x" * 9000, "command_too_long"),
        ("", "empty_command"),
        ("approve A9", "not_found"),
        ("approve 9", "bad_id"),
    ):
        reply = await bench.say("bo", text)
        assert (reply.ok, reply.code) == (False, code), text
    assert await bench.events("approval:requested") == []


async def test_several_are_decided_one_by_one_and_a_refused_one_stops_no_other(bench: Bench) -> None:
    seen = [await bench.asked(place) for place in ("one", "two", "three")]
    names = [each["id"] for each in seen]
    first = await bench.say("bo", f"reject {' '.join(names)} A99 because not today", message_id="m1", body_hash=b"m1")
    assert (first.ok, first.code) == (False, "digest_required")  # nothing was shown to Bo yet
    assert [item["code"] for item in first.data["items"]] == ["digest_required"] * 3 + ["not_found"]
    assert (await bench.send("bo", "withdraw", {"ids": [names[1]]})).code == "not_yours"
    assert (await bench.send("ana", "withdraw", {"ids": [names[1]]})).ok

    said = {"message_id": "m2", "body_hash": b"m2", "said_at_us": bench.hub.db.now_us() + 6 * SECOND}
    second = await bench.say("bo", f"reject {' '.join(names)} because not today", **said)
    assert [(item["id"], item["ok"]) for item in second.data["items"]] == list(
        zip(names, (True, False, True), strict=True)
    )
    assert [(await bench.look(name))["state"] for name in names] == ["REJECTED", "WITHDRAWN", "REJECTED"]
    again = await bench.say("bo", f"reject {' '.join(names)} because not today", **said)
    assert again.text == second.text
    assert len([each for each in await bench.events("approval:decided") if each["verdict"] == "reject"]) == 2
