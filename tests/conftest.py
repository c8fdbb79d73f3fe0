"""Settings of all tests."""

import os
import sys
from pathlib import Path

from hypothesis import settings

# A deadline is a timing asserted in a test: on a busy machine it fails for no fault of the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# Tests of several checkouts may run at once on one machine; those of the claims unset it.
os.environ.setdefault("GNBENCH_SHARE_DEVICE", "1")

# The tests are no package (importlib mode): the machine that runs CUDA on the CPU is found by its folder.
sys.path.append(str(Path(__file__).parent / "cuda_on_cpu"))
# Likewise the trials with planted truths, which tests of bench and of reports share.
sys.path.append(str(Path(__file__).parent))
