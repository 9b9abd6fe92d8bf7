"""How values are written on a page, and filling it in."""

from __future__ import annotations

from importlib import resources
from typing import Any

import pandas as pd
from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

_LONGEST_NAME = 80


def fill(template: str, **values: Any) -> str:
    """A page from a template of this folder; whatever the values hold is escaped, and plotly is in it."""
    page = Environment(
        loader=FunctionLoader(_template),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page.filters["number"] = number
    page.filters["percent"] = percent
    page.filters["words"] = lambda name: str(name).replace("_", " ")
    return page.get_template(template).render(**values, plotly=Markup(get_plotlyjs()))


def _template(name: str) -> str:
    # as a resource, for the package may be a zip
    return resources.files("songmood").joinpath(f"report/{name}").read_text(encoding="utf-8")


def known(value: Any, otherwise: str) -> str:
    """The value as text, or what stands for one that is not known."""
    return otherwise if value is None or pd.isna(value) or value == "" else str(value)


def song_name(title: Any, artist: Any) -> str:
    """ "Title – artist", cut to a length that a line bears."""
    return cut(f"{known(title, 'untitled')} – {known(artist, 'unknown artist')}")


def cut(text: str) -> str:
    """The text, cut to a length that a line bears."""
    return text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 1] + "…"


def year(year: Any) -> str:
    """A year, or a dash."""
    return "–" if year is None or pd.isna(year) else str(int(year))


def length(seconds: Any) -> str:
    """Minutes and seconds, or a dash."""
    if seconds is None or pd.isna(seconds):
        return "–"
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def share(part: int | None, whole: int | None) -> float | None:
    """part / whole, or None where one is missing."""
    return part / whole if part is not None and whole else None


def percent(share: float | None) -> str:
    """A share in percent with one decimal, or a dash."""
    return "–" if share is None or pd.isna(share) else f"{share:.1%}"


def number(value: Any, digits: int = 0) -> str:
    """A number with separators of thousands, or a dash."""
    return "–" if value is None or pd.isna(value) else f"{value:,.{digits}f}"


def duration(seconds: float) -> str:
    """Seconds, minutes or hours, whichever reads best."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
