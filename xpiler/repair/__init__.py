"""Finding and mending what is wrong in a translation: `repair(source, target)`. See docs/repair.md."""

from xpiler.repair.engine import mend, repair
from xpiler.repair.result import Localized, Repair

__all__ = ["Localized", "Repair", "mend", "repair"]
