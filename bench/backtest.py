"""Replaying the requests of a long log under other policies: how long it takes, and what it holds."""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.approvals import CONFIG
from bench.filled import made_one

REQUESTS = 100_000
_OTHER = CONFIG.replace("count: 5}]", "count: 1}, {group: security, count: 1}]")
_ENTRIES = """
WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < :count)
INSERT INTO log SELECT :size + n.id, entry, leaf_hash, ts, event, actor, subject, channel
FROM n, (SELECT * FROM log WHERE event = 'approval:requested')
"""
_VALUES = """
WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < :count)
INSERT INTO log_value SELECT :size + n.id, field, salt, value
FROM n, (SELECT * FROM log_value WHERE seq = (SELECT seq FROM log WHERE event = 'approval:requested'))
"""


async def replayed() -> dict[str, float]:
    """Requests a second, and the most memory that the command held, over as many copies of one recorded request."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        await made_one(root, CONFIG)
        with sqlite3.connect(root / "data" / "hub.db") as database:
            size = database.execute("SELECT max(seq) FROM log").fetchone()[0]
            for statement in (_VALUES, _ENTRIES):
                database.execute(statement, {"count": REQUESTS, "size": size})
        database.close()
        (root / "new.yaml").write_text(_OTHER)
        given = ["--config", str(root / "hub.yaml"), "--data", str(root / "data")]
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "config.cli.main", "policy", "backtest", str(root / "new.yaml"), *given],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        )
        took = time.perf_counter() - began
    return {"per second": REQUESTS / took, "MB": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024}
