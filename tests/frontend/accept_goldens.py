"""Rewrites the golden IR from what the frontend gives now: `python -m tests.frontend.accept_goldens`."""

from pathlib import Path

from xpiler.frontend import parse
from xpiler.ir.printer import show

if __name__ == "__main__":
    for source in sorted((Path(__file__).parent.parent / "golden" / "frontend").glob("*.cu")):
        unit = parse(source.read_text(), source.name)
        for refusal in unit.refusals.values():
            print(refusal)
        source.with_suffix(".ir").write_text("\n".join(show(k).rstrip() + "\n" for k in unit.program.kernels))
