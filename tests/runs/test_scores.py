"""The statistics of Agarwal et al. (2021), against values worked out by hand."""

import numpy as np
import pytest

from pufferbench.runs.scores import bootstrap, iqm, performance_profile, profile_band


def test_iqm_is_the_mean_of_the_middle_half():
    assert iqm([100, 1, 2, 3, 4, 5, 6, -50]) == (2 + 3 + 4 + 5) / 4  # without -50, 1 and 6, 100
    assert iqm([0, 4, 5, 9, 1000]) == (4 + 5 + 9) / 3  # 5 // 4 = 1 of each end
    assert iqm([1, 2, 6]) == 3  # fewer than four: the mean
    np.testing.assert_array_equal(iqm([[1, 2, 3, 100], [5, 5, 5, 5]]), [2.5, 5])
    np.testing.assert_array_equal(iqm(np.array([[1, 2, 3, 100]]).T, axis=0), [2.5])
    with pytest.raises(ValueError, match="at least one score"):
        iqm([])


def test_the_profile_is_the_share_of_runs_above_each_threshold():
    scores = {"a": [1.0, 2.0, 3.0, 4.0], "b": [3.0, 3.0]}
    # at 2: a has 3 and 4 above (1/2), b both: 3/4, whatever the number of runs
    np.testing.assert_allclose(performance_profile(scores, [0, 2, 3, 4]), [1, 0.75, 0.125, 0])


def test_an_interval_holds_the_value_and_shrinks_with_more_runs():
    generator = np.random.default_rng(3)
    few, many = generator.normal(5, 1, 6), generator.normal(5, 1, 60)
    few_low, few_high = bootstrap({"": few})
    low, high = bootstrap({"": many})
    assert few_low < iqm(few) < few_high
    assert low < 5 < high
    assert high - low < (few_high - few_low) / 2
    assert bootstrap({"": few}) == (few_low, few_high)  # no luck in it
    assert bootstrap({"": [2.0, 2.0]}) == (2, 2)


def test_two_runs_can_be_enumerated():
    # Of [0, 1] the draws are 00, 01, 10, 11: means 0, 1/2, 1/2, 1 with probability 1/4, 1/2, 1/4
    low, high = bootstrap({"": [0.0, 1.0]}, confidence=0.4)
    assert (low, high) == (0.5, 0.5)  # the middle 40 % are all 1/2
    low, high = bootstrap({"": [0.0, 1.0]}, confidence=0.6)
    assert (low, high) == (0.0, 1.0)


def test_strata_are_never_mixed():
    # Each task's runs are equal: drawing within the tasks changes nothing, drawing across them would
    assert bootstrap({"easy": [10.0, 10.0], "hard": [0.0, 0.0]}) == (5, 5)


def test_every_point_has_its_interval():
    curves = np.array([[0.0, 1.0, 5.0], [0.0, 3.0, 5.0]])
    low, high = bootstrap({"": curves})
    np.testing.assert_array_equal(low, [0, 1, 5])
    np.testing.assert_array_equal(high, [0, 3, 5])


def test_the_band_of_a_profile_counts_every_task_the_same():
    scores = {"a": [1.0, 1.0, 1.0, 1.0], "b": [3.0]}
    limits = np.array([0.0, 2.0, 4.0])
    low, high = profile_band(scores, limits)
    np.testing.assert_allclose(low, [1, 0.5, 0])
    np.testing.assert_allclose(high, performance_profile(scores, limits))
