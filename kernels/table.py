"""The plugin table: what an implementation says of itself, and the rows that said so."""

# ruff: noqa: D102, N802 (the protocol's properties are the contract's words: N, C, H, W, G)
from __future__ import annotations

import inspect as introspection
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

if TYPE_CHECKING:
    from torch import Tensor

DEVICES = ("cpu", "cuda")
DTYPES = ("float32", "float16", "bfloat16", "float64")
LAYOUTS = ("contiguous", "channels_last")
ACTIVATIONS = ("none", "silu", "relu")

NAMESPACE = re.sub(r"\W", "_", __package__ or "kernels")
"""The torch operators' namespace: it follows the name this package was imported under, so two revisions never clash."""

_NAME = re.compile(r"[a-z][a-z0-9_.-]*")

Function = TypeVar("Function", bound=Callable[..., Any])


class ProblemLike(Protocol):
    """What a row may read of a problem. G is the number of groups; the words are those of the results' columns."""

    @property
    def N(self) -> int: ...
    @property
    def C(self) -> int: ...
    @property
    def H(self) -> int: ...
    @property
    def W(self) -> int: ...
    @property
    def G(self) -> int: ...

    @property
    def dtype(self) -> str: ...
    @property
    def weight_dtype(self) -> str: ...
    @property
    def affine(self) -> bool: ...
    @property
    def eps(self) -> float: ...
    @property
    def layout(self) -> str: ...
    @property
    def direction(self) -> str: ...
    @property
    def activation(self) -> str: ...
    @property
    def device(self) -> str: ...


class RegistrationError(ValueError):
    """A row that the table cannot hold; the message says what it wants instead."""


class DuplicateName(RegistrationError):  # noqa: N818 (it names what is wrong, as KeyError's kin do)
    """A name registered a second time; the message names both places."""

    def __init__(self, name: str, first: str, second: str) -> None:
        places = " and at ".join(sorted((first, second)))
        super().__init__(f"{name!r} is registered twice: at {places}; rename one of them")
        self.name = name


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """Why a row takes no part in a problem, by the status it will have and in one line."""

    status: Literal["unavailable", "unsupported"]
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Implementation:
    """One row: a name, the call, and what it supports."""

    name: str
    call: Callable[..., Tensor] | None
    """``call(x, num_groups, weight, bias, eps)``, with ``activation=`` if there is more than one, ``out=`` if taken."""
    devices: tuple[str, ...] = DEVICES
    dtypes: tuple[str, ...] = DTYPES
    layouts: tuple[str, ...] = LAYOUTS
    activations: tuple[str, ...] = ACTIVATIONS
    differentiable: bool = False
    """Autograd works through the call."""
    supports: Callable[[ProblemLike], str | None] | None = None
    """Gives a reason when it cannot do this problem."""
    unavailable: Callable[[], str | None] | None = None
    """Gives a reason when it can do nothing on this machine."""
    untimed: Callable[[ProblemLike], str | None] | None = None
    """Gives a reason when a latency would mean nothing, as with an interpreted kernel."""
    backward: Callable[..., Any] | None = None
    """``backward(dy, x, num_groups, weight, bias, eps)``, with ``activation=`` if taken, gives (dx, dweight, dbias);
    the last two are None without weight and bias. Only needed where autograd does not go through the call."""
    takes_out: bool = False
    inspect: Callable[..., Any] | None = None
    """``inspect(arch)`` gives registers, spills and shared memory without launching."""
    launches: Callable[[ProblemLike, str], Collection[str]] | None = None
    """``launches(problem, arch)`` names what one call launches on such a GPU, in order and without launching it."""
    anew: Callable[[], Callable[..., Tensor]] | None = None
    """Gives a call of its own for each problem, as when it is compiled for that one; ``call`` serves any problem."""
    slow_start: bool = False
    """The first call compiles for seconds, so it gets fewer launches."""
    place: str = ""
    """Where it was registered, ``path:line``."""
    module: str = ""
    """The module that registered it."""
    broken: str | None = None
    """Why its import failed; then there is no call."""
    origin: Literal["builtin", "entry point", "plugin"] = "builtin"

    def unavailability(self) -> str | None:
        """Say why this row can do nothing on this machine, or None when it can."""
        if self.broken is not None or self.unavailable is None:
            return self.broken
        return _answer("unavailable", self.unavailable)

    def refusal(self, problem: ProblemLike) -> Refusal | None:
        """Say why this row takes no part in ``problem``, or None when it does."""
        if (reason := self.unavailability()) is not None:
            return Refusal(status="unavailable", reason=reason)
        for word, known in (
            ("device", self.devices),
            ("dtype", self.dtypes),
            ("layout", self.layouts),
            ("activation", self.activations),
        ):
            if (asked := getattr(problem, word)) not in known:
                return Refusal(status="unsupported", reason=f"{word} {asked}: only {', '.join(known)}")
        if problem.direction == "backward" and not (self.differentiable or self.backward):
            return Refusal(status="unsupported", reason="no backward pass: neither differentiable nor backward= given")
        if self.supports and (reason := _answer("supports", self.supports, problem)):
            return Refusal(status="unsupported", reason=reason)
        return None


