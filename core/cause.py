"""What made the hub itself give a command, so that what follows from it can be told and bounded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """A schedule (`S3`) or a trigger (`trigger:restock`)."""

    by: str
    depth: int = 0
    """How many triggers led here, one after the other; 0 for what time alone began."""

    @property
    def details(self) -> Mapping[str, Any]:
        """What entries of the log say of it."""
        return {"by": self.by, "depth": self.depth}
