"""The mail channel against a real Dovecot and a real Exim: asked, answered, decided, told."""

from __future__ import annotations

import asyncio
import time
from email.message import EmailMessage
from pathlib import Path

import pytest
from hubs import until
from mail import Lab, asks, bearer, bench_on, empty, reply_to, written

from adapters.email.mailbox import MailboxLost, open_mailbox
from adapters.email.settings import Imap

pytestmark = pytest.mark.anyio


async def test_a_request_is_decided_by_a_reply_and_the_result_follows_in_the_thread(lab: Lab, tmp_path: Path) -> None:
    async with bench_on(lab, tmp_path) as bench:
        name = await bench.request("hello")
        asked = await lab.wait_for("bob", asks(name))
        assert asked["Auto-Submitted"] == "auto-generated"
        plain = asked.get_body(("plain",)).get_content().replace("\r\n", "\n")
        assert "    approve\n" in plain
        assert "/a/" in plain

        answer = written(
            "Bo Lind <bob@lab.test>",
            reply_to(asked),
            f"Approve.\n\nOn Sat, Interlock <hub@lab.test> wrote:\n> {plain[:80]}",
            In_Reply_To=str(asked["Message-ID"]),
        )
        lab.send(answer, sender="bob@lab.test", to=reply_to(asked))

        await bench.until_state(name, "COMPLETED")
        decided = (await bench.state(name))["decisions"][0]
        assert (decided["by"]["id"], decided["channel"], decided["assurance"]) == ("bo", "mail", "email")
        told = await lab.wait_for("bob", lambda mail: "COMPLETED" in str(mail) or "Done:" in str(mail))
        assert told["In-Reply-To"] == asked["Message-ID"]
        assert [part.get_filename() for part in told.iter_attachments()] == []
        assert "/a/" not in told.get_body(("plain",)).get_content()


async def test_a_reply_from_anybody_else_decides_nothing(lab: Lab, tmp_path: Path) -> None:
    async with bench_on(lab, tmp_path) as bench:
        name = await bench.request("hello")
        to = reply_to(await lab.wait_for("bob", asks(name)))
        for sender, verdict in (
            ("carol@lab.test", "dmarc=pass"),
            ("Bo <bob@lab.test>", "dmarc=fail"),
            ("bob@lab.test <carol@lab.test>", "dmarc=pass"),
            ("Bo <bob@lab.test>", None),
        ):
            lab.send(written(sender, to, "approve\n", verdict=verdict), sender="carol@lab.test", to=to)
        two = written("bob@lab.test", to, "approve\n").as_bytes().replace(b"From: ", b"From: carol@lab.test\nFrom: ", 1)
        lab.send(two, sender="bob@lab.test", to=to)

        async def all_are_handled() -> bool:
            return await lab.count("hub") == 0 and await lab.count("hub", "Quarantine") >= 3

        await until(all_are_handled, 20)
        seen = await bench.state(name)
        assert (seen["state"], seen["decisions"]) == ("REVIEWING", [])


async def test_too_weak_a_policy_is_answered_with_where_to_go(lab: Lab, tmp_path: Path) -> None:
    policies = "policies: [{name: default, require: [{group: sre, count: 1}]}]\n"
    async with bench_on(lab, tmp_path, policies=policies) as bench:
        name = await bench.request("hello")
        asked = await lab.wait_for("bob", asks(name))
        lab.send(written("bob@lab.test", reply_to(asked), "approve\n"), sender="bob@lab.test", to=reply_to(asked))
        answer = await lab.wait_for("bob", lambda mail: mail["Auto-Submitted"] == "auto-replied")
        assert "sign in" in answer.get_content()
        assert (await bench.state(name))["state"] == "REVIEWING"

        lab.send(
            written("bob@lab.test", reply_to(asked), "reject because not today\n"),
            sender="bob@lab.test",
            to=reply_to(asked),
        )
        await bench.until_state(name, "REJECTED")
        assert (await bench.state(name))["decisions"][0]["comment"] == "not today"


