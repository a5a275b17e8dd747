"""Locks by hand at the page beside programs in the shell and over HTTP: who blocks whom is said everywhere."""

from __future__ import annotations

from processes import HubProcess
from sockets import page

from hub.client import Client, Held


def test_a_person_at_the_page_holds_off_a_program_which_says_who_and_why(standing_hub: HubProcess) -> None:
    with page(standing_hub, "ana") as ana, Client(standing_hub.url, standing_hub.key("bo")) as bo:
        assert ana.say("lock env:prod for 1h because migration")["ok"]
        try:
            with bo.lease("env:prod"):
                raise AssertionError("ana has it")
        except Held as held:
            assert [(each["principal"], each["purpose"]) for each in held.held_by] == [("ana", "migration")]
        refused = standing_hub.run("lease", "run", "env:prod", "--", "true", as_="bo")
        assert refused.returncode == 3
        assert "ana" in refused.stderr and "migration" in refused.stderr
        waiting = standing_hub.begin("lease", "run", "env:prod", "--wait", "60", "--", "echo", "mine", as_="bo")
        assert waiting.stderr is not None
        assert "place 1" in waiting.stderr.readline()
        number = ana.say("locks")["data"]["items"][0]["lock_id"]
        assert "until" in ana.say(f"extend {number} 30m")["text"]
        assert ana.say(f"unlock {number}")["ok"]
        out, _ = waiting.communicate(timeout=60)
        assert (waiting.returncode, out) == (0, "mine\n")


def test_a_lock_changes_hands_at_the_page_and_lives_through_a_restart(hub: HubProcess) -> None:
    with page(hub, "ana") as ana, page(hub, "bo") as bo:
        assert ana.say("lock env:prod for 1h because migration")["ok"]
        assert "Ana Ruiz has env:prod (L1)" in bo.say("lock env:prod")["text"]
    hub.restart()
    with page(hub, "ana") as ana, page(hub, "bo") as bo:
        listed = bo.say("locks")["text"]
        assert "Ana Ruiz" in listed and "Bo Lind waits for env:prod, 1st" in listed
        given = ana.say("transfer L1 to @cai")
        assert "Cai Wu has env:prod now" in given["text"]
        number = given["data"]["lease"]["lock_id"]
        assert bo.say(f"break {number} because I want it")["code"] == "not_allowed"
        assert ana.say(f"break {number} because cai left")["ok"]
        assert "Bo Lind  until" in bo.say("locks")["text"]
    export = hub.root / "log.jsonl"
    assert hub.run("audit", "export", str(export)).returncode == 0
    checked = hub.run("lease", "check-history", str(export))
    assert (checked.returncode, "3 grants" in checked.stdout) == (0, True), checked.stdout
