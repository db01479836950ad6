"""Methods against the numbers of the books."""

import numpy as np
import pytest

from ocean_numba.tabular import Tables
from pufferbench.tabular import (
    METHODS,
    Grid,
    Model,
    PolicyIteration,
    QLearning,
    Sarsa,
    TDLambda,
    ValueIteration,
    optimal_values,
    policy_values,
)
from pufferbench.tabular.model import DOWN, RIGHT, UP, NeverEnds

BOOK_4X3 = [[0.812, 0.868, 0.918, 0], [0.762, 0, 0.660, 0], [0.705, 0.655, 0.611, 0.388]]


def teleports() -> Model:
    """Sutton and Barto, example 3.5: A pays 10 and leads to A', B pays 5 and leads to B'; off the edge costs 1."""
    grid = Grid("..... ..... ..... ..... ....S", gamma=0.9)
    model = grid.model()
    transitions, rewards, terminals = model.tables
    for state in range(25):
        rewards[state, transitions[state, :, state] == 1.0, state] = -1.0
    for state, there, reward in ((1, 21, 10.0), (3, 13, 5.0)):
        transitions[state], rewards[state] = 0.0, 0.0
        transitions[state, :, there], rewards[state, :, there] = 1.0, reward
    return Model(Tables(transitions, rewards, terminals), model.starts, 0.9, model.names)


def two_corners() -> Grid:
    """Sutton and Barto, example 4.1: every step costs 1, and two corners are the end."""
    return Grid("G... .S.. .... ...G", step_reward=-1.0, goal_reward=0.0, gamma=1.0)


@pytest.mark.parametrize("method", [ValueIteration, PolicyIteration])
def test_planning_finds_russell_and_norvigs_utilities(method):
    solver = method(Grid.preset("4x3")).run()
    assert solver.done
    np.testing.assert_allclose(solver.values.reshape(3, 4), BOOK_4X3, atol=6e-4)
    best = solver.policy.argmax(axis=1)
    assert (best[[0, 1, 2]] == RIGHT).all() and (best[[4, 6, 8]] == UP).all()


@pytest.mark.parametrize(("living", "action"), [(-2.0, RIGHT), (-0.04, UP), (-0.01, 0)])
def test_the_living_reward_decides_about_the_risk(living, action):
    """Russell and Norvig: beside the pit, who hates to live jumps in, and who likes to live runs into the wall."""
    solver = ValueIteration(Grid.preset("4x3", step_reward=living)).run()
    assert solver.policy[6].argmax() == action


def test_policy_values_are_figure_3_2():
    model = teleports()
    expected = [
        [3.3, 8.8, 4.4, 5.3, 1.5], [1.5, 3.0, 2.3, 1.9, 0.5], [0.1, 0.7, 0.7, 0.4, -0.4],
        [-1.0, -0.4, -0.4, -0.6, -1.2], [-1.9, -1.3, -1.2, -1.4, -2.0],
    ]  # fmt: skip
    values = policy_values(model, np.full((25, 4), 0.25))
    np.testing.assert_allclose(values.reshape(5, 5), expected, atol=0.051)


@pytest.mark.parametrize("solve", [optimal_values, lambda model: PolicyIteration(model).run().values])
def test_optimal_values_are_figure_3_5(solve):
    expected = [
        [22.0, 24.4, 22.0, 19.4, 17.5], [19.8, 22.0, 19.8, 17.8, 16.0], [17.8, 19.8, 17.8, 16.0, 14.4],
        [16.0, 17.8, 16.0, 14.4, 13.0], [14.4, 16.0, 14.4, 13.0, 11.7],
    ]  # fmt: skip
    np.testing.assert_allclose(solve(teleports()).reshape(5, 5), expected, atol=0.051)


def test_sweeps_of_the_random_policy_are_figure_4_1():
    evaluation = PolicyIteration(two_corners())
    expected = {
        1: [0.0, -1.0, -1.0, -1.0], 2: [0.0, -1.75, -2.0, -2.0], 3: [0.0, -2.4375, -2.9375, -3.0],
        10: [0.0, -6.14, -8.35, -8.97],
    }  # fmt: skip
    for sweep in range(1, 11):
        evaluation.sweep()
        if sweep in expected:
            np.testing.assert_allclose(evaluation.values[:4], expected[sweep], atol=0.006)
    while not evaluation.evaluated:
        evaluation.sweep()
    rows = [[0, -14, -20, -22], [-14, -18, -20, -20], [-20, -20, -18, -14], [-22, -20, -14, 0]]
    np.testing.assert_allclose(evaluation.values.reshape(4, 4), rows, atol=1e-3)
    assert evaluation.improvements == 0
    assert evaluation.improve() == 14  # from every action alike to the best ones
    assert evaluation.policy[1].tolist() == [1, 0, 0, 0]
    assert evaluation.policy[3].tolist() == [0.5, 0.5, 0, 0]


def test_a_sweep_in_steps_is_the_same_sweep():
    slow, fast = ValueIteration(Grid.preset("two rooms")), ValueIteration(Grid.preset("two rooms"))
    for _ in range(3):
        while True:
            slow.step()
            if slow.steps % len(slow.model.decisions) == 0:
                break
        fast.sweep()
    np.testing.assert_array_equal(slow.values, fast.values)
    assert (slow.sweeps, slow.history) == (3, fast.history)
    slow.step()
    slow.sweep()  # only what is left of the fourth
    fast.sweep()
    np.testing.assert_array_equal(slow.values, fast.values)


