"""What was measured: rows for a table, `results.json` and the charts."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One figure. `ratio` is value by the value of `against`; `low` and `high` are its spread over the pairs."""

    name: str
    value: float | None
    unit: str
    against: str = ""
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    target: str = ""
    met: bool | None = None
    note: str = ""
    per_cpu_second: float | None = None
    """For the chart."""


def compared(
    name: str, unit: str, ours: Sequence[float], theirs: Sequence[float], against: str, least: float | None
) -> Row:
    """The median of pairs measured one after the other, A B A B: what disturbs one disturbs its neighbour too."""
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    ratio = statistics.median(ratios)
    return Row(
        name=name,
        value=round(statistics.median(ours), 1),
        unit=unit,
        against=against,
        ratio=round(ratio, 3),
        low=round(min(ratios), 3),
        high=round(max(ratios), 3),
        target="" if least is None else f">= {least:g}",
        met=None if least is None else ratio >= least,
    )


def bounded(name: str, value: float, unit: str, most: float | None, note: str = "") -> Row:
    """A figure that should not exceed a bound."""
    target = "" if most is None else f"<= {most:g}"
    return Row(name, round(value, 3), unit, target=target, met=None if most is None else value <= most, note=note)


def skipped(name: str, why: str) -> Row:
    """What could not be measured here, and why."""
    return Row(name, None, "", note=why)


def table(rows: Sequence[Row]) -> str:
    """For people."""
    cells = [("measure", "value", "unit", "against", "ratio", "spread", "target", "met", "note")]
    for row in rows:
        spread = "" if row.low is None else f"{row.low:g}-{row.high:g}"
        met = "" if row.met is None else "yes" if row.met else "NO"
        value = "-" if row.value is None else f"{row.value:,.12g}"
        ratio = "" if row.ratio is None else f"{row.ratio:g}"
        cells.append((row.name, value, row.unit, row.against, ratio, spread, row.target, met, row.note))
    widths = [max(len(line[column]) for line in cells) for column in range(9)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells
    )


def write(rows: Sequence[Row], file: Path) -> None:
    """As a list of objects."""
    file.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
