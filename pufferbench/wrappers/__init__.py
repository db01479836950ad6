"""Environments seen through a function: other observations, rewards or actions, for single envs and batches."""

from pufferbench.wrappers.agents import AgentID
from pufferbench.wrappers.base import Wrapper
from pufferbench.wrappers.episodes import EpisodeStatistics
from pufferbench.wrappers.images import Grayscale, Resize
from pufferbench.wrappers.normalize import NormalizeObservation, NormalizeReward
from pufferbench.wrappers.shaping import ClipAction, ShapeReward
from pufferbench.wrappers.steps import ActionRepeat, FrameStack, TimeLimit

__all__ = [
    "ActionRepeat",
    "AgentID",
    "ClipAction",
    "EpisodeStatistics",
    "FrameStack",
    "Grayscale",
    "NormalizeObservation",
    "NormalizeReward",
    "Resize",
    "ShapeReward",
    "TimeLimit",
    "Wrapper",
]
