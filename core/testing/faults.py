"""An engine with faults where a test wants them; everything else is the real engine's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from core.store.engine import Engine


class Faults:
    """Wraps an engine: what is set for a method's name runs before that method, and may raise in its place."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.before: dict[str, Callable[[], object]] = {}
        self.instead: dict[str, Callable[..., Any]] = {}
        self.calls: dict[str, int] = {}

    @classmethod
    def around(cls, engine: Engine) -> tuple[Faults, Engine]:
        """The faults, and the same object as the engine that the writer gets."""
        faults = cls(engine)
        return faults, cast(Engine, faults)

    def once(self, method: str, fault: Callable[[], object]) -> None:
        """`fault` runs before the next call of `method` only."""

        def run() -> None:
            del self.before[method]
            fault()

        self.before[method] = run

    def lose_transaction(self) -> None:
        """The database has given up the whole transaction, as SQLite does by itself after an I/O error."""
        self.engine.rollback()

    def __getattr__(self, name: str) -> Any:
        real = getattr(self.engine, name)
        if not callable(real):
            return real

        def call(*args: Any, **values: Any) -> Any:
            self.calls[name] = self.calls.get(name, 0) + 1
            if name in self.before:
                self.before[name]()
            return self.instead.get(name, real)(*args, **values)

        return call
