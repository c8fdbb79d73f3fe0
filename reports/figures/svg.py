"""A figure as SVG to stand inside a page: same bytes for the same figure, no id twice, no style that leaks.

matplotlib writes colours as ``style="fill: …"``, a global ``<style>`` and ids that two figures may share. Here every
declaration becomes a presentation attribute, so that the picture keeps its colours where a site's policy forbids
inline styles, and so that the page's style sheet can give each known colour its dark variant by attribute selector
(``[fill="#0072b2"]``) without a class in the picture.
"""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET

from matplotlib import rc_context
from matplotlib.figure import Figure

_SVG = "http://www.w3.org/2000/svg"
_XLINK = "{http://www.w3.org/1999/xlink}href"
_DROPPED = {f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"}


def inline(figure: Figure, key: str, title: str) -> str:
    """Write a figure as an ``<svg>`` element.

    Parameters
    ----------
    figure
        The picture.
    key
        Prefix of every id in it; unlike that of any other picture of the page.
    title
        The finding; read out in the picture's place.
    """
    root = ET.fromstring(_written(figure, key))  # noqa: S314 - matplotlib wrote it a line above
    _clean(root, key)
    root.attrib = {
        "viewBox": root.attrib["viewBox"],
        "role": "img",
        "aria-labelledby": f"{key}-title",
        # What matplotlib says for everything in its global style.
        "stroke-linejoin": "round",
        "stroke-linecap": "butt",
        "font-family": "system-ui, sans-serif",
        "class": "picture",
    }
    for child in root:
        child.set("aria-hidden", "true")
    spoken = ET.Element(f"{{{_SVG}}}title", {"id": f"{key}-title"})
    spoken.text = title
    root.insert(0, spoken)
    ET.register_namespace("", _SVG)
    return ET.tostring(root, encoding="unicode")


def _written(figure: Figure, key: str) -> str:
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": key}):
        target = io.StringIO()
        figure.savefig(target, format="svg", metadata={"Date": None}, transparent=True)
    return target.getvalue()


def _clean(element: ET.Element, key: str) -> None:
    for child in list(element):
        if child.tag in _DROPPED:
            element.remove(child)
        else:
            _clean(child, key)
    _prefix_ids(element.attrib, key)
    _spread_style(element.attrib)
    if element.text and not element.text.strip():
        element.text = None
    if element.tail and not element.tail.strip():
        element.tail = None
    if "d" in element.attrib:
        element.set("d", " ".join(element.attrib["d"].split()))


def _prefix_ids(attributes: dict[str, str], key: str) -> None:
    if "id" in attributes:
        attributes["id"] = f"{key}-{attributes['id']}"
    if _XLINK in attributes:
        attributes["href"] = f"#{key}-{attributes.pop(_XLINK).removeprefix('#')}"
    if attributes.get("clip-path", "").startswith("url(#"):
        attributes["clip-path"] = attributes["clip-path"].replace("url(#", f"url(#{key}-")


def _spread_style(attributes: dict[str, str]) -> None:
    for declaration in attributes.pop("style", "").split(";"):
        name, _, value = declaration.partition(":")
        # The page's own font takes over; its size was laid out in DejaVu Sans, which is wider than most.
        if name.strip() not in {"", "font-family"}:
            attributes[name.strip()] = value.strip()
