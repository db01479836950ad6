"""A small game as a student writes it, with a part of it to be replaced by a mistake."""

import math
import os
import random

import numpy as np

from ocean_numba import Box, Discrete, OceanEnv, boolean, f32, i32, u8, uniform

SPEED = 0.3
LEVELS = [1, 2, 3]
NAMES = {
    "OceanEnv": OceanEnv,
    "Box": Box,
    "Discrete": Discrete,
    "f32": f32,
    "i32": i32,
    "u8": u8,
    "boolean": boolean,
}
NAMES |= {
    "np": np,
    "math": math,
    "random": random,
    "os": os,
    "uniform": uniform,
    "SPEED": SPEED,
    "LEVELS": LEVELS,
}

TEMPLATE = """
class Game(OceanEnv):
    observation = Box(-np.inf, np.inf, (2,), np.float32)
    action = Discrete(2)
    {declaration}
    class State:
        x: f32
        n: u8
        {fields}
    def reset(s):
        {reset}
    def step(s, action):
        {step}
    def observe(s, obs):
        {observe}
    {legal}
"""
STEP = "s.x += 0.1; return 1.0, s.x > 3.0, False"


def define(
    declaration="",
    fields="",
    reset="s.x = 0.0",
    step=STEP,
    observe="obs[0] = s.x; obs[1] = s.n",
    legal="",
    **names,
):
    """The game of the template with these bodies, as a notebook cell would define it."""
    parts = {"declaration": declaration, "fields": fields, "reset": reset, "step": step, "observe": observe}
    parts["legal"] = f"def legal(s, mask):\n{legal}" if legal else ""
    source = TEMPLATE.format(**{key: text.replace("\n", "\n        ") for key, text in parts.items()})
    namespace = {**NAMES, **names, "__name__": "__main__"}
    exec(compile(source, "<a notebook cell>", "exec"), namespace)
    return namespace["Game"]
