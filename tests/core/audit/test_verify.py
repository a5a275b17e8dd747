"""Verification of logs that nobody tampered with, and of what a verdict says."""

from __future__ import annotations

from typing import Any

import pytest

from core.audit.judge import Held
from core.audit.keys import SigningKey
from core.audit.statement import Loss, change_key
from core.audit.verdict import PER_KIND
from core.audit.verify import verify


def test_a_log_as_the_hub_writes_it_is_intact(log: Any) -> None:
    verdict = log.verify()
    assert verdict.intact
    assert (verdict.size, verdict.checkpoints) == (len(log.rows), 2)
    assert verdict.origin == log.origin


def test_without_a_checkpoint_from_outside_it_is_consistent_with_itself_only(log: Any) -> None:
    verdict = log.verify()
    assert not verdict.anchored
    assert any("consistent with itself only" in line for line in verdict.lines())


def test_a_checkpoint_from_outside_proves_the_entries_that_it_covers(log: Any) -> None:
    partly, wholly = log.verify(log.note(41)), log.verify(log.note())
    assert (partly.anchored_size, wholly.anchored_size) == (41, len(log.rows))
    assert any("up to 41" in line and "6 after that" in line for line in partly.lines())
    assert not any("itself only" in line for line in wholly.lines())


def test_the_empty_log_is_intact_and_proves_nothing(new_log: Any) -> None:
    log = new_log()
    verdict = log.verify(log.note(0))
    assert verdict.intact
    assert not verdict.anchored


def test_an_old_checkpoint_presented_again_proves_only_what_it_covered(log: Any) -> None:
    verdict = log.verify(log.note(3))
    assert verdict.intact
    assert verdict.anchored_size == 3


def test_an_erased_value_is_accounted_for_by_its_entry(log: Any) -> None:
    log.values = [value for value in log.values if value[:2] != (1, "reason")]
    assert log.found() == {"value_missing": [1]}
    log.add("log:erased", details={"seq": 1, "fields": ["reason"], "ground": "asked by the person"})
    assert log.verify().intact


def test_an_erasure_accounts_for_nothing_but_the_fields_that_it_names(log: Any) -> None:
    log.values = [value for value in log.values if value[0] != 1]
    log.add("log:erased", details={"seq": 1, "fields": ["reason"], "ground": "asked by the person"})
    finding = log.verify().findings[0]
    assert (finding.kind, finding.seq) == ("value_missing", 1)
    assert "params" in finding.message
    assert "reason" not in finding.message


def test_an_erasure_cannot_be_recorded_before_what_it_erases(log: Any) -> None:
    log.add("log:erased", details={"seq": len(log.rows) + 2, "fields": ["reason"]})
    seq = log.add(private={"reason": "later"})
    log.values = [value for value in log.values if value[0] != seq]
    assert log.found() == {"value_missing": [seq]}


def test_an_erasure_cannot_account_for_a_value_of_its_own(log: Any) -> None:
    seq = len(log.rows) + 1
    log.add("log:erased", details={"seq": seq, "fields": ["ground"]}, private={"ground": "none"})
    log.values = [value for value in log.values if value[0] != seq]
    assert log.found() == {"value_missing": [seq]}


@pytest.mark.parametrize("details", [{}, {"seq": "1", "fields": ["reason"]}, {"seq": 1, "fields": [1]}, {"seq": 1}])
def test_a_malformed_erasure_erases_nothing(log: Any, details: dict[str, Any]) -> None:
    log.values = [value for value in log.values if value[:2] != (1, "reason")]
    log.add("log:erased", details=details)
    assert log.found() == {"value_missing": [1]}


def test_values_that_were_not_looked_at_are_said_so(log: Any) -> None:
    verdict = verify(log.rows, None, log.checkpoints, keys=[log.key.verifier])
    assert verdict.intact
    assert any("not checked" in line for line in verdict.lines())


def test_what_is_appended_while_it_reads_is_not_mistaken_for_tampering(log: Any) -> None:
    settled = len(log.rows)
    values, checkpoints = list(log.values), list(log.checkpoints)
    log.checkpoint()
    log.add(private={"reason": "came later"})
    verdict = verify(log.rows, values, checkpoints, keys=[log.key.verifier], settled=settled)
    assert verdict.intact
    values = list(log.values)
    verdict = verify(log.rows[:settled], values, checkpoints, keys=[log.key.verifier], settled=settled)
    assert verdict.intact


def test_many_findings_of_a_kind_are_counted(log: Any) -> None:
    log.fill(3 * PER_KIND)
    log.rows = [(*row[:3], 0, *row[4:]) for row in log.rows]
    findings = [finding for finding in log.verify().findings if finding.kind == "column"]
    assert len(findings) == PER_KIND + 1
    assert f"{len(log.rows) - PER_KIND} more" in findings[-1].message


def test_a_verdict_can_be_read_by_a_program(log: Any) -> None:
    log.rows[4] = (*log.rows[4][:3], 0, *log.rows[4][4:])
    value = log.verify(log.note()).to_json()
    assert value["intact"] is False
    assert value["findings"] == [{"kind": "column", "seq": 5, "message": "its ts in the table differs from the entry"}]
    assert value["anchored_size"] == value["size"] == len(log.rows)


