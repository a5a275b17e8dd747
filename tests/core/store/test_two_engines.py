from core.store.database import Database


def test_a_written_entry_is_in_the_log(any_database: Database) -> None:
    any_database.write_now(lambda tx: tx.record("hub:started", actor=None))
    assert any_database.log.size == 1
