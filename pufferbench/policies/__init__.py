"""Policies: torch modules that turn observations into logits (what to do) and a value (how good it is here).

One of your own is any ``nn.Module`` with ``__init__(self, observation_space, action_space)`` and
``forward(observations) -> (logits, value)``; see :mod:`pufferbench.pytorch` for what logits are,
and :mod:`pufferbench.recurrent` for policies that remember.
"""

from pufferbench.policies.files import check_spaces, describe_space, load, load_weights
from pufferbench.policies.heads import ActorCritic, check_outputs, output_sizes
from pufferbench.policies.lstm import LSTM
from pufferbench.policies.mlp import MLP
from pufferbench.policies.names import POLICIES, from_preset, make, name_of
