"""Asking and waiting: through restarts, lost answers and a hub that has too much to do."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from processes import HubProcess
from wire import Fault, Wire

from hub.client import Approval, Client, InterlockError, OutcomeUnknown, Refused, Rejected, TimedOut, Unreachable, gate
from hub.client import errors as client_errors

ClientOf = Callable[[str], Client]


def in_review(client: Client, number: str, revision: int = 1) -> Approval:
    """The request once it exists and people can decide on that revision."""
    until = time.monotonic() + 30
    while True:
        try:
            shown = client.show(number)
        except Refused:
            shown = None
        if shown is not None and shown.state == "REVIEWING" and shown.revision == revision:
            return shown
        assert time.monotonic() < until, shown
        time.sleep(0.02)


def test_a_request_is_asked_for_decided_and_waited_for(client_of: ClientOf) -> None:
    ana, bo = client_of("ana"), client_of("bo")
    asked = ana.ask("touch", {"name": "web"}, reason="it is time")
    assert not asked.settled
    bo.approve(in_review(bo, asked.id), "fine")
    done = ana.wait(asked, timeout=30)
    assert done.completed
    assert done.output == "touched web\n"
    assert done.demand_completed() is done


def test_a_request_that_was_rejected_says_so(client_of: ClientOf) -> None:
    ana, bo = client_of("ana"), client_of("bo")
    asked = ana.ask("touch", {"name": "web"})
    bo.reject(in_review(bo, asked.id), "not today")
    with pytest.raises(Rejected) as raised:
        ana.wait(asked.id, timeout=30).demand_completed()
    assert raised.value.approval.id == asked.id


def test_waiting_ends_with_the_request_still_open(client_of: ClientOf) -> None:
    ana = client_of("ana")
    asked = ana.ask("touch", {"name": "web"})
    with pytest.raises(TimedOut) as raised:
        ana.wait(asked, timeout=0.2)
    assert raised.value.approval.id == asked.id
    assert ana.withdraw(asked.id, "changed my mind").state == "WITHDRAWN"


def test_waiting_outlives_a_hub_that_is_killed_and_started_again(own_hub: HubProcess) -> None:
    with (
        Client(own_hub.url, own_hub.key("ana")) as ana,
        Client(own_hub.url, own_hub.key("bo")) as bo,
        ThreadPoolExecutor() as pool,
    ):
        asked = ana.ask("touch", {"name": "web"})
        shown = in_review(bo, asked.id)
        waiting = pool.submit(ana.wait, asked, 60.0)
        own_hub.restart()
        bo.approve(shown)
        assert waiting.result(60).completed


def test_a_request_whose_answer_was_lost_is_one_request(hub: HubProcess, wire: Wire) -> None:
    with Client(wire.url, hub.key("ana")) as ana:
        before = ana.ask("touch", {"name": "web"})
        wire.faults.append(Fault(path="/v1/approvals", lost=True))
        asked = ana.ask("touch", {"name": "web"})
    assert wire.faults == []
    assert int(asked.id[1:]) == int(before.id[1:]) + 1


@pytest.mark.parametrize("status", [429, 503])
def test_a_hub_that_has_too_much_to_do_is_asked_again_when_it_said(hub: HubProcess, wire: Wire, status: int) -> None:
    wire.faults.append(Fault(path="/v1/commands", status=status, headers=(("retry-after", "1"),)))
    with Client(wire.url, hub.key("ana")) as ana:
        assert ana.say("whoami").ok
    assert wire.seen == ["POST /v1/commands"] * 2


def test_a_hub_that_is_not_there_is_given_up_when_patience_ends(hub: HubProcess, wire: Wire) -> None:
    key = hub.key("ana")
    wire.cut = True
    with Client(wire.url, key, patience=0.5) as ana, pytest.raises(Unreachable) as raised:
        ana.say("whoami")
    assert len(wire.seen) > 1
    assert key not in str(raised.value)
    assert key not in repr(vars(ana))


def test_what_the_hub_refuses_is_an_error_with_its_code_and_a_command_a_reply(client_of: ClientOf) -> None:
    ana = client_of("ana")
    with pytest.raises(Refused) as raised:
        ana.ask("touch", {"nmae": "web"})
    assert (raised.value.status, raised.value.code) == (400, "unknown_parameter")
    reply = ana.say("show A9999")
    assert (reply.ok, reply.code) == (False, "not_found")


def test_without_a_key_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INTERLOCK_KEY", raising=False)
    with pytest.raises(InterlockError) as raised:
        Client("http://127.0.0.1:9")
    assert raised.value.code == "usage"


@pytest.mark.parametrize(
    ("state", "error"),
    [("UNKNOWN", OutcomeUnknown), ("FAILED", client_errors.Failed), ("DRAFT", client_errors.SentBack)],
)
def test_every_end_but_completed_is_an_error_of_its_own(state: str, error: type[Exception]) -> None:
    ended = Approval.of({"id": "A1", "state": state, "why": "the disk was full"})
    with pytest.raises(error, match=r"A1 .*: the disk was full"):
        ended.demand_completed()


def test_a_gated_function_runs_once_people_agreed_to_this_call(
    hub: HubProcess, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERLOCK_URL", hub.url)
    monkeypatch.setenv("INTERLOCK_KEY", hub.key("ana"))
    called: list[str] = []

    @gate("touch", reason="a new {name}")
    def touch(name: str) -> str:
        called.append(name)
        return f"done {name}"

    bo = client_of("bo")
    newest = bo.ask("touch", {"name": "before"})
    with ThreadPoolExecutor() as pool:
        running = pool.submit(touch, "gated")
        number = f"A{int(newest.id[1:]) + 1}"
        shown = in_review(bo, number)
        assert (shown.params, shown.reason) == ({"name": "gated"}, "a new gated")
        assert called == []
        bo.approve(shown)
        assert running.result(30) == "done gated"
    assert called == ["gated"]


def test_a_gated_function_never_runs_when_people_say_no_or_other_parameters(client_of: ClientOf) -> None:
    ana, bo = client_of("ana"), client_of("bo")
    called: list[str] = []

    @ana.gate("touch")
    def touch(name: str) -> None:
        called.append(name)

    newest = int(bo.ask("touch", {"name": "before"}).id[1:])
    with ThreadPoolExecutor() as pool:
        refused = pool.submit(touch, "one")
        bo.reject(in_review(bo, f"A{newest + 1}"))
        assert isinstance(refused.exception(30), Rejected)

        changed = pool.submit(touch, "two")
        in_review(bo, f"A{newest + 2}")
        assert ana.say(f"edit A{newest + 2} name=three").ok
        bo.approve(in_review(bo, f"A{newest + 2}", revision=2))
        assert isinstance(changed.exception(30), client_errors.Changed)
    assert called == []


def test_a_gate_whose_time_is_over_takes_its_request_back(client_of: ClientOf) -> None:
    ana, bo = client_of("ana"), client_of("bo")

    @ana.gate("touch", timeout=0.2)
    def touch(name: str) -> None:
        raise AssertionError("nobody agreed")

    with pytest.raises(TimedOut) as raised:
        touch("late")
    assert bo.show(raised.value.approval.id).state == "WITHDRAWN"
