"""Environments seen through a function: other observations, rewards or actions, for single envs and batches."""

from pufferbench.wrappers.base import Wrapper
from pufferbench.wrappers.images import Grayscale, Resize
from pufferbench.wrappers.normalize import NormalizeObservation, NormalizeReward
from pufferbench.wrappers.shaping import ClipAction, ShapeReward
from pufferbench.wrappers.statistics import EpisodeStatistics
from pufferbench.wrappers.time import ActionRepeat, FrameStack, TimeLimit