async def test_what_is_no_decision_gets_one_helpful_answer(lab: Lab, tmp_path: Path) -> None:
    async with bench_on(lab, tmp_path) as bench:
        name = await bench.request("hello")
        asked = await lab.wait_for("bob", asks(name))
        for words in ("don't approve\n", "approve?\n", "sure, go ahead\n"):
            lab.send(written("bob@lab.test", reply_to(asked), words), sender="bob@lab.test", to=reply_to(asked))
        await lab.wait_for("bob", lambda mail: "decided nothing" in str(mail.get_body(("plain",)).get_content()))

        async def all_are_handled() -> bool:
            return await lab.count("hub") == 0

        await until(all_are_handled, 20)
        await asyncio.sleep(0.5)
        assert (await bench.state(name))["state"] == "REVIEWING"
        assert await lab.count("bob") == 2


async def test_an_address_that_bounces_is_marked_and_asked_no_more(lab: Lab, tmp_path: Path) -> None:
    async with bench_on(lab, tmp_path) as bench:
        (tmp_path / "hub.yaml").write_text(
            (tmp_path / "hub.yaml").read_text().replace("carol@lab.test", "gone@lab.test")
        )
        assert await bench.hub.reload() == []
        await bench.request("hello")

        async def is_dead() -> bool:
            return "delivery:dead" in await bench.events("delivery:")

        await until(is_dead, 30)
        again = await bench.request("again")
        await lab.wait_for("bob", asks(again))
        places = await bench.hub.db.read(lambda reader: reader.all(_PLACES))
        assert [row["address"] for row in places if row["approval"] == int(again[1:])] == ["bob@lab.test"]


async def test_a_real_vacation_responder_is_not_provoked_and_its_answers_decide_nothing(
    lab: Lab, tmp_path: Path
) -> None:
    async with bench_on(lab, tmp_path) as bench:
        (tmp_path / "hub.yaml").write_text(
            (tmp_path / "hub.yaml").read_text().replace("carol@lab.test", "ooo@lab.test")
        )
        assert await bench.hub.reload() == []
        name = await bench.request("hello")
        await lab.wait_for("ooo", asks(name))
        provoking = written("hub@lab.test", "ooo@lab.test", "please approve\n", subject="not ours", verdict=None)
        lab.send(provoking, sender="hub@lab.test", to="ooo@lab.test")
        answered = await lab.wait_for(
            "hub", lambda mail: mail["Auto-Submitted"] == "auto-replied (vacation)", folder="Processed"
        )
        assert answered["In-Reply-To"] == provoking["Message-ID"]  # our own mail got no such answer
        assert (await bench.state(name))["state"] == "REVIEWING"
        assert await lab.count("ooo") == 2


async def test_a_mail_that_somebody_has_seen_is_handled_all_the_same(lab: Lab, tmp_path: Path) -> None:
    await empty(lab)
    seen = written("alice@lab.test", "hub@lab.test", "note seen because why not\n")
    lab.send(seen, sender="alice@lab.test", to="hub@lab.test")
    async with asyncio.timeout(20), lab.mailbox("hub") as box:
        while not (uids := await box.uids()):
            await asyncio.sleep(0.05)
        (uid,) = uids
        await box._do("STORE", lambda: box._client.uid("store", str(uid), "+FLAGS", r"(\Seen)"))
    async with bench_on(lab, tmp_path, more="    commands: true\n", fresh=False) as bench:

        async def is_asked() -> bool:
            return "approval:requested" in await bench.events("approval:")

        await until(is_asked, 20)


async def test_the_output_of_a_run_comes_along(lab: Lab, tmp_path: Path) -> None:
    actions = """
actions:
  note: {title: "Note {text}", params: {text: {type: string}}, apply: {command: ["seq", "1", "3000"]}}
"""
    async with bench_on(lab, tmp_path, actions=actions) as bench:
        name = await bench.request("hello")
        asked = await lab.wait_for("bob", asks(name))
        lab.send(written("bob@lab.test", reply_to(asked), "approve\n"), sender="bob@lab.test", to=reply_to(asked))
        told = await lab.wait_for("bob", lambda mail: "Done:" in str(mail.get_body(("plain",)).get_content()))
        (attached,) = told.iter_attachments()
        assert attached.get_filename() == "R1-output.txt"
        assert attached.get_content().split() == [str(number) for number in range(1, 3001)]


async def test_a_vacation_answer_decides_nothing(lab: Lab, tmp_path: Path) -> None:
    async with bench_on(lab, tmp_path) as bench:
        name = await bench.request("hello")
        to = reply_to(await lab.wait_for("bob", asks(name)))
        away = written("bob@lab.test", to, "approve\n", Auto_Submitted="auto-replied (vacation)")
        lab.send(away, sender="bob@lab.test", to=to)

        async def is_handled() -> bool:
            return await lab.count("hub") == 0 and await lab.count("hub", "Processed") > 0

        await until(is_handled, 20)
        assert (await bench.state(name))["state"] == "REVIEWING"


