"""Fills in the templates of this folder (*.html.j2)."""

from __future__ import annotations

from importlib import resources
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from songmood.report import formats


def fill(template: str, **values: Any) -> str:
    """A page from a template. It escapes all values and includes plotly."""
    environment = Environment(
        loader=FunctionLoader(_read),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = formats.number
    environment.filters["percent"] = formats.percent
    environment.filters["spaced"] = formats.spaced
    environment.filters["scale_start"] = formats.scale_start
    return environment.get_template(template).render(**values, plotly=Markup(get_plotlyjs()))


def _read(name: str) -> str:
    # as a resource, because the package may be in a zip
    return resources.files("songmood").joinpath(f"report/{name}").read_text(encoding="utf-8")
