"""A gate's verdicts as JUnit's XML, which every CI shows: a suite an implementation, a case a cell and metric."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from typing import Any

import pandas as pd

from .. import gate
from .. import quantities as q
from ..gate_schema import Word
from ..views import records

_SKIPPED = frozenset({Word.UNDECIDED, Word.NEW, Word.MENDED, Word.NOT_COMPARED})
_NO_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml(frame: pd.DataFrame, info: gate.Info) -> str:
    """Write the document; what failed has its change as the failure's message."""
    root = ET.Element("testsuites", {"name": "gnbench gate"})
    for name, rows in frame.groupby("implementation", sort=False):
        cases = [_case(row) for row in records(rows)]
        suite = ET.SubElement(root, "testsuite", {"name": _plain(str(name)), "tests": str(len(cases))})
        for tag, attribute in (("failure", "failures"), ("skipped", "skipped")):
            suite.set(attribute, str(sum(case.find(tag) is not None for case in cases)))
        suite.set("errors", "0")
        suite.extend(cases)
    if root.find(".//failure") is None and info["outcome"] in {"regression", "no verdict"}:
        # All cells together, or a machine without a verdict: no cell's failure, and still not a success.
        suite = ET.SubElement(root, "testsuite", {"name": "gate", "tests": "1", "failures": "1"})
        case = ET.SubElement(suite, "testcase", {"classname": "gate", "name": "all cells together"})
        ET.SubElement(case, "failure", {"message": _plain(gate.headline(frame, info))})
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _case(row: Mapping[str, Any]) -> ET.Element:
    written = gate.cells(row)
    name = f"{written['problem']} {written['metric']}".strip()
    case = ET.Element("testcase", {"classname": _plain(row["implementation"]), "name": _plain(name)})
    if not q.is_null(row["place"]):
        case.set("file", _plain(row["place"]))
    message = _plain(f"{written['verdict']}: {written['change']} {written['why']}".strip())
    if row["verdict"] in gate.FAILING and q.is_null(row["allowed"]):
        ET.SubElement(case, "failure", {"message": message}).text = _plain(f"{written['base']} to {written['head']}")
    elif row["verdict"] in _SKIPPED:
        ET.SubElement(case, "skipped", {"message": message})
    return case


def _plain(text: str) -> str:
    return _NO_XML.sub("�", text)
