"""What can be said of a kernel without compiling or running it: `check` finds faults. See docs/checks/."""
