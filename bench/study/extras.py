"""Packages that the study needs beyond the suite's own, and the line that brings them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from types import MappingProxyType

from bench.errors import UsageError


@dataclass(frozen=True, kw_only=True, slots=True)
class Extra:
    """A package: the module it is imported by, its name at the index, and the extra that brings it."""

    module: str
    package: str
    extra: str


PACKAGES: Mapping[str, Extra] = MappingProxyType(
    {
        "optuna": Extra(module="optuna", package="optuna", extra="study"),
        "scikit-learn": Extra(module="sklearn", package="scikit-learn", extra="study"),
        "mlxtend": Extra(module="mlxtend", package="mlxtend", extra="study"),
        "wandb": Extra(module="wandb", package="wandb", extra="wandb"),
        "tensorboard": Extra(module="tensorboard", package="tensorboard", extra="tensorboard"),
    }
)


def require(package: str, argument: str) -> None:
    """Refuse to go on without a package.

    Raises
    ------
    UsageError
        It is not installed; the mend is the line that installs it.
    """
    extra = PACKAGES[package]
    if find_spec(extra.module) is None:
        raise UsageError(argument, f"{package} is not installed", f"pip install 'groupnorm-bench[{extra.extra}]'")
