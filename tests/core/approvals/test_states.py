"""The one table of states."""

from __future__ import annotations

import pytest

from core.approvals.states import ARROWS, ENDED, OPEN, State, demand
from core.errors import Conflict


def test_nothing_runs_but_from_approved() -> None:
    assert {state for state, targets in ARROWS.items() if State.APPLYING in targets} == {State.APPROVED}


def test_every_state_is_in_the_table_and_can_be_reached_from_a_draft() -> None:
    assert set(ARROWS) == set(State)
    reached, new = {State.DRAFT}, {State.DRAFT}
    while new:
        new = {target for state in new for target in ARROWS[state]} - reached
        reached |= new
    assert reached == set(State)


def test_an_arrow_that_does_not_exist_is_refused_in_words() -> None:
    with pytest.raises(Conflict) as refusal:
        demand(State.REJECTED, State.APPROVED)
    assert refusal.value.code == "wrong_state"
    assert "REJECTED" in refusal.value.message


def test_open_and_ended_do_not_meet() -> None:
    assert not OPEN & ENDED
