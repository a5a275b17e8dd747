"""The mailbox when servers die: no mail is lost, and none acts twice."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest
from hubs import until
from mail import LAB, Lab, asks, bench_on, reply_to, send_all, written

from adapters.email.mailbox import MailboxLost, open_mailbox
from adapters.email.settings import Imap

pytestmark = pytest.mark.anyio

FAST = "limits: {commands: 5000/s, burst: 5000}\n"
QUIET = "policies: [{name: default, require: [{group: sre, count: 1}], ask: [page]}]\n"


def sessions(lab: Lab) -> list[psutil.Process]:
    """The processes that serve the lab's IMAP connections."""
    master = psutil.Process(int((lab.folder / "run" / "dovecot" / "master.pid").read_text()))
    return [each for each in master.children(recursive=True) if each.name() == "imap"]


async def requested(bench: object) -> list[str]:
    rows = await bench.hub.db.read(lambda reader: reader.all(_TITLES))  # type: ignore[attr-defined]
    return [row["title"] for row in rows]


async def test_five_hundred_mails_act_once_each_while_the_server_is_killed_ten_times(lab: Lab, tmp_path: Path) -> None:
    async with bench_on(lab, tmp_path, policies=QUIET, more=f"    commands: true\n{FAST}") as bench:
        mails = [written("alice@lab.test", "hub@lab.test", f"note n{number:03}\n") for number in range(500)]
        sending = asyncio.create_task(
            asyncio.to_thread(send_all, lab, mails, sender="alice@lab.test", to="hub@lab.test")
        )
        killed = 0
        while killed < 10:
            await asyncio.sleep(0.4)
            for each in sessions(lab)[:2]:
                each.send_signal(signal.SIGKILL)
                killed += 1
        await sending

        async def all_acted() -> bool:
            return len(await requested(bench)) >= 500 and await lab.count("hub") == 0

        await until(all_acted, 120)
        assert sorted(await requested(bench)) == [f"Note n{number:03}" for number in range(500)]


async def test_a_server_that_was_away_is_found_again(lab: Lab, tmp_path: Path) -> None:
    async with bench_on(lab, tmp_path) as bench:
        name = await bench.request("hello")
        asked = await lab.wait_for("bob", asks(name))
        environ = {**os.environ, "LAB_DIR": str(lab.folder)}
        ports = (lab.folder / "env").read_text().replace("export ", "").splitlines()
        environ |= dict(line.split("=", 1) for line in ports)
        subprocess.run(["bash", str(LAB / "stop.sh"), str(lab.folder)], check=True, capture_output=True, timeout=30)
        reading = bench.hub.adapters["mail"]
        await until(lambda: reading.problem is not None, 20)
        subprocess.run(["bash", str(LAB / "start.sh")], env=environ, check=True, capture_output=True, timeout=60)
        lab.send(written("bob@lab.test", reply_to(asked), "approve\n"), sender="bob@lab.test", to=reply_to(asked))
        await bench.until_state(name, "COMPLETED")
        assert reading.problem is None


async def test_a_mail_that_cannot_be_handled_is_put_aside_after_three_tries(lab: Lab, tmp_path: Path) -> None:
    async with bench_on(lab, tmp_path, more="    commands: true\n") as bench:
        clerk = bench.hub.adapters["mail"].clerk
        tried = 0

        async def broken(*args: object) -> object:
            nonlocal tried
            tried += 1
            raise RuntimeError("a bug of ours")

        clerk._asked = broken
        before = await lab.count("hub", "Quarantine")
        lab.send(written("alice@lab.test", "hub@lab.test", "note x\n"), sender="alice@lab.test", to="hub@lab.test")

        async def is_aside() -> bool:
            return await lab.count("hub", "Quarantine") == before + 1 and await lab.count("hub") == 0

        await until(is_aside, 30)
        assert tried == 3


async def test_ten_mailbox_openings_leave_no_connection_behind(lab: Lab) -> None:
    for _ in range(10):
        async with open_mailbox(lab.imap()) as box:
            await box.uids()

    async def is_alone() -> bool:
        return not [each for each in psutil.Process().net_connections() if each.raddr and each.raddr.port == lab.imaps]

    await until(is_alone, 5)


async def test_a_wrong_password_and_a_closed_port_are_said_in_words(lab: Lab) -> None:
    for change in ({"password": "wrong"}, {"port": 1}, {"inbox": "No Such Box"}):
        settings = Imap.model_validate({**lab.imap().model_dump(), "password": "secret", **change})
        begun = time.monotonic()
        with pytest.raises(MailboxLost) as lost:
            async with open_mailbox(settings):
                pass
        assert str(lost.value)
        assert "secret" not in str(lost.value)
        assert time.monotonic() - begun < 10


async def test_a_greylisted_mail_is_tried_again_and_a_refused_one_is_not(lab: Lab, tmp_path: Path) -> None:
    async with bench_on(lab, tmp_path) as bench:
        text = (tmp_path / "hub.yaml").read_text()
        text = text.replace("bob@lab.test", "greylist@lab.test").replace("carol@lab.test", "reject@lab.test")
        (tmp_path / "hub.yaml").write_text(text)
        assert await bench.hub.reload() == []
        await bench.request("hello")

        async def both_are_seen() -> bool:
            events = await bench.events("delivery:")
            return "delivery:failed" in events and "delivery:dead" in events

        await until(both_are_seen, 20)


def _titles() -> object:
    from sqlalchemy import select

    from core.store import schema
    from core.store.statement import Statement

    return Statement(select(schema.approval.c.title).order_by(schema.approval.c.id))


_TITLES = _titles()
