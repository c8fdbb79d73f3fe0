import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.style import COPY_LINE, DARK_GROUND, GREY, GROUND, INK, LIGHT_GROUND, QUIET, SLOTS, STEPS, assign, look

# Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB.
SIGHTS = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
RGB_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041]]
)
WHITE = np.array([0.95047, 1.0, 1.08883])


def linear(colour):
    channels = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def contrast(one, other):
    light, dark = sorted(((linear(colour) @ RGB_TO_XYZ[1]) for colour in (one, other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def lab(rgb):
    scaled = RGB_TO_XYZ @ np.clip(rgb, 0, 1) / WHITE
    f = np.where(scaled > 216 / 24389, np.cbrt(scaled), (24389 / 27 * scaled + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def test_contrast_of_black_on_white_is_21():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("tint", [*SLOTS, GREY, COPY_LINE], ids=lambda tint: tint.name)
def test_marks_have_three_to_one_against_both_grounds(tint):
    assert contrast(tint.light, LIGHT_GROUND) >= 3
    assert contrast(tint.dark, DARK_GROUND) >= 3


@pytest.mark.parametrize("ground", [GROUND, *STEPS.values()], ids=lambda tint: tint.name)
def test_text_has_four_and_a_half_to_one_on_the_page_and_on_every_step_of_the_map(ground):
    assert contrast(INK.light, ground.light) >= 4.5
    assert contrast(INK.dark, ground.dark) >= 4.5


def test_quiet_text_has_four_and_a_half_to_one():
    assert contrast(QUIET.light, LIGHT_GROUND) >= 4.5
    assert contrast(QUIET.dark, DARK_GROUND) >= 4.5


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize("variant", ["light", "dark"])
def test_two_slots_are_told_apart_by_every_sight(sight, variant):
    """A difference of 2.3 in CIELAB is just noticeable side by side; 12 is five of them."""
    seen = [lab(np.array(SIGHTS[sight]) @ linear(getattr(tint, variant))) for tint in SLOTS]
    assert min(np.linalg.norm(one - other) for one, other in itertools.combinations(seen, 2)) >= 12


def test_own_rows_keep_their_slots_whatever_is_remembered():
    assert assign(["cpp", "native"], {"native": 7, "mine": 5}) == {"cpp": 5, "native": 0}
    assert assign(["mine"], {"mine": 5}) == {"mine": 6}


def test_a_newcomer_leaves_remembered_slots_alone():
    assert assign(["new"], {"old": 6}) == {"new": 7}


NAMES = st.sampled_from(["native", "cpp", "mine", "a", "b", "c", "d"])


@given(st.sets(st.text(min_size=1), max_size=14), st.dictionaries(st.text(), st.integers(0, 12), max_size=6))
def test_assignment_is_one_to_one_and_stable_when_remembered(names, remembered):
    slots = assign(names, remembered)
    assert set(slots) == names
    assert len(set(slots.values())) == len(slots)
    assert assign(sorted(names, reverse=True), slots) == slots


@given(st.lists(NAMES, unique=True), st.lists(NAMES, unique=True))
def test_a_remembered_name_keeps_its_slot_whoever_comes_later(names, more):
    remembered = assign(names)
    later = assign([*more, *names], remembered)
    assert {name: later[name] for name in names} == remembered


def test_the_ninth_and_later_are_grey_and_differ_by_marker():
    slots = assign([f"p{number}" for number in range(5)])
    assert slots == {"p0": 6, "p1": 7, "p2": 8, "p3": 9, "p4": 10}
    assert {look(slot).tint for slot in (8, 9, 10)} == {GREY}
    assert len({look(slot).marker for slot in (8, 9, 10)}) == 3
