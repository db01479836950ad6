"""compare(): three learning rates on CartPole, five seeds each."""

from __future__ import annotations

from e2e.pictures import Picture

CELL = """\
import pufferbench as pb

for rate in (0.001, 0.01, 0.05):
    for seed in range(5):
        env = pb.make("ocean-cartpole", num_envs=64)
        sizes = dict(bptt_horizon=32, minibatch_size=512, total_timesteps=pb.budget(full=200_000, fast=20_000))
        with pb.PuffeRL(env=env, run_dir=f"runs/{rate}-{seed}", learning_rate=rate, seed=seed, **sizes) as trainer:
            for record in trainer.steps():
                pass
pb.widgets.compare("runs")"""

PICTURES = [Picture("compare", CELL, ".pb-compare")]
