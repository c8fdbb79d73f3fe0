"""Planted truths: what the claims say of accuracies whose effects are known."""

from pathlib import Path

import pytest

from .trials import make