class TestKeyChange:
    """Another key signs from some entry on, and both keys said so."""

    @pytest.fixture
    def old(self, log: Any) -> SigningKey:
        key: SigningKey = log.key
        return key

    @pytest.fixture
    def new(self, log: Any, old: SigningKey) -> SigningKey:
        """The new key, after a change as the hub makes it."""
        new = SigningKey.generate(log.origin)
        log.add("log:key_changed", details={"statement": change_key(log.origin, old=old, new=new)})
        log.checkpoint(old, new)
        log.key = new
        log.fill(3)
        log.checkpoint()
        return new

    def test_who_trusts_the_old_key_comes_to_trust_the_new(self, log: Any, old: SigningKey, new: SigningKey) -> None:
        verdict = log.verify(log.note(None, new), keys=[old.verifier])
        assert (verdict.intact, verdict.anchored) == (True, True)

    def test_who_trusts_the_new_key_comes_to_trust_the_old(self, log: Any, old: SigningKey, new: SigningKey) -> None:
        verdict = log.verify(log.note(20, old), keys=[new.verifier])
        assert (verdict.intact, verdict.anchored_size) == (True, 20)

    def test_the_old_key_no_longer_signs_alone(self, log: Any, old: SigningKey, new: SigningKey) -> None:
        assert set(log.found(log.note(None, old), keys=[old.verifier])) == {"retired_key"}

    def test_a_chain_of_changes_is_followed(self, log: Any, old: SigningKey, new: SigningKey) -> None:
        third = SigningKey.generate(log.origin)
        log.add("log:key_changed", details={"statement": change_key(log.origin, old=new, new=third)})
        log.checkpoint(new, third)
        log.key = third
        log.checkpoint()
        for key in (old, new, third):
            assert log.verify(log.note(), keys=[key.verifier]).intact

    def test_a_change_that_the_old_key_did_not_state_brings_in_no_key(self, log: Any, old: SigningKey) -> None:
        thief = SigningKey.generate(log.origin)
        statement = change_key(log.origin, old=thief, new=thief).replace(thief.verifier.text, old.verifier.text, 1)
        log.add("log:key_changed", details={"statement": statement})
        log.checkpoint(thief)
        assert set(log.found(keys=[old.verifier])) == {"bad_statement", "unknown_key"}

    def test_a_change_stated_for_another_log_brings_in_no_key(self, log: Any, old: SigningKey) -> None:
        thief = SigningKey.generate(log.origin)
        log.add("log:key_changed", details={"statement": change_key("interlock.log/other", old=old, new=thief)})
        log.checkpoint(thief)
        assert set(log.found(keys=[old.verifier])) == {"bad_statement", "unknown_key"}

    def test_a_stranger_that_the_log_tells_of_is_not_trusted(self, log: Any, old: SigningKey) -> None:
        one, two = SigningKey.generate("one"), SigningKey.generate("two")
        log.add("log:key_changed", details={"statement": change_key(log.origin, old=one, new=two)})
        log.checkpoint(two)
        assert set(log.found(keys=[old.verifier])) == {"unknown_key"}


class TestRestore:
    """A backup was restored, and entries made after it are gone."""

    def restore(self, log: Any, kept: int, lost: int, key: SigningKey | None = None) -> None:
        del log.rows[kept:]
        log.values = [value for value in log.values if value[0] <= kept]
        log.checkpoints = log.checkpoints[:1]
        statement = Loss(origin=log.origin, kept=kept, lost=lost).signed(key or log.key)
        log.add("log:restored", details={"kept": kept, "lost": lost, "statement": statement})
        log.fill(3)

    def test_the_checkpoints_of_lost_entries_are_told_and_not_held_against_it(self, log: Any) -> None:
        before, lost = log.note(20), log.note()
        self.restore(log, 25, len(log.rows))
        verdict = log.verify(before, lost)
        assert verdict.intact
        assert verdict.anchored_size == 20
        assert [(loss.kind, loss.seq) for loss in verdict.losses] == [("lost", 26)]
        assert any("26 to 47 is lost" in line for line in verdict.lines())

    def test_a_statement_covers_neither_what_was_kept_nor_what_came_after(self, log: Any) -> None:
        kept = log.note(20)
        self.restore(log, 25, 47)
        log.fill(40)
        after = log.note()
        log.rewrite(10, lambda entry: entry.replace(b"slack", b"slick"))
        assert set(log.found(kept)) >= {"rewritten"}
        del log.rows[50:]
        log.values = [value for value in log.values if value[0] <= 50]
        assert "truncated" in log.found(after)

    def test_a_statement_that_the_key_did_not_sign_excuses_nothing(self, log: Any) -> None:
        lost = log.note()
        self.restore(log, 25, 47, SigningKey.generate(log.origin))
        assert set(log.found(lost)) == {"bad_statement", "truncated"}

    def test_a_statement_about_another_log_excuses_nothing(self, log: Any) -> None:
        lost = log.note()
        origin, log.origin = log.origin, "interlock.log/other"
        statement = Loss(origin=log.origin, kept=25, lost=47).signed(log.key)
        log.origin = origin
        del log.rows[41:]
        log.values = [value for value in log.values if value[0] <= 41]
        log.add("log:restored", details={"statement": statement})
        assert set(log.found(lost)) == {"bad_statement", "truncated"}


def test_the_same_note_in_two_places_counts_once(log: Any) -> None:
    log.checkpoints.append(Held(source="checkpoints.log", note=log.checkpoints[0].note))
    assert log.verify(log.checkpoints[0].note).checkpoints == 2


def test_a_note_that_is_none_is_found_with_its_place(log: Any) -> None:
    finding = log.verify("scribble").findings[0]
    assert finding.kind == "bad_checkpoint"
    assert "the anchor" in finding.message
