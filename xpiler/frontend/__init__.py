"""Source text to IR: `parse(text, file)` gives a `Unit`. See docs/ARCHITECTURE.md."""

from xpiler.frontend.lower import parse
from xpiler.frontend.unit import HostFunction, KernelText, LaunchSite, Unit

__all__ = ["HostFunction", "KernelText", "LaunchSite", "Unit", "parse"]
