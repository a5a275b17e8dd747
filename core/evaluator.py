"""The CEL evaluator, without the interactive command line that its package loads along (half a second, 20 MB)."""

from __future__ import annotations

import sys
from types import ModuleType

_nothing = ModuleType("cel.cli")
if sys.modules.setdefault("cel.cli", _nothing) is _nothing:
    from cel import Program, compile

    del sys.modules["cel.cli"]
else:
    from cel import Program, compile

__all__ = ["Program", "compile"]
