"""The whole job in the shell: ask, look, decide, run, verify, with the exit codes that scripts rely on."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import time

import pytest
from processes import INTERLOCK, HubProcess, StartHub


def settled(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_a_request_that_another_person_approves_runs_once_and_the_log_verifies(hub: HubProcess) -> None:
    asked = hub.run("ask", "touch", "name=web", "--because", "it is time", "--no-wait", as_="ana")
    assert asked.returncode == 0, asked.stderr
    number = asked.stdout.strip()

    waiting = hub.begin("ask", "touch", "name=api", as_="ana")
    card = wait_for_review(hub, number)
    assert "would touch web" in card

    own = hub.run("approve", number, "--yes", as_="ana")
    assert own.returncode == 3, "nobody decides on their own request"
    approved = hub.run("approve", number, "--yes", "--because", "fine", as_="bo")
    assert approved.returncode == 0, approved.stderr
    assert "would touch web" in approved.stderr, "the card is shown before the decision"

    second = f"A{int(number[1:]) + 1}"
    wait_for_review(hub, second)
    assert hub.run("approve", second, "--yes", as_="bo").returncode == 0
    code, out, err = settled(waiting)
    assert (code, out.strip()) == (0, "touched api"), err
    assert "waits for 1 of team" in err
    assert len((hub.root / "touched-api").read_text().splitlines()) == 1

    assert hub.run("audit", "checkpoint").returncode == 0
    verified = hub.run("audit", "verify")
    assert verified.returncode == 0, verified.stdout
    assert "The state tables match the log." in verified.stdout


def wait_for_review(hub: HubProcess, number: str) -> str:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        shown = hub.run("show", number, as_="bo")
        if "REVIEWING" in shown.stdout:
            return shown.stdout
    raise AssertionError(shown.stdout)


@pytest.mark.parametrize(
    ("verdict", "action", "code"),
    [("reject", ["touch", "name=web"], 4), ("approve", ["fail"], 6)],
)
def test_ask_exits_by_what_became_of_it(hub: HubProcess, verdict: str, action: list[str], code: int) -> None:
    waiting = hub.begin("ask", *action, as_="ana")
    wait_for_review(hub, "A1")
    assert hub.run(verdict, "A1", "--yes", as_="bo").returncode == 0
    ended, out, err = settled(waiting)
    assert ended == code, err
    assert ("it broke" in out) == (code == 6)


def test_ask_says_when_its_patience_ends_and_the_request_goes_on(hub: HubProcess) -> None:
    asked = hub.run("ask", "touch", "name=web", "--timeout", "1", as_="ana")
    assert asked.returncode == 5
    assert "interlock show A1" in asked.stderr
    assert hub.json("show", "A1", as_="bo")["state"] == "REVIEWING"


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["ask", "touch"], 3, "name"),
        (["ask", "touch", "web"], 2, "name=value"),
        (["ask", "touch", "name=a", "name=b"], 2, "twice"),
        (["ask", "nosuch"], 3, "nosuch"),
        (["ask", "touch", "name=UPPER"], 3, "name"),
        (["say", "show A99"], 3, "A99"),
        (["frobnicate"], 2, "frobnicate"),
    ],
)
def test_what_cannot_be_done_is_said_on_stderr_without_a_traceback(
    standing_hub: HubProcess, words: list[str], code: int, says: str
) -> None:
    done = standing_hub.run(*words, as_="ana")
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_json_is_one_document_on_stdout_also_for_a_refusal(standing_hub: HubProcess) -> None:
    refused = standing_hub.json("ask", "touch", as_="ana")
    assert refused["ok"] is False
    assert refused["code"] == "missing_parameter"


def test_a_decision_binds_what_was_shown(hub: HubProcess) -> None:
    assert hub.run("ask", "touch", "name=web", "--no-wait", as_="ana").returncode == 0
    wait_for_review(hub, "A1")
    stale = hub.run("approve", "A1", "--digest", "0" * 64, as_="bo")
    assert stale.returncode == 3
    assert hub.json("show", "A1", as_="bo")["state"] == "REVIEWING"
    asked = hub.run("approve", "A1", as_="bo", stdin=subprocess.DEVNULL)
    assert asked.returncode == 2, "without a terminal nobody is asked, so nothing is decided"


def test_the_operator_administers_and_can_neither_request_nor_decide(standing_hub: HubProcess) -> None:
    assert standing_hub.run("ask", "touch", "name=web").returncode == 3
    assert standing_hub.run("reload").returncode == 0
    assert standing_hub.run("key", "list").returncode == 0


def test_a_key_ends_when_it_is_revoked(standing_hub: HubProcess) -> None:
    key = standing_hub.key("cai")
    assert re.fullmatch(r"ilk_[0-9A-Za-z]{36}", key)
    assert standing_hub.run("queue", as_="cai").returncode == 0
    assert standing_hub.run("key", "revoke", key[4:12]).returncode == 0
    assert standing_hub.run("queue", as_="cai").returncode == 3


def test_a_lease_is_held_around_a_command_which_gets_its_token(standing_hub: HubProcess) -> None:
    held = standing_hub.run(
        "lease", "run", "env:prod", "--", "sh", "-c", "echo fence $INTERLOCK_FENCE; exit 9", as_="ana"
    )
    assert held.returncode == 9, held.stderr
    token = int(held.stdout.split()[1])
    later = standing_hub.run("lease", "acquire", "env:prod", as_="bo")
    assert int(later.stdout.split()[1]) > token
    refused = standing_hub.run("lease", "run", "env:prod", "--", "true", as_="ana")
    assert refused.returncode == 3
    assert "held by bo" in refused.stderr
    waited = standing_hub.run("lease", "run", "env:prod", "--wait", "1", "--", "true", as_="ana")
    assert waited.returncode == 5
    assert standing_hub.run("lease", "release", *later.stdout.split(), as_="bo").returncode == 0
    assert standing_hub.json("lease", "list", as_="ana")["items"] == []


def test_a_command_dies_when_its_lease_is_broken(standing_hub: HubProcess) -> None:
    script = "echo started; sleep 60; echo still here"
    running = standing_hub.begin("lease", "run", "env:prod", "--ttl", "3", "--", "sh", "-c", script, as_="bo")
    assert running.stdout is not None
    assert running.stdout.readline() == "started\n"
    with standing_hub.client("ana") as ana:
        (lease,) = ana.get("/v1/leases").json()["items"]
        broken = ana.post(f"/v1/leases/{lease['lock_id']}/break", json={"reason": "needed now"})
        assert broken.status_code == 200, broken.text
    code, out, err = settled(running)
    assert code == 6
    assert "still here" not in out
    assert "lost" in err


def test_a_command_dies_when_the_hub_is_gone_longer_than_its_lease(hub: HubProcess) -> None:
    script = "echo started; sleep 60; echo still here"
    running = hub.begin("lease", "run", "env:prod", "--ttl", "2", "--", "sh", "-c", script, as_="ana")
    assert running.stdout is not None
    assert running.stdout.readline() == "started\n"
    hub.kill()
    began = time.monotonic()
    code, out, err = settled(running)
    assert code == 6, err
    assert "still here" not in out
    assert time.monotonic() - began < 20


def test_with_no_hub_running_the_data_directory_serves_by_itself(hub: HubProcess) -> None:
    assert hub.stop() == 0
    assert hub.run("queue").returncode == 8
    made = hub.run("key", "create", "bo")
    assert made.returncode == 0, made.stderr
    assert hub.run("audit", "checkpoint").returncode == 0
    assert hub.run("audit", "verify").returncode == 0
    link = hub.run("login-link", "bo")
    assert "/login/" in link.stdout
    hub.start()
    with hub.client("bo") as bo:
        assert bo.get("/v1/me").json()["id"] == "bo"


def test_only_one_process_writes_a_data_directory(hub: HubProcess) -> None:
    second = hub.run("up", "--port", "0")
    assert second.returncode == 3
    assert str(hub.pid) in second.stderr
    third = hub.run("migrate")
    assert third.returncode == 3


def test_a_hub_stops_gracefully_and_says_so_in_the_log(hub: HubProcess) -> None:
    assert hub.stop() == 0
    assert not (hub.data / "control.sock").exists()
    export = hub.root / "log.jsonl"
    assert hub.run("audit", "export", str(export)).returncode == 0
    events = [json.loads(json.loads(line)["entry"])["event"] for line in export.read_text().splitlines()[:-1]]
    assert events[0] in ("config:changed", "hub:started")
    assert "hub:stopped" in events


def test_sighup_takes_a_new_configuration_and_keeps_the_old_one_when_it_is_invalid(hub: HubProcess) -> None:
    before = hub.config.read_text()
    hub.config.write_text(before + "\nnonsense: true\n")
    refused = hub.run("reload")
    assert refused.returncode == 3
    assert "nonsense" in refused.stderr
    hub.config.write_text(before.replace("Bo Lind", "Bo Lindgren"))
    hub.signal(signal.SIGHUP)
    until = time.monotonic() + 20
    with hub.client("bo") as bo:
        while bo.get("/v1/me").json()["name"] != "Bo Lindgren":
            assert time.monotonic() < until
            time.sleep(0.05)


def test_a_restored_backup_says_what_was_lost(hub: HubProcess) -> None:
    hub.key("ana")
    assert hub.run("audit", "checkpoint").returncode == 0
    copy = hub.root / "copy.tar"
    assert hub.run("backup", str(copy)).returncode == 0, "also while the hub runs"
    assert hub.run("backup", str(copy)).returncode == 3, "an existing file is never overwritten"
    hub.key("bo")
    assert hub.stop() == 0
    assert hub.run("restore", str(copy)).returncode == 3
    restored = hub.run("restore", str(copy), "--force")
    assert restored.returncode == 0, restored.stderr
    assert "are lost" in restored.stdout
    verified = hub.run("audit", "verify")
    assert verified.returncode == 0, verified.stdout
    assert "lost" in verified.stdout
    hub.start()
    assert hub.run("queue", as_="bo").returncode == 3, "the key that was made after the backup is gone"


def test_a_forged_row_is_found_although_the_log_is_intact(hub: HubProcess) -> None:
    assert hub.run("ask", "touch", "name=web", "--no-wait", as_="ana").returncode == 0
    wait_for_review(hub, "A1")
    assert hub.stop() == 0
    with sqlite3.connect(hub.data / "hub.db") as db:
        db.execute("UPDATE approval SET state = 'APPROVED'")
        db.execute(
            "INSERT INTO api_key (prefix, hash, principal, decide, created_at, created_by) VALUES ('f', x'', 'bo', 1, 1, 'x')"
        )
    db.close()
    verified = hub.run("audit", "verify", "--json")
    report = json.loads(verified.stdout)
    assert verified.returncode == 1
    assert report["log"]["intact"]
    assert len(report["state"]["findings"]) == 2


def test_a_rewritten_log_is_found_by_a_checkpoint_held_elsewhere(hub: HubProcess) -> None:
    assert hub.run("audit", "checkpoint").returncode == 0
    assert hub.stop() == 0
    with sqlite3.connect(hub.data / "hub.db") as db:
        db.execute("DELETE FROM log WHERE seq = (SELECT max(seq) FROM log)")
        db.execute("UPDATE log SET actor = 'nobody' WHERE seq = 1")
    db.close()
    verified = hub.run("audit", "verify")
    assert verified.returncode == 1
    assert "NOT INTACT" in verified.stdout


def test_the_doctor_finds_what_others_could_read(hub: HubProcess) -> None:
    assert hub.run("doctor").returncode == 0
    hub.data.joinpath("keys", "sealing.key").chmod(0o644)
    found = hub.run("doctor")
    assert found.returncode == 1
    assert "chmod 600" in found.stdout
    assert hub.stop() == 0
    refused = hub.run("up")
    assert refused.returncode == 3
    assert "chmod 600" in refused.stderr


def test_a_first_run_writes_a_sample_and_prints_two_links_that_sign_in(start_hub: StartHub) -> None:
    hub = start_hub()
    assert hub.stop() == 0
    hub.config.unlink()
    environ = {**hub.environ, "INTERLOCK_PORT": "0", "INTERLOCK_DATA": str(hub.root / "fresh")}
    command = [*INTERLOCK, "up", "--first-run"]
    with subprocess.Popen(command, cwd=hub.root, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as first:
        assert first.stdout is not None
        said: list[str] = []
        while not said or "Ctrl-C" not in said[-1]:
            line = first.stdout.readline().decode()
            assert line, first.stderr.read().decode() if first.stderr else ""
            said.append(line)
        text = "".join(said)
        links = re.findall(r"http://\S+/login/\S+", text)
        assert len(set(links)) == 2
        assert "deploy web v1.2.0 prod because" in text
        assert (hub.root / "ops" / "deploy").stat().st_mode & os.X_OK
        first.send_signal(signal.SIGINT)
        assert first.wait(timeout=30) == 0


def test_ask_outlives_a_hub_that_is_killed_and_started_again(hub: HubProcess) -> None:
    waiting = hub.begin("ask", "touch", "name=web", as_="ana")
    wait_for_review(hub, "A1")
    hub.restart()
    assert hub.run("approve", "A1", "--yes", as_="bo").returncode == 0
    code, out, err = settled(waiting)
    assert (code, out.strip()) == (0, "touched web"), err
    assert "waiting for it to come back" in err
