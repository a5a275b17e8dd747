"""Metrics: counted by closed labels, gauges from the store, one registry a hub."""

from prometheus_client.parser import text_string_to_metric_families

from core.store.database import Database
from hub.metrics import Metrics, read_counts


def sample(metrics: Metrics, database: Database, name: str, **labels: str) -> float | None:
    counts = database.read_now(read_counts)
    text = metrics.render(counts=counts, queued=3, entries=database.log.size, followers=2).decode()
    for family in text_string_to_metric_families(text):
        for each in family.samples:
            if each.name == name and each.labels == labels:
                return float(each.value)
    return None


def test_commands_are_counted_by_verb_outcome_and_channel(database: Database) -> None:
    metrics = Metrics()
    for _ in range(3):
        metrics.command("approve", "ok", "page")
    metrics.command("approve", "refused", "page")
    name = "interlock_commands_total"
    assert sample(metrics, database, name, verb="approve", outcome="ok", channel="page") == 3
    assert sample(metrics, database, name, verb="approve", outcome="refused", channel="page") == 1


def test_gauges_are_read_when_somebody_asks(database: Database) -> None:
    metrics = Metrics()
    database.write_now(lambda tx: tx.record("hub:started", actor="hub"))
    assert sample(metrics, database, "interlock_log_entries") == 1
    assert sample(metrics, database, "interlock_writer_queue") == 3
    assert sample(metrics, database, "interlock_followers") == 2


def test_a_state_that_nobody_is_in_any_more_disappears(database: Database) -> None:
    metrics = Metrics()
    seen = metrics.render(counts={"approval": {"DRAFT": 1}}, queued=0, entries=0, followers=0)
    gone = metrics.render(counts={"approval": {"REVIEWING": 1}}, queued=0, entries=0, followers=0)
    assert b'interlock_approvals{state="DRAFT"} 1.0' in seen
    assert b"DRAFT" not in gone


def test_two_hubs_in_one_process_do_not_mix(database: Database) -> None:
    one, other = Metrics(), Metrics()
    one.unproven("http", "bad_key")
    assert sample(one, database, "interlock_unproven_total", channel="http", code="bad_key") == 1
    assert sample(other, database, "interlock_unproven_total", channel="http", code="bad_key") is None


def test_deliveries_are_counted_as_the_log_tells_of_them(database: Database) -> None:
    metrics = Metrics()
    database.on_committed = metrics.learn
    for event in ("delivery:sent", "delivery:failed", "delivery:sent", "key:created"):
        database.write_now(lambda tx, event=event: tx.record(event, actor="hub", channel="mail"))
    assert sample(metrics, database, "interlock_deliveries_total", channel="mail", outcome="sent") == 2
    assert sample(metrics, database, "interlock_deliveries_total", channel="mail", outcome="failed") == 1


def test_commits_and_requests_are_measured(database: Database) -> None:
    metrics = Metrics()
    metrics.batch(64, 0.002)
    metrics.http("GET", "/v1/approvals/{id}", 200, 0.01)
    assert sample(metrics, database, "interlock_batch_functions_sum") == 64
    assert (
        sample(
            metrics, database, "interlock_http_seconds_count", method="GET", route="/v1/approvals/{id}", status="200"
        )
        == 1
    )