_rows: dict[str, Implementation] = {}
sources: set[str] = set()
"""The modules that `discovery` has brought in, with success or without."""


def register(
    name: str,
    *,
    devices: Collection[str],
    dtypes: Collection[str] = ("float32", "float16", "bfloat16"),
    layouts: Collection[str] = LAYOUTS,
    activations: Collection[str] | None = None,
    differentiable: bool = False,
    supports: Callable[[ProblemLike], str | None] | None = None,
    unavailable: Callable[[], str | None] | None = None,
    untimed: Callable[[ProblemLike], str | None] | None = None,
    backward: Callable[..., Any] | None = None,
    inspect: Callable[..., Any] | None = None,
    launches: Callable[[ProblemLike, str], Collection[str]] | None = None,
    anew: Callable[[], Callable[..., Tensor]] | None = None,
    slow_start: bool = False,
) -> Callable[[Function], Function]:
    """Enter the decorated function in the table and return it unchanged.

    The function is called as ``group_norm(x, num_groups, weight, bias, eps, *, activation="none")``: x is
    (N, C, ...), contiguous or channels_last(_3d); weight and bias are (C,) of x's type or float32, or None;
    it returns a tensor of x's shape, type and memory format. ``activations=None`` means all of them when the
    function has a parameter ``activation``, else ``("none",)``. With a parameter ``out`` it may be given memory.
    ``backward(dy, x, num_groups, weight, bias, eps)`` gives (dx, dweight, dbias), where autograd goes no way through.

    Raises
    ------
    DuplicateName
        The name is taken.
    RegistrationError
        The name or a word among devices, dtypes, layouts or activations is not a known one.
    """
    caller = introspection.currentframe()
    caller = caller.f_back if caller else None
    place = f"{caller.f_code.co_filename}:{caller.f_lineno}" if caller else "an unknown place"
    module = str(caller.f_globals.get("__name__", "")) if caller else ""
    if not _NAME.fullmatch(name):
        raise RegistrationError(f"name {name!r}: a letter a-z first, then letters a-z, digits, '_', '.' or '-' only")

    def enter(function: Function) -> Function:
        parameters = introspection.signature(function).parameters
        default = ACTIVATIONS if "activation" in parameters else ("none",)
        add(
            Implementation(
                name=name,
                call=function,
                devices=_words("devices", devices, DEVICES),
                dtypes=_words("dtypes", dtypes, DTYPES),
                layouts=_words("layouts", layouts, LAYOUTS),
                activations=_words("activations", default if activations is None else activations, ACTIVATIONS),
                differentiable=differentiable,
                supports=supports,
                unavailable=unavailable,
                untimed=untimed,
                backward=backward,
                takes_out="out" in parameters,
                inspect=inspect,
                launches=launches,
                anew=anew,
                slow_start=slow_start,
                place=place,
                module=module,
            )
        )
        return function

    return enter


def add(row: Implementation) -> None:
    """Enter a row; raise `DuplicateName` if its name is taken."""
    if row.name in _rows:
        raise DuplicateName(row.name, _rows[row.name].place, row.place)
    _rows[row.name] = row


def put(row: Implementation) -> None:
    """Enter a row in place of whatever had its name."""
    _rows[row.name] = row


def remove(name: str) -> None:
    """Take a row out, if it is there."""
    _rows.pop(name, None)


def implementations() -> dict[str, Implementation]:
    """Give a copy of the table, name to row, in the order of registration."""
    return dict(_rows)


def get(name: str) -> Implementation:
    """Give one row; raise KeyError if there is none of that name."""
    return _rows[name]


def _words(argument: str, given: Collection[str], known: tuple[str, ...]) -> tuple[str, ...]:
    if isinstance(given, str):
        raise RegistrationError(f"{argument}={given!r}: a tuple of words is wanted, as ({given!r},)")
    for word in given:
        if word not in known:
            raise RegistrationError(f"{argument}: {word!r} is none of {', '.join(known)}")
    return tuple(word for word in known if word in given)


def _answer(question: str, function: Callable[..., str | None], *arguments: object) -> str | None:
    """Ask a row's own function; one that raises has answered with a reason."""
    try:
        answer = function(*arguments)
    except Exception as error:
        return f"its {question}() raised {one_line(error)}"
    return " ".join(str(answer).split()) if answer else None


def one_line(error: BaseException) -> str:
    """Say an exception in one line: its type and the first line of its message."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0].strip()}" if lines else type(error).__name__
