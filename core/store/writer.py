"""The one writer: a thread that turns a queue of functions into group commits.

Each batch is one transaction. Every function runs in a savepoint of its own; the log entries of all of
them are appended together; COMMIT happens once; only then is anybody answered, refused ones too.

Failure rules (DESIGN section 2):

* After every function the outer transaction must still be open. If it is not, the database has rolled
  back everything and the next savepoint would commit by itself: the batch is void, nothing in it is
  answered, what was built in memory is dropped, and its functions run again one at a time.
* A refusal is a value: the function's changes are undone, then `refused` appends the refusal and stores
  the answer in the same commit.
* A COMMIT that fails with an I/O error ends the process, because nobody can know what is on the disk.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

from core.audit.log import Committed, LogHead
from core.clock import SECOND
from core.errors import Refusal, StoreError, StoreLost, Unavailable
from core.store.engine import Engine
from core.store.job import Job, answer_all
from core.store.tx import Tx

BATCH_FUNCTIONS = 256
BATCH_SECONDS = 0.005
QUEUE_LIMIT = 10_000
_IDLE_SECONDS = 0.25

logger = logging.getLogger("interlock.writer")


class _Void(Exception):
    """The outer transaction is gone; carries the error that ended it."""


class Writer:
    """Owns the writing connection and its thread."""

    def __init__(
        self,
        engine: Engine,
        head: LogHead,
        *,
        publish: Callable[[list[Committed], list[Callable[[], object]], list[Job]], object],
        on_lost: Callable[[BaseException], object],
    ) -> None:
        self._engine = engine
        self._head = head
        self._publish = publish
        self._on_lost = on_lost
        self._wake = threading.Condition()
        self._urgent: deque[Job] = deque()
        self._normal: deque[Job] = deque()
        self._stopping = False
        self._failed: BaseException | None = None
        self._alive_at = 0.0
        self._stalled_us = 0
        self._unanswered: deque[Job] = deque()
        self.on_stall: Callable[[Tx, int], object] | None = None
        """Called first in a batch, with the microseconds that the writer stood still (see core/leases)."""
        self.on_batch: Callable[[int, float], object] | None = None
        """Told of each commit, with how many functions it held and how many seconds it took."""
        self.before_append: Callable[[Tx], object] | None = None
        """Called once a batch, after its functions, when they recorded anything: what must follow from the entries in
        the same transaction (the outbox). Its failure undoes its own changes and nothing else."""
        self._thread = threading.Thread(target=self._work, name="interlock-writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def queued(self) -> int:
        """Functions that wait for their batch."""
        return len(self._urgent) + len(self._normal)

    @property
    def healthy(self) -> bool:
        """Whether the writer takes work."""
        return self._failed is None and not self._stopping and self._thread.is_alive()

    def submit(self, job: Job) -> None:
        """Queue a job. Raises Unavailable (`overloaded`, `stopping`, `store_failed`) without queueing it."""
        with self._wake:
            if self._failed is not None:
                raise Unavailable("store_failed", "the database failed; the hub is stopping")
            if self._stopping:
                raise Unavailable("stopping", "the hub is stopping; ask again when it is back", retry_after_seconds=5)
            if not job.urgent and self.queued >= QUEUE_LIMIT:
                raise Unavailable("overloaded", "the hub has too much to do; ask again shortly", retry_after_seconds=1)
            (self._urgent if job.urgent else self._normal).append(job)
            self._wake.notify()

    def stop(self) -> None:
        """Finish what is queued, then close the connection."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join()

    def _take(self) -> list[Job] | None:
        """The next batch, urgent jobs first; an empty list when idle, None when the work is over."""
        with self._wake:
            if not self._urgent and not self._normal:
                if self._stopping:
                    return None
                self._wake.wait(_IDLE_SECONDS)
            jobs: list[Job] = []
            for queue in (self._urgent, self._normal):
                while queue and len(jobs) < BATCH_FUNCTIONS:
                    jobs.append(queue.popleft())
            return jobs

    def _work(self) -> None:
        self._alive_at = time.monotonic()
        try:
            while (jobs := self._take()) is not None:
                if jobs:
                    self._serve(jobs)
                else:
                    self._note_stall()
                self._engine.rest(idle=not jobs)
        except BaseException as error:
            self._fail(error)
        finally:
            self._engine.close()

    def _note_stall(self) -> None:
        """Time in which nothing could be written, since this was last called, is owed to whoever had a deadline."""
        now = time.monotonic()
        stood_still = now - self._alive_at
        self._alive_at = now
        if stood_still > 2 * _IDLE_SECONDS:
            self._stalled_us += int(stood_still * SECOND)

    def _fail(self, error: BaseException) -> None:
        logger.critical("the writer ended: %s", error)
        with self._wake:
            self._failed = error
            left = [*self._unanswered, *self._urgent, *self._normal]
            self._urgent.clear()
            self._normal.clear()
        for job in left:
            job.error = StoreError("the database failed; nothing of this was done")
        answer_all(left)
        self._on_lost(error)

    def _serve(self, jobs: list[Job]) -> None:
        """Answer every job, in as few transactions as the failure rules and the time bound allow."""
        self._unanswered = todo = deque(jobs)
        while todo:
            try:
                done = self._attempt(list(todo))
            except _Void as void:
                logger.warning("a batch of %d was void (%s); running its functions one at a time", len(todo), void)
                self._one_by_one(todo)
                return
            for _ in range(done):
                todo.popleft()

    def _one_by_one(self, todo: deque[Job]) -> None:
        while todo:
            try:
                self._attempt([todo[0]])
            except _Void as void:
                todo[0].error = _explain(void.__cause__)
                answer_all([todo[0]])
            todo.popleft()

    def _attempt(self, jobs: list[Job]) -> int:
        """Run jobs in one transaction until the time bound; commit; answer those. Raises _Void when all is gone."""
        engine = self._engine
        done: list[Job] = []
        began = time.perf_counter()
        try:
            tx = Tx(engine, engine.begin(sorted({lock for job in jobs for lock in job.locks})))
            self._note_stall()
            stalled_us = self._stalled_us
            if stalled_us and self.on_stall is not None:
                self.on_stall(tx, stalled_us)
            deadline = time.perf_counter() + BATCH_SECONDS
            room = engine.has_room()
            for job in jobs:
                self._run(tx, job, room)
                done.append(job)
                if time.perf_counter() > deadline:
                    break
            self._follow(tx)
            engine.lock_log()
            self._check_open(None)  # outside a transaction the entries would commit one by one
            candidate = self._head.append(engine, tx.drafts, tx.now_us) if tx.drafts else None
            self._check_open(None)
            engine.commit()
        except StoreLost as lost:
            for job in done:
                job.error = lost
                self._unanswered.popleft()
            answer_all(done)
            raise
        except _Void:
            engine.rollback()
            raise
        except Exception as error:
            engine.rollback()
            raise _Void(str(error)) from error
        self._stalled_us -= stalled_us
        if candidate is not None:
            self._head.replace(candidate)
        if self.on_batch is not None:
            self.on_batch(len(done), time.perf_counter() - began)
        # News first: whoever hears that a key was revoked must find it revoked.
        self._publish(candidate.committed if candidate is not None else [], tx.callbacks, done)
        return len(done)

    def _run(self, tx: Tx, job: Job, room: bool) -> None:
        """Run one job in its savepoint, leaving its result or its error in the job."""
        engine = self._engine
        mark = tx.mark()
        job.result = job.error = None
        engine.savepoint()
        try:
            if not room and not job.urgent:
                raise Unavailable("disk_reserve", "the hub's disk is almost full; free space there, then ask again")
            job.result = job.fn(tx, *job.args)
        except Refusal as refusal:
            self._check_open(refusal)
            engine.undo()
            tx.rewind(mark)
            self._refuse(tx, job, refusal)
        except Exception as error:
            self._check_open(error)
            engine.undo()
            tx.rewind(mark)
            job.error = _explain(error)
        else:
            self._check_open(None)
            engine.release()

    def _follow(self, tx: Tx) -> None:
        if self.before_append is None or not tx.drafts:
            return
        mark = tx.mark()
        self._engine.savepoint()
        try:
            self.before_append(tx)
        except Exception as error:
            self._check_open(error)
            self._engine.undo()
            tx.rewind(mark)
            logger.exception("what follows from a batch's entries could not be written")
        else:
            self._engine.release()

    def _refuse(self, tx: Tx, job: Job, refusal: Refusal) -> None:
        if job.refused is None:
            job.error = refusal
            return
        mark = tx.mark()
        self._engine.savepoint()
        try:
            job.result = job.refused(tx, refusal)
        except Exception as error:
            self._check_open(error)
            self._engine.undo()
            tx.rewind(mark)
            job.error = error if isinstance(error, Refusal) else _explain(error)
        else:
            self._check_open(None)
            self._engine.release()

    def _check_open(self, error: BaseException | None) -> None:
        if not self._engine.is_open():
            raise _Void("the transaction was lost") from error


def _explain(error: BaseException | None) -> BaseException:
    """What a caller gets for what was no refusal: a bug keeps its type, a database error becomes StoreError."""
    if error is None:
        return StoreError("the database lost the transaction; nothing of this was done")
    if type(error).__module__.partition(".")[0] in ("sqlite3", "psycopg"):
        if "full" in str(error).lower() or type(error).__name__ == "DiskFull":
            return Unavailable("disk_full", "the hub's disk is full; nothing of this was done")
        if "readonly" in str(error).lower().replace("-", ""):
            return Unavailable("read_only", "the hub's database is read-only; nothing of this was done")
        return StoreError(f"the database failed: {error}")
    return error
