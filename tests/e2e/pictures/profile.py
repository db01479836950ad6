"""profile() of a training and of an environment."""

from __future__ import annotations

from e2e.pictures import Picture

TRAINER = """\
import pufferbench as pb

pb.widgets.profile(pb.PuffeRL(env="ocean-breakout"))"""
ENV = """\
import pufferbench as pb

pb.widgets.profile(pb.make("gym-CartPole-v1", num_envs=64))"""
PICTURES = [
    Picture("profile_trainer", TRAINER, ".pb-drawing svg", width=900),
    Picture("profile_env", ENV, ".pb-drawing svg", width=900),
]
