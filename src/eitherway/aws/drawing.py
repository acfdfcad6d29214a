"""A small SVG writer: panels, boxes with lines of text, upright arrows."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

PEOPLE, API, QUEUE, FUNCTION, DATABASE = "#475569", "#8c4fff", "#e7157b", "#ed7100", "#c925d1"
"""What kind of thing a box is, as a colour."""

_LINE = 20  # between lines of text
_HEAD = 44  # from a box's top to its first line
_FOOT = 16
_INK, _SOFT, _EDGE, _PAPER, _PANEL = "#0f172a", "#475569", "#cbd5e1", "#ffffff", "#f8fafc"
_CHARACTER = 6.7  # the width of most, at 13 px
_STYLE = (
    "text{font-family:ui-sans-serif,system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',"
    f"sans-serif;fill:{_INK}}}"
    ".name{font-size:14px;font-weight:600}"
    f".line{{font-size:13px;fill:{_SOFT}}}"
    f".label{{font-size:12px;fill:{_SOFT};paint-order:stroke;stroke:{_PANEL};stroke-width:4px}}"
    ".half{font-size:13px;font-weight:600;letter-spacing:.06em;text-transform:uppercase}"
    ".title{font-size:24px;font-weight:700}"
)


@dataclass
class Box:
    """A thing with a name and what is in it. Lengths are pixels."""

    name: str
    lines: list[str]
    colour: str
    x: float = 0
    y: float = 0
    width: float = 0
    height: float = 0

    @property
    def natural_height(self) -> float:
        """What its lines need."""
        return _HEAD + _LINE * len(self.lines) + (_FOOT - 8 if self.lines else 0)

    @property
    def bottom(self) -> float:
        """Where it ends."""
        return self.y + self.height


class Drawing:
    """Shapes, in the order in which they are added."""

    def __init__(self, width: float, height: float, about: str) -> None:
        self._width, self._height = width, height
        self._shapes = [
            f"<title>{escape(about)}</title>",
            _rectangle((0, 0, width, height), _PAPER),
        ]

    def svg(self) -> str:
        """The document."""
        size = f'width="{self._width:g}" height="{self._height:g}"'
        view = f'viewBox="0 0 {self._width:g} {self._height:g}"'
        head = "".join(
            f'<marker id="{name}" markerWidth="10" markerHeight="10" refX="8" refY="4" '
            f'orient="auto"><path d="M0,0 L8,4 L0,8 Z" fill="{_SOFT}"/></marker>'
            for name in ("head",)
        )
        opening = f'<svg xmlns="http://www.w3.org/2000/svg" {size} {view} role="img">'
        return "\n".join(
            [opening, f"<style>{_STYLE}</style>", f"<defs>{head}</defs>", *self._shapes, "</svg>\n"]
        )

    def title(self, x: float, y: float, name: str, more: str) -> None:
        """What it is a picture of."""
        self._text(x, y, name, "title")
        self._text(x, y + 24, more, "line")

    def panel(self, x: float, y: float, width: float, height: float, name: str) -> None:
        """One half."""
        edge = f'rx="14" stroke="{_EDGE}"'
        self._shapes.append(_rectangle((x, y, width, height), _PANEL, edge))
        self._text(x + 24, y + 30, name, "half")

    def box(self, box: Box) -> None:
        """A box, its name and its lines, cut where they are too long."""
        edge = f'rx="8" stroke="{_EDGE}"'
        self._shapes.append(_rectangle((box.x, box.y, box.width, box.height), _PAPER, edge))
        self._shapes.append(_rectangle((box.x + 12, box.y + 13, 14, 14), box.colour, 'rx="4"'))
        self._text(box.x + 36, box.y + 25, box.name, "name")
        room = int((box.width - 32) / _CHARACTER)
        for number, line in enumerate(box.lines):
            shown = line if len(line) <= room else line[: room - 1] + "…"
            self._text(box.x + 16, box.y + _HEAD + 10 + _LINE * number, shown, "line")

    def arrow(self, x: float, start: float, end: float, label: str, *, at: float = 0.5) -> None:
        """An upright arrow; its label stands to the right of it, `at` that part of the way."""
        tip = end - 3 if end > start else end + 3
        self._shapes.append(
            f'<path d="M{x:g},{start:g} V{tip:g}" stroke="{_SOFT}" stroke-width="1.6" fill="none" '
            'marker-end="url(#head)"/>'
        )
        self._text(x + 9, start + (end - start) * at + 4, label, "label")

    def _text(self, x: float, y: float, text: str, kind: str) -> None:
        self._shapes.append(f'<text x="{x:g}" y="{y:g}" class="{kind}">{escape(text)}</text>')


def _rectangle(at: tuple[float, float, float, float], fill: str, more: str = "") -> str:
    x, y, width, height = at
    place = f'x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"'
    return f'<rect {place} fill="{fill}" {more}/>'.replace(" />", "/>")
