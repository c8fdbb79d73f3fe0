"""The table of faults is a module beside the tests, which are no package (importlib mode)."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
