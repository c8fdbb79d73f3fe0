import json
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.plan.axes import resolve_groups
from bench.plan.problem import ACTIVATIONS, DIRECTIONS, ITEM_BYTES, LAYOUTS, Problem, ProblemError
from bench.plan.sweep import AXES, Axes, Counted, LeftOut, Sweep, expand, shard


def axes(**changed):
    return Axes(**({"N": (2,), "C": (32,), "H": (4,), "W": (5,), "G": ("8",)} | changed))


def sweep(*entries):
    return Sweep(entries=entries)


def few(values):
    return st.lists(values, min_size=1, max_size=3, unique=True).map(tuple)


SIZES = few(st.integers(1, 48))
ENTRIES = st.builds(
    Axes,
    N=SIZES,
    C=SIZES,
    H=SIZES,
    W=SIZES,
    G=few(st.sampled_from(["1", "2", "8", "32", "C", "C/4", "C/16"])),
    dtype=few(st.sampled_from(list(ITEM_BYTES))),
    weight_dtype=few(st.sampled_from(["", "float32"])),
    affine=few(st.booleans()),
    eps=few(st.floats(1e-12, 1)),
    layout=few(st.sampled_from(LAYOUTS)),
    direction=few(st.sampled_from(DIRECTIONS)),
    activation=few(st.sampled_from(ACTIVATIONS)),
    count=st.integers(1, 9),
    source=st.text(max_size=5),
)


def test_a_product_in_the_order_of_its_axes():
    made = expand(sweep(axes(N=(1, 2), G=("8", "C", "C/16"), dtype=("float32", "bfloat16"))))
    found = [(one.problem.N, one.problem.G, one.problem.dtype) for one in made.problems]
    assert found == list(product((1, 2), (8, 32, 2), ("float32", "bfloat16")))
    assert made.left_out == ()


@given(ENTRIES)
def test_every_combination_is_a_problem_or_left_out_with_its_reason(entry):
    made = expand(sweep(entry))
    keys, refused = set(), 0
    for values in product(*(getattr(entry, name) for name in AXES)):
        chosen = dict(zip(AXES, values, strict=True))
        try:
            keys.add(Problem(**(chosen | {"G": resolve_groups(chosen["G"], chosen["C"])})).key)
        except ProblemError:
            refused += 1
    assert sum(one.count for one in made.left_out) == refused
    assert sorted(one.problem.key for one in made.problems) == sorted(keys)
    assert {(one.count, one.source) for one in made.problems} <= {(entry.count, entry.source)}


def test_the_left_out_are_counted_by_reason_with_the_first_as_example():
    made = expand(sweep(axes(N=(2, 4), C=(30, 32), G=("32", "C/16", "C"))))
    assert made.left_out == (
        LeftOut(reason="C is not divisible by G", count=2, example="N2-C30-H4-W5-G32"),
        LeftOut(reason="G = C/16 is not a whole number", count=2, example="N2-C30-H4-W5-GC/16"),
    )
    assert len(made.problems) == 2 * (1 + 2)  # of 32 channels, 32 and C are the same number of groups


def test_a_problem_beyond_63_bits_is_left_out():
    made = expand(sweep(axes(N=(10**12,), H=(10**6,))))
    assert made.problems == ()
    assert [one.reason for one in made.left_out] == ["more bytes than 63 bits can count"]


def test_equal_problems_are_one():
    made = expand(sweep(axes(count=3, source="a"), axes(count=2, source="b"), axes(G=("C/4",), source="a")))
    (one,) = made.problems
    assert (one.count, one.source) == (6, "a; b")


def test_the_type_of_absent_weights_makes_no_second_problem():
    made = expand(sweep(axes(affine=(False,), weight_dtype=("float32", "bfloat16"))))
    assert [(one.count, one.problem.affine) for one in made.problems] == [(1, False)]


def test_override_replaces_an_axis_in_every_entry():
    overridden = sweep(axes(count=3, source="a"), axes(H=(7,), source="b")).override(N=[1, 8], dtype=("float16",))
    assert [(one.N, one.H, one.dtype, one.count, one.source) for one in overridden.entries] == [
        ((1, 8), (4,), ("float16",), 3, "a"),
        ((1, 8), (7,), ("float16",), 1, "b"),
    ]


def test_override_of_the_shape_forgets_the_model_and_merges_what_became_equal():
    overridden = sweep(axes(C=(64,), count=3, source="a"), axes(source="b")).override(C=(320,), G=("32",))
    assert overridden.entries == (axes(C=(320,), G=("32",)),)


@given(st.lists(ENTRIES, max_size=3), st.sampled_from(["cpu", "cuda"]))
def test_round_trip_through_json(entries, device):
    before = Sweep(entries=tuple(entries), device=device)
    assert Sweep.from_dict(json.loads(json.dumps(before.to_dict()))) == before


def test_from_dict_refuses_an_unknown_key():
    with pytest.raises(TypeError, match="layuot"):
        Axes.from_dict(axes().to_dict() | {"layuot": ["contiguous"]})


def test_axes_are_checked_where_they_are_made():
    with pytest.raises(ValueError, match="axis G has no value"):
        axes(G=())
    with pytest.raises(ValueError, match="count = 0 is below 1"):
        axes(count=0)
    with pytest.raises(ProblemError, match="is none of"):
        expand(sweep(axes(dtype=("int8",))))


@given(st.lists(st.integers(), unique=True), st.integers(1, 7))
def test_shards_are_disjoint_complete_and_of_equal_size(items, of):
    parts = [shard(items, index, of) for index in range(1, of + 1)]
    assert sorted(item for part in parts for item in part) == sorted(items)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_counted_carries_the_source():
    (one,) = expand(sweep(axes(count=4, source="ResNet"))).problems
    assert isinstance(one, Counted)
    assert (one.count, one.source) == (4, "ResNet")


def test_a_recorded_training_is_asked_for_a_direction_and_no_call_counts_twice():
    entries = [
        Axes(N=(1,), C=(8,), H=(size,), W=(8,), G=("4",), count=count, direction=(direction,))
        for direction, size, count in (("training_forward", 4, 3), ("training_forward", 8, 5), ("backward", 4, 2))
    ]
    training = Sweep(entries=tuple(entries), model="A training")
    assert training.override(direction=("backward",)).entries == (entries[2],)
    assert [one.count for one in training.override(direction=("forward",)).entries] == [3, 5]
    assert training.override(direction=("backward", "training_forward")).entries == (entries[2], *entries[:2])
    no_model = Sweep(entries=tuple(entries)).override(direction=("forward",))
    assert [one.count for one in no_model.entries] == [3, 5, 2]
