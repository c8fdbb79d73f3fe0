"""The machine as a benchmark sees it: what makes figures untrustworthy here, and what to do about it.

Data only; the command line shows it. Nothing here imports torch or a kernel. In the data's way: ``findings`` (the
record), ``cores`` and ``system`` and ``software`` (what is looked at), ``watch`` (the system's counters) and ``noise``
(equal work against itself), ``verdict`` (what that comes to), ``examination`` (the whole on one page).
"""

from bench.doctor.examination import Examination, examine
from bench.doctor.findings import Finding, Level

__all__ = ["Examination", "Finding", "Level", "examine"]
