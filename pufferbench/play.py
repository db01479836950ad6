"""Playing with a policy that no longer learns: statistics over whole episodes, and films of one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pufferbench.env import PufferEnv
from pufferbench.errors import PufferBenchError

Act = Callable[[np.ndarray], np.ndarray]  # observations [rows, *shape] -> actions [rows, *shape]


def random_actions(env: PufferEnv, seed: int = 0) -> Act:
    """The policy that knows nothing: every action equally likely."""
    env.action_space.seed(seed)
    return lambda observations: np.stack([env.action_space.sample() for _ in range(len(observations))])


def policy_actions(env: PufferEnv, policy: Any, greedy: bool = False, seed: int = 0) -> Act:
    """Actions of a torch policy on the CPU: sampled as in training, or always the likeliest (``greedy``)."""
    import torch

    from pufferbench.pytorch import sample_logits

    low, high = getattr(env.action_space, "low", None), getattr(env.action_space, "high", None)
    policy = policy.cpu().eval()
    torch.manual_seed(seed)

    @torch.no_grad()
    def act(observations: np.ndarray) -> np.ndarray:
        logits, _ = policy(torch.from_numpy(observations))
        actions = sample_logits(logits, deterministic=greedy)[0].numpy()
        return actions if low is None else np.clip(actions, low, high)

    return act


def play_episodes(env: PufferEnv, act: Act, episodes: int, seed: int = 0) -> np.ndarray:
    """Statistics of ``episodes`` whole episodes, a structured array with a field per statistic.

    Each row (agent) is told beforehand how many of them it plays, and only those count: taking whatever
    ends first would favour short episodes.
    """
    each, rest = divmod(episodes, env.num_agents)
    quota = each + (np.arange(env.num_agents) < rest)
    played, found = np.zeros(env.num_agents, int), []
    counted = np.zeros(env.num_agents, [("episode_return", "f8"), ("episode_length", "i8")])
    observations, _ = env.reset(seed)
    while (played < quota).any():
        observations, rewards, terminals, truncations, infos = env.step(act(observations))
        counted["episode_return"] += rewards
        counted["episode_length"] += 1
        ended = np.flatnonzero(terminals | truncations)
        if len(ended):
            # The env's own statistics, in the order of the rows; what we counted where it keeps none.
            statistics = getattr(infos, "records", ())
            statistics = statistics if len(statistics) == len(ended) else counted[ended]
            found.append(statistics[played[ended] < quota[ended]])
            played[ended] += 1
            counted[ended] = 0
    return np.concatenate(found)


def frames(env: PufferEnv, act: Act, seed: int = 0, limit: int = 1800) -> Iterator[np.ndarray]:
    """Pictures of the first game's first episode, at most ``limit``: RGB, uint8 ``[height, width, 3]``."""
    observations, _ = env.reset(seed)
    yield env.render()
    for _ in range(limit - 1):
        observations, _, terminals, truncations, _ = env.step(act(observations))
        if (terminals | truncations).all():
            return  # the game shown now is the next one
        yield env.render()


def write_video(path: str | Path, pictures: Iterator[np.ndarray], fps: float) -> int:
    """Write a GIF or an MP4, by the name's ending; returns the number of frames.

    Raises:
        PufferBenchError: another ending, or the file cannot be written.
    """
    import imageio

    path = Path(path)
    settings: dict[str, Any]
    if path.suffix.lower() == ".gif":
        # A GIF counts time in hundredths of a second, and browsers slow down under two of them.
        settings = {"duration": 10 * max(2, round(100 / fps)), "loop": 0}
    elif path.suffix.lower() == ".mp4":
        settings = {"fps": fps, "macro_block_size": 2}  # the encoder needs even sizes
    else:
        raise PufferBenchError(f"a video ends in .gif or .mp4, not in {path.suffix or 'nothing'!r}: {path}")
    count = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with imageio.get_writer(path, **settings) as writer:
            for picture in pictures:
                writer.append_data(picture)
                count += 1
    except OSError as error:
        raise PufferBenchError(f"cannot write {path}: {error}") from error
    return count
