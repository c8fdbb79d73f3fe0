"""A report as Markdown: text and tables, safe to paste where HTML and pipes have a meaning."""

from __future__ import annotations

import re

from ..document import Document, Section
from ..tables import Entry, Table

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~$])")


def text(document: Document) -> str:
    """Write the document as GitHub's Markdown."""
    parts = [f"# {escape(document.title)}", escape(document.subject), *(escape(one) for one in document.sentences)]
    if document.warnings:
        parts.append("\n".join(f"> **Warning:** {escape(one)}" for one in document.warnings))
    parts.append(
        _rows([("", ""), ("---", "---:"), *((escape(what), escape(figure)) for what, figure in document.strip)])
    )
    for section in document.sections:
        parts += _section(section)
    parts.append(escape(document.foot))
    return "\n\n".join(part for part in parts if part) + "\n"


def escape(words: str) -> str:
    r"""Take away the meaning that Markdown and HTML see in a text, and its line breaks.

    >>> escape("<b>|`x`")
    '\\<b\\>\\|\\`x\\`'
    """
    return (
        _SPECIAL.sub(r"\\\1", " ".join(words.split()))
        .replace("&", "&amp;")
        .replace("@", "&#64;")
        .replace(":/", "&#58;/")
    )


def _section(section: Section) -> list[str]:
    parts = [f"## {escape(section.title)}", *(escape(one) for one in section.prose)]
    for picture in section.pictures:
        parts += [escape(picture.finding), _table(picture.table), f"*{escape(picture.reading)}*"]
    parts += [_table(one) for one in section.tables]
    parts += [_fenced(one) for one in section.commands]
    return parts


def _fenced(command: str) -> str:
    longest = max((len(run) for run in re.findall("`+", command)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}sh\n{command}\n{fence}"


def _table(table: Table) -> str:
    flush = ["---:" if place in table.numeric else "---" for place in range(len(table.columns))]
    heading = [escape(name) for name in table.columns]
    return f"**{escape(table.caption)}**\n\n" + _rows(
        [heading, flush, *([_entry(one) for one in row] for row in table.rows)]
    )


def _entry(entry: Entry) -> str:
    return f"**{escape(entry.text)}** ★" if entry.mark == "fastest" else escape(entry.text)


def _rows(rows: list[list[str]] | list[tuple[str, str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
