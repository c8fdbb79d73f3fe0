"""The tables of a report as LaTeX, for a paper: needs the packages booktabs and longtable."""

from __future__ import annotations

from ..document import Document
from ..tables import Entry, Table

_SPECIAL = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "{": r"\{",
        "}": r"\}",
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "[": "{[}",
        "]": "{]}",
        "×": r"\ensuremath{\times}",
        "µ": r"\ensuremath{\mu}",
        "·": r"\ensuremath{\cdot}",
        "–": "--",
        "…": r"\ldots{}",
        "★": r"\ensuremath{\star}",
    }
)


def text(document: Document) -> str:
    r"""Write the sentences and every table of the document, to be read by ``\input``."""
    parts = ["% \\usepackage{booktabs,longtable}", *(escape(one) for one in document.sentences)]
    for section in document.sections:
        parts.append(f"\\subsection*{{{escape(section.title)}}}")
        parts += [_table(picture.table) for picture in section.pictures]
        parts += [_table(table) for table in section.tables]
    return "\n\n".join(parts) + "\n"


def escape(words: str) -> str:
    r"""Take away the meaning that LaTeX sees in a text.

    >>> escape("50 % of 2×3_a")
    '50 \\% of 2\\ensuremath{\\times}3\\_a'
    """
    return " ".join(words.split()).translate(_SPECIAL)


def _table(table: Table) -> str:
    flush = "".join("r" if place in table.numeric else "l" for place in range(len(table.columns)))
    rows = [" & ".join(_entry(entry) for entry in row) + r" \\" for row in table.rows]
    return "\n".join(
        [
            f"\\begin{{longtable}}{{{flush}}}",
            f"\\caption{{{escape(table.caption)}}}\\\\",
            r"\toprule",
            " & ".join(escape(name) for name in table.columns) + r" \\",
            r"\midrule",
            r"\endhead",
            *rows,
            r"\bottomrule",
            r"\end{longtable}",
        ]
    )


def _entry(entry: Entry) -> str:
    return f"\\textbf{{{escape(entry.text)}}}" if entry.mark == "fastest" else escape(entry.text)
