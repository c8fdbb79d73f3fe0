"""Colours by computation: contrast against both grounds, and distance for every kind of sight."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.style import COPY_LINE, DARK_GROUND, GREY, INK, LIGHT_GROUND, QUIET, SLOTS, STEPS, assign, look

# Machado, Oliveira and Fernandes (2009), severity 1.0, on linear RGB.
SIGHTS = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}


def linear(colour):
    values = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def contrast(one, other):
    luminance = [float(linear(colour) @ [0.2126, 0.7152, 0.0722]) for colour in (one, other)]
    return (max(luminance) + 0.05) / (min(luminance) + 0.05)


def lab(colour, sight):
    rgb = np.clip(SIGHTS[sight] @ linear(colour), 0, 1)
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ rgb
    scaled = xyz / [0.9505, 1.0, 1.089]
    f = np.where(scaled > 216 / 24389, np.cbrt(scaled), (24389 / 27 * scaled + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("tint", [*SLOTS, GREY, COPY_LINE], ids=lambda tint: tint.name)
def test_marks_stand_out_from_their_ground(tint):
    assert contrast(tint.light, LIGHT_GROUND) >= 3
    assert contrast(tint.dark, DARK_GROUND) >= 3


@pytest.mark.parametrize("ink", [INK, QUIET], ids=lambda tint: tint.name)
def test_text_is_readable_on_its_ground(ink):
    assert contrast(ink.light, LIGHT_GROUND) >= 4.5
    assert contrast(ink.dark, DARK_GROUND) >= 4.5


@pytest.mark.parametrize("step", STEPS.values(), ids=lambda tint: tint.name)
def test_figures_are_readable_on_the_maps_squares(step):
    assert contrast(INK.light, step.light) >= 4.5
    assert contrast(INK.dark, step.dark) >= 4.5


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize("ground", ["light", "dark"])
def test_any_two_slots_are_told_apart(sight, ground):
    colours = {tint.name: lab(getattr(tint, ground), sight) for tint in SLOTS}
    for (one, first), (other, second) in itertools.combinations(colours.items(), 2):
        assert np.linalg.norm(first - second) >= 12, (one, other)


NAMES = st.lists(st.sampled_from(["native", "cpp", "a", "b", "c", "d", "mine"]), unique=True)


@given(NAMES, st.randoms())
def test_slots_do_not_depend_on_the_order_and_are_never_shared(names, rng):
    shuffled = list(names)
    rng.shuffle(shuffled)
    slots = assign(names)
    assert slots == assign(shuffled)
    assert len(set(slots.values())) == len(slots)


@given(NAMES, NAMES)
def test_a_remembered_plugin_keeps_its_slot_in_every_later_run(names, more):
    remembered = assign(names)
    later = assign([*names, *more], remembered)
    assert {name: later[name] for name in names} == remembered


def test_the_ninth_is_grey():
    assert look(7).tint != GREY
    assert look(8).tint == look(200).tint == GREY
