"""A report as one HTML file: no network, finished without JavaScript, light and dark, for screen, phone and paper."""

from __future__ import annotations

from dataclasses import asdict
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from ..document import Brush, Document, Picture
from ..figures import svg
from ..style import GREY, SLOTS, TINTS

_TEMPLATES = Path(__file__).parent.parent / "templates"


def text(document: Document) -> str:
    """Write the document as a page. Everything that comes from a plugin is escaped."""
    template = _environment().get_template("report.html.jinja")
    return template.render(
        document=document,
        picture=_picture,
        brush=_brush,
        style=Markup(_palette() + _file("report.css")),  # noqa: S704 - our own files
        script=Markup(_file("report.js") + _brushing(document)),  # noqa: S704 - our own files
    )


def _picture(picture: Picture) -> Markup:
    # The SVG is made by ElementTree, which escapes what it is given.
    return Markup(svg.inline(picture.draw(), f"picture-{picture.key}", picture.finding))  # noqa: S704


def _brush(brush: Brush) -> Markup:
    """Write a brush for the page's script; signs that HTML gives a meaning are escaped."""
    return htmlsafe_json_dumps(asdict(brush), ensure_ascii=False)


def _brushing(document: Document) -> str:
    is_brushed = any(picture.brush for section in document.sections for picture in section.pictures)
    return _file("parallel.js") if is_brushed else ""


def _palette() -> str:
    """Write every colour's two variants as custom properties, and let pictures follow them."""
    light = "".join(f"--{tint.name}:{tint.light};" for tint in TINTS)
    dark = "".join(f"--{tint.name}:{tint.dark};" for tint in TINTS)
    follow = "".join(
        f'.picture [{name}="{tint.light}"]{{{name}:var(--{tint.name})}}'
        for tint in TINTS
        for name in ("fill", "stroke")
    )
    signs = "".join(f"[data-slot={tint.name}]{{color:var(--{tint.name})}}" for tint in (*SLOTS, GREY))
    return (
        f":root{{color-scheme:light;{light}}}"
        f"@media screen and (prefers-color-scheme:dark){{:root:not([data-theme=light]){{color-scheme:dark;{dark}}}}}"
        f"@media screen{{:root[data-theme=dark]{{color-scheme:dark;{dark}}}}}"
        f"{follow}{signs}\n"
    )


@cache
def _file(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
