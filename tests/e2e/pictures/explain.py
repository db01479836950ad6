"""The explainers, and a network."""

from __future__ import annotations

from typing import Any

from e2e.pictures import Picture

BEGIN = "import pufferbench as pb\n\n"
LSTM = """\
import pufferbench as pb

env = pb.make("ocean-memory", num_envs=256)
trainer = pb.PuffeRL(env, total_timesteps=120_000, policy=pb.policies.LSTM(
    env.observation_space, env.action_space, hidden_size=16))
for _ in trainer.steps():
    pass
pb.widgets.explain_lstm(trainer.policy)"""


def measured(notebook: Any) -> None:
    """All three ways are there."""
    notebook.page.get_by_text("times the steps of sync").wait_for(timeout=90_000)
    notebook.pause(1)


PICTURES = [
    Picture("explain_ppo", BEGIN + "pb.widgets.explain_ppo()", ".pb-view"),
    Picture("explain_gae", BEGIN + "pb.widgets.explain_gae()", ".pb-view"),
    Picture("explain_lstm", LSTM, ".pb-view"),
    Picture("explain_vector", BEGIN + "pb.widgets.explain_vector()", ".pb-view", measured),
    Picture("policy_graph", BEGIN + 'env = pb.make("ocean-memory")\npolicy = pb.policies.LSTM('
            'env.observation_space, env.action_space)\npb.widgets.policy_graph(policy, env)', ".pb-view"),
]  # fmt: skip
