"""The colour of a pulse, on spectra whose colours are given, beside the published colour of blood."""

from __future__ import annotations

import numpy as np
import pytest

from rppg_core.pulse.pulse_colour import phase_coherence, pulse_colour

BLOOD = np.array([0.33, 0.77, 0.53])  # de Haan and van Leest 2014: the pulse in R, G, B under white light
LAMP = np.ones(3)
RNG = np.random.default_rng(2)


def spectrum(n=40):
    return RNG.standard_normal(n) + 1j * RNG.standard_normal(n)


def seen(strength, pulse):
    """Reflected light falls as blood volume rises."""
    return -np.outer(pulse, strength)


@pytest.mark.parametrize("strength", [BLOOD, LAMP, np.array([-0.2, 0.7, 0.1])])
def test_the_strength_of_each_channel_is_found_without_error(strength):
    pulse = spectrum()
    found = pulse_colour(seen(strength, pulse), pulse)
    np.testing.assert_allclose(found.strength, strength, rtol=1e-9)
    assert found.error.max() < 1e-9


def test_the_error_is_the_spread_of_what_noise_makes_of_the_strength():
    strengths, errors = [], []
    for _ in range(300):
        pulse = spectrum()
        found = pulse_colour(seen(BLOOD, pulse) + 0.3 * spectrum(120).reshape(40, 3), pulse)
        strengths.append(found.strength)
        errors.append(found.error)
    assert np.mean(strengths, axis=0) == pytest.approx(BLOOD, abs=0.01)
    assert np.mean(errors, axis=0) == pytest.approx(np.std(strengths, axis=0), rel=0.15)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 50.0])
def test_blood_has_its_own_hue_and_no_pallor_however_strong_it_is(scale):
    pulse = spectrum()
    found = pulse_colour(seen(scale * BLOOD, pulse), pulse)
    assert found.hue == pytest.approx(1)
    assert found.pallor == pytest.approx(0, abs=1e-6)


def test_light_that_all_channels_share_changes_pallor_and_not_hue():
    pulse = spectrum()
    shades = [pulse_colour(seen(BLOOD + share * LAMP, pulse), pulse) for share in (0.0, 0.5, 1.0, 2.0)]
    assert [found.hue for found in shades] == pytest.approx([1] * 4)
    pallors = [found.pallor for found in shades]
    assert pallors == pytest.approx([share / BLOOD.mean() for share in (0.0, 0.5, 1.0, 2.0)])


def test_a_lamp_is_as_pale_as_can_be():
    pulse = spectrum()
    lamp = pulse_colour(seen(LAMP, pulse), pulse)
    assert lamp.pallor > 5
    assert abs(lamp.hue) < 0.5


def test_a_pulse_upside_down_has_the_opposite_hue():
    pulse = spectrum()
    assert pulse_colour(seen(-BLOOD, pulse), pulse).hue == pytest.approx(-1)


def test_regions_in_step_are_coherent_and_opposed_halves_are_not():
    pulse = spectrum(5)
    one = seen(BLOOD, pulse)
    together = np.stack([one, 0.3 * one, 2 * one], axis=1)
    assert phase_coherence(together, pulse) == pytest.approx(1)
    assert phase_coherence(np.stack([one, -one], axis=1), pulse) == pytest.approx(0, abs=1e-9)
    assert phase_coherence(np.stack([one, one, one, -one], axis=1), pulse) == pytest.approx(0.5)


def test_coherence_is_no_matter_of_the_pulses_phase_or_of_a_lamp():
    pulse = spectrum(5)
    colours = np.stack([seen(BLOOD + share * LAMP, pulse) for share in (0.0, 1.0, -1.0)], axis=1)
    assert phase_coherence(colours, pulse) == pytest.approx(1)
    assert phase_coherence(colours, 1j * pulse) == pytest.approx(1)
