"""Mazes: from a picture to tables."""

import numpy as np
import pytest

from ocean_numba.mazes import read_maze

RING = """
#####
#o..#
 .#. 
#...#
#####
"""  # noqa: W291


def test_cells_and_neighbours():
    maze = read_maze(RING)
    assert (maze.height, maze.width, len(maze.row)) == (5, 5, 10)
    corner = maze.cell(1, 1)
    np.testing.assert_array_equal(maze.next[corner], [-1, maze.cell(2, 1), -1, maze.cell(1, 2)])
    left, right = maze.cell(2, 0), maze.cell(2, 4)
    assert maze.next[left, 2] == right and maze.next[right, 3] == left  # the tunnel
    assert maze.number_of("o")[corner] == 0
    assert maze.number_of(".o").max() == 7


def test_ways():
    maze = read_maze(RING)
    goal = maze.cell(1, 1)
    steps = maze.steps_to(goal)
    assert steps[maze.cell(1, 3)] == 2
    assert steps[maze.cell(3, 3)] == 4
    assert steps[maze.cell(2, 4)] == 3  # through the tunnel
    for cell in range(10):
        way, length = cell, 0
        while way != goal:
            way, length = maze.next[way, maze.way_to(goal)[way]], length + 1
        assert length == steps[cell]


def test_unequal_lines():
    with pytest.raises(ValueError, match=r"equally long, but are \[3, 4\]"):
        read_maze("###\n####")