async def test_commands_come_by_mail_where_they_may(lab: Lab, tmp_path: Path) -> None:
    async with bench_on(lab, tmp_path, more="    commands: true\n") as bench:
        for body in ("note hello because of mail\n", '{"action": "note", "params": {"text": "json"}, "reason": "why"}'):
            lab.send(written("alice@lab.test", "hub@lab.test", body), sender="alice@lab.test", to="hub@lab.test")

        async def are_asked() -> bool:
            return await bench.events("approval:requested") == ["approval:requested"] * 2

        await until(are_asked, 20)
        lab.send(
            written("bob@lab.test", "hub@lab.test", "whoami\n", verdict="dmarc=fail"),
            sender="bob@lab.test",
            to="hub@lab.test",
        )
        lab.send(written("bob@lab.test", "hub@lab.test", "queue\n"), sender="bob@lab.test", to="hub@lab.test")
        answer = await lab.wait_for("bob", lambda mail: mail["Auto-Submitted"] == "auto-replied")
        assert "A1" in answer.get_content()


async def test_who_wants_one_mail_in_a_while_gets_one(lab: Lab, tmp_path: Path) -> None:
    async with bench_on(lab, tmp_path) as bench:
        text = (tmp_path / "hub.yaml").read_text().replace("email: bob@lab.test,", "email: bob@lab.test, digest: 3s,")
        (tmp_path / "hub.yaml").write_text(text)
        assert await bench.hub.reload() == []
        names = [await bench.request(f"n{number}") for number in range(3)]
        names += [await bench.request("n3")]
        seen: set[str] = set()

        def all_are_there(mail: EmailMessage) -> bool:
            body = mail.get_body(("plain",))
            assert body is not None
            seen.update(name for name in names if f"{name}:" in body.get_content())
            return len(seen) == len(names)

        await lab.wait_for("bob", all_are_there)
        assert await lab.count("bob") <= 2
        await lab.wait_for("carol", asks(names[3]))
        assert await lab.count("carol") == 4


async def test_a_mailbox_opens_with_an_access_token_and_says_why_one_is_refused(lab: Lab) -> None:
    given = lab.imap().model_dump() | {"password": None}
    async with open_mailbox(Imap.model_validate({**given, "token": bearer("hub", 60)})) as box:
        assert isinstance(await box.uids(), list)
    begun = time.monotonic()
    with pytest.raises(MailboxLost, match="sign-in"):
        async with open_mailbox(Imap.model_validate({**given, "token": bearer("hub", -60)})):
            pass
    assert time.monotonic() - begun < 15


async def test_a_server_without_idle_is_polled(lab: Lab) -> None:
    await empty(lab)
    settings = lab.imap().model_copy(update={"poll_seconds": 1.0})
    async with open_mailbox(settings) as box:
        box._can -= {"IDLE"}
        assert await box.uids() == []
        lab.send(written("bob@lab.test", "hub@lab.test", "x\n"), sender="bob@lab.test", to="hub@lab.test")
        begun = time.monotonic()
        while not await box.uids():
            await box.wait(60.0)
        assert time.monotonic() - begun < 10


async def test_a_mail_of_many_megabytes_is_put_aside_unread(lab: Lab, tmp_path: Path) -> None:
    async with bench_on(lab, tmp_path) as bench:
        before = await lab.count("hub", "Quarantine")
        large = written("bob@lab.test", "hub@lab.test", ("x" * 76 + "\n") * 150_000)
        lab.send(large, sender="bob@lab.test", to="hub@lab.test")

        async def is_aside() -> bool:
            return await lab.count("hub", "Quarantine") == before + 1

        await until(is_aside, 30)
        assert (await bench.say("ana", "status")).ok is not None


async def test_the_doctor_sends_itself_a_mail(lab: Lab, tmp_path: Path) -> None:
    async with bench_on(lab, tmp_path) as bench:
        assert await bench.hub.adapters["mail"].check() == []


def _places() -> object:
    from sqlalchemy import select

    from core.store import schema
    from core.store.statement import Statement

    return Statement(select(schema.delivery.c.approval, schema.delivery.c.address))


_PLACES = _places()
