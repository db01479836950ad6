"""value_map() of a gridworld and of the mountain car."""

from __future__ import annotations

from e2e.pictures import Picture

GRID = """\
import pufferbench as pb

trainer = pb.PuffeRL("ocean-gridworld")
for _ in trainer.steps():
    pass
pb.widgets.value_map(trainer)"""
CAR = """\
import pufferbench as pb

trainer = pb.PuffeRL("ocean-mountain-car")
for _ in trainer.steps():
    pass
pb.widgets.value_map(trainer)"""

PICTURES = [Picture("value_map", GRID, ".pb-view"), Picture("value_map_mountain_car", CAR, ".pb-view")]
