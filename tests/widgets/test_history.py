import math

import numpy as np
import pytest

from pufferbench.widgets.history import History


def test_rows_are_records_and_missing_numbers_are_gaps():
    history = History(["global_step", "score"])
    history.append({"global_step": 10, "score": 1.5, "other": 3})
    history.append({"global_step": 20})
    history.append({"global_step": 30, "score": math.inf})
    np.testing.assert_array_equal(history.rows(), [[10, 1.5], [20, np.nan], [30, np.nan]])
    np.testing.assert_array_equal(history.rows(2), [[30, np.nan]])


def test_full_table_is_halved_and_goes_on_at_half_the_resolution():
    history = History(["global_step", "score"], capacity=4)
    for step in range(1, 5):
        history.append({"global_step": step, "score": 10 * step})
    assert history.epoch == 0
    history.append({"global_step": 5, "score": 50})
    assert history.epoch == 1
    np.testing.assert_array_equal(history.rows(), [[2, 15], [4, 35]])
    history.append({"global_step": 6, "score": 60})
    np.testing.assert_array_equal(history.rows()[-1], [6, 55])


def test_size_is_bounded_and_every_update_is_in_some_row():
    history = History(["global_step", "one"], capacity=8)
    for step in range(1, 1001):
        history.append({"global_step": step, "one": 1.0})
    rows = history.rows()
    assert 4 <= len(rows) <= 8
    assert (np.diff(rows[:, 0]) == np.diff(rows[:, 0])[0]).all()
    assert (rows[:, 1] == 1).all()


def test_averages_skip_gaps():
    history = History(["global_step", "score"], capacity=2)
    history.append({"global_step": 1})
    history.append({"global_step": 2, "score": 4})
    history.append({"global_step": 3})
    np.testing.assert_array_equal(history.rows(), [[2, 4]])
    history.append({"global_step": 4})
    np.testing.assert_array_equal(history.rows(), [[2, 4], [4, np.nan]])


def test_odd_capacity_is_refused():
    with pytest.raises(ValueError, match="even number of at least 2, not 3"):
        History(["global_step"], capacity=3)
