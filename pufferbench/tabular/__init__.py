"""Reinforcement learning in tables: small worlds whose every state has its own number.

==========================  =============================================================================
:class:`Grid`               a gridworld to draw and edit: walls, rewards, ends, slippery ground
:class:`Model`              its rules as arrays, which is all that the methods know
:class:`ValueIteration`     dynamic programming: the rules are known
:class:`PolicyIteration`    the same, evaluation and improvement one after the other
:class:`QLearning`          learning by trying: only steps are seen
:class:`Sarsa`              the same, of what the learner itself does
:class:`TDLambda`           predicts what a given policy brings, with eligibility traces
==========================  =============================================================================

Each method goes on step by step (:meth:`~methods.Method.step`) or sweep by sweep (``sweep()``), and says in words
what the last step did. Three lines to begin with::

    from pufferbench.tabular import Grid, ValueIteration
    solver = ValueIteration(Grid.preset("4x3")).run()
    print(solver)

``pufferbench.widgets.gridworld()`` shows the same in a notebook.
"""

from pufferbench.tabular.grid import Grid, GridError
from pufferbench.tabular.learning import QLearning, Sarsa, TDLambda
from pufferbench.tabular.methods import Method
from pufferbench.tabular.model import Model, greedy, optimal_values, policy_values
from pufferbench.tabular.planning import PolicyIteration, ValueIteration
from pufferbench.tabular.presets import PRESETS

# By the name a person knows, in the order of the books' chapters
METHODS: dict[str, type[Method]] = {
    method.name: method for method in (ValueIteration, PolicyIteration, QLearning, Sarsa, TDLambda)
}

__all__ = [
    "METHODS",
    "PRESETS",
    "Grid",
    "GridError",
    "Method",
    "Model",
    "PolicyIteration",
    "QLearning",
    "Sarsa",
    "TDLambda",
    "ValueIteration",
    "greedy",
    "optimal_values",
    "policy_values",
]
