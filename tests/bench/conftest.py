"""What several rooms' tests share."""

import sys
from pathlib import Path

# The tests are no package (importlib mode), so the simulated device is found by its folder.
sys.path.append(str(Path(__file__).parent))
