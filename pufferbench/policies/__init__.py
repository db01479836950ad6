"""Policies: torch modules that turn observations into logits (what to do) and a value (how good it is here).

====================  ===================================================================================
:class:`MLP`          one hidden layer, for any observation
:class:`ResidualMLP`  more of them
:class:`LSTM`         an MLP with a memory
:class:`GRU`          an MLP with a smaller one
:class:`CNN`          for pictures and grids
:class:`MultiInput`   for a Dict or Tuple with pictures among its parts
:class:`Attention`    for a list of entities with features
:class:`Independent`  several agents, each with weights of its own; with all others they share them
====================  ===================================================================================

One of your own is any ``nn.Module`` with ``__init__(self, observation_space, action_space)`` and
``forward(observations) -> (logits, value)``; see :mod:`pufferbench.pytorch` for what logits are, and
:class:`ActorCritic` for a base class that has the heads already. :func:`check_policy` looks for mistakes.
Policies that remember take and return a state: :mod:`pufferbench.recurrent`.
"""

from pufferbench.policies.attention import Attention
from pufferbench.policies.check import check_policy
from pufferbench.policies.cnn import CNN
from pufferbench.policies.files import check_spaces, check_weights, describe_space, load, load_weights
from pufferbench.policies.fit import Misfit, check_fit
from pufferbench.policies.heads import ActorCritic, check_outputs, output_sizes
from pufferbench.policies.independent import Independent
from pufferbench.policies.mlp import MLP
from pufferbench.policies.multi_input import MultiInput
from pufferbench.policies.names import POLICIES, from_preset, make, name_of
from pufferbench.policies.recurrent import GRU, LSTM
from pufferbench.policies.residual import ResidualMLP