def path(learner, grid):
    """The cells that the greedy policy walks through, without slipping."""
    model, cell, seen = grid.model(), int(grid.starts[0]), []
    while not model.tables.terminals[cell] and len(seen) < 50:
        seen.append(cell)
        cell = int(model.tables.transitions[cell, learner.q[cell].argmax()].argmax())
    return [divmod(cell, grid.shape[1]) for cell in (*seen, cell)]


def test_on_the_cliff_q_learning_walks_the_edge_and_sarsa_keeps_away():
    """Sutton and Barto, figure 6.4: and while both explore, Sarsa earns more."""
    grid = Grid.preset("cliff")
    q_learning = QLearning(grid, alpha=0.5, epsilon=0.1, seed=0).run(500)
    sarsa = Sarsa(grid, alpha=0.1, epsilon=0.1, seed=0).run(3000)
    edge, safe = path(q_learning, grid), path(sarsa, grid)
    assert edge == [(3, 0), *((2, column) for column in range(12)), (3, 11)]
    assert safe[-1] == (3, 11)
    assert min(row for row, _ in safe) <= 1
    assert sum(row == 2 for row, _ in safe[2:-2]) == 0
    assert np.mean(sarsa.history[-300:]) > np.mean(q_learning.history[-300:]) + 5


def test_q_learning_comes_to_the_values_of_the_best_policy():
    grid = Grid.preset("two rooms")
    learner = QLearning(grid, alpha=0.5, epsilon=0.3, seed=1).run(1500)
    start = grid.starts[0]
    assert learner.values[start] == pytest.approx(optimal_values(grid.model())[start], abs=1e-3)


@pytest.mark.parametrize(("lam", "alpha"), [(0.0, 0.01), (0.5, 0.01), (1.0, 0.002)])
def test_td_predicts_the_values_of_the_policy(lam, alpha):
    learner = TDLambda(Grid.preset("4x3"), alpha=alpha, lam=lam, seed=2).run(3000)
    true = policy_values(learner.model, learner.policy)
    assert np.abs(learner.values - true).max() < 0.3
    assert np.abs(true).max() > 1.5


def test_traces_fade_by_gamma_lambda():
    learner = TDLambda(Grid("S...G", gamma=0.9), lam=0.5, policy=np.eye(4)[[RIGHT] * 5])
    learner.step()
    learner.step()
    np.testing.assert_allclose(learner.trace, [0.45, 1, 0, 0, 0])
    learner.step()
    learner.step()
    assert learner.values[:4] == pytest.approx([0.1 * 0.45**3, 0.1 * 0.45**2, 0.1 * 0.45, 0.1])


def test_one_update_of_q_learning_and_of_sarsa_by_hand():
    grid = Grid("S..G", gamma=0.5)
    for method, following in ((QLearning, 4.0), (Sarsa, None)):
        learner = method(grid, alpha=0.25, epsilon=0.0, seed=0)
        learner.q[0] = [-9, -9, 2.0, -9]
        learner.q[1] = [1.0, 4.0, 0.0, 0.0]
        learner.step()
        assert learner.position == 1
        assert learner.q[0, 2] == pytest.approx(2.0 + 0.25 * (0.5 * (following or 4.0) - 2.0))
        assert "Q(0, 0) right ← 2.000 + 0.25" in learner.words
        if method is Sarsa:  # it does what it counted on, although something better appears
            learner.q[1, UP] = 100.0
            learner.step()
            assert learner.words.startswith("Q(0, 1) down")


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_same_seed_same_numbers_and_other_seed_others(method):
    def numbers(**kwargs):
        return method(Grid.preset("4x3"), **kwargs).run(5).values

    np.testing.assert_array_equal(numbers(), numbers())
    if not method.plans:
        assert not np.array_equal(numbers(seed=0), numbers(seed=1))


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_an_edited_world_is_adopted(method):
    grid = Grid.preset("two rooms")
    solver = method(grid).run(30)
    before = solver.values.copy()
    grid.put(2, 4, "wall")  # both doors are one: now there is no way
    solver.adopt(grid)
    assert solver.values[grid.cell(2, 4)] == 0.0
    if solver.plans:
        solver.run()
        assert solver.done
        assert solver.values[grid.starts[0]] == pytest.approx(0.0, abs=1e-5)
        assert before[grid.starts[0]] > 0.01 or method is PolicyIteration
    else:
        solver.sweep()


def test_what_never_ends_is_said():
    shut_in = Grid("S#G", step_reward=-1.0, gamma=1.0)
    with pytest.raises(NeverEnds, match="is an end within reach"):
        optimal_values(shut_in.model(), most=50)
    with pytest.raises(NeverEnds, match="never comes to an end"):
        policy_values(shut_in.model(), np.full((3, 4), 0.25))
    learner = QLearning(shut_in)
    learner.sweep()  # an episode of its own length, cut
    assert learner.steps == 1000


def test_a_world_without_decisions_is_done_at_once():
    solver = ValueIteration(Grid("S", gamma=0.5))
    solver.run()
    assert solver.done
    assert DOWN == 1
