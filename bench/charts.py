"""Bar charts as SVG, readable on light and dark pages."""

from collections.abc import Mapping
from html import escape
from pathlib import Path

_WIDTH, _ROW, _LEFT = 720, 34, 170
_STYLE = (
    "text{font:14px system-ui,sans-serif;fill:#333}.ours{fill:#d97706}.theirs{fill:#64748b}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}}"
)


def bars(title: str, unit: str, values: Mapping[str, float], file: Path) -> None:
    """One bar each, the longest for the largest; `gateway` stands out."""
    most = max(values.values()) or 1
    parts = [f'<text x="0" y="18" font-weight="bold">{escape(title)}</text>']
    for row, (name, value) in enumerate(values.items()):
        top = 34 + row * _ROW
        width = max(2, (_WIDTH - _LEFT - 110) * value / most)
        kind = "ours" if name == "gateway" else "theirs"
        parts.append(f'<text x="{_LEFT - 10}" y="{top + 18}" text-anchor="end">{escape(name)}</text>')
        parts.append(f'<rect class="{kind}" x="{_LEFT}" y="{top}" width="{width:.1f}" height="24" rx="3"/>')
        parts.append(f'<text x="{_LEFT + width + 8:.1f}" y="{top + 18}">{value:,.0f}</text>')
    height = 44 + len(values) * _ROW
    label = f"{title}: " + ", ".join(f"{name} {value:,.0f} {unit}" for name, value in values.items())
    file.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="{escape(label)}"><style>{_STYLE}</style>{"".join(parts)}</svg>\n'
    )
