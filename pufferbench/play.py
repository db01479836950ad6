"""Playing with a policy that no longer learns: statistics over whole episodes, and films of one."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pufferbench.emulation.masks import sample_legal
from pufferbench.env import PufferEnv
from pufferbench.errors import PufferBenchError

VIDEOS = (".gif", ".mp4", ".webp")

Act = Callable[[np.ndarray], np.ndarray]  # observations [rows, *shape] -> actions [rows, *shape]


def random_actions(env: PufferEnv, seed: int = 0) -> Act:
    """The policy that knows nothing but the rules: every legal action equally likely."""
    if env.action_masks is not None:
        rng = np.random.default_rng(seed)
        return lambda observations: sample_legal(np.asarray(env.action_masks), env.action_space, rng)
    env.action_space.seed(seed)
    return lambda observations: np.stack([env.action_space.sample() for _ in range(len(observations))])


def policy_actions(env: PufferEnv, policy: Any, greedy: bool = False, seed: int = 0) -> Act:
    """Actions of a torch policy on the CPU: sampled as in training, or always the likeliest (``greedy``).

    It plays with a copy as the policy is now: one that is being trained is not disturbed. For a recurrent one it
    remembers what it saw of each episode; after an ``env.reset()`` of your own call its ``start()``.
    """
    import torch

    from pufferbench import policies, pytorch
    from pufferbench.recurrent import Player, is_recurrent

    low, high = getattr(env.action_space, "low", None), getattr(env.action_space, "high", None)
    policy = copy.deepcopy(policy).cpu().eval()
    player, remembers = Player(policy), is_recurrent(policy)
    logits_of = policy.frozen() if type(policy) is policies.MLP else player
    torch.manual_seed(seed)

    @torch.inference_mode()
    def act(observations: np.ndarray) -> np.ndarray:
        if remembers:
            player.forget(env.terminals | env.truncations)
        logits = logits_of(torch.from_numpy(observations))
        legal = None if env.action_masks is None else torch.from_numpy(env.action_masks)
        chosen = pytorch.greedy(logits, legal) if greedy else pytorch.sample(logits, action_masks=legal)[0]
        actions = chosen.numpy()
        return actions if low is None else np.clip(actions, low, high)

    act.start = player.forget  # type: ignore[attr-defined]
    return act


def start(env: PufferEnv, act: Act, seed: int) -> np.ndarray:
    """New episodes in ``env``, of which ``act`` remembers nothing. Returns the first observations."""
    getattr(act, "start", lambda: None)()
    return env.reset(seed)[0]


def play_episodes(
    env: PufferEnv,
    act: Act,
    episodes: int,
    seed: int = 0,
    progress: Callable[[int], object] = lambda played: None,
) -> np.ndarray:
    """Statistics of ``episodes`` whole episodes, a structured array with a field per statistic.

    Each row (agent) is told beforehand how many of them it plays, and only those count: taking whatever
    ends first would favour short episodes. They are in the order of the rows; those of a row in the order of
    time. ``progress(n)`` is called when ``n`` of them are over.
    """
    each, rest = divmod(episodes, env.num_agents)
    quota = each + (np.arange(env.num_agents) < rest)
    played, found, rows = np.zeros(env.num_agents, int), [], []
    counted = np.zeros(env.num_agents, [("episode_return", "f8"), ("episode_length", "i8")])
    observations = start(env, act, seed)
    over = 0
    while over < episodes:
        observations, rewards, terminals, truncations, infos = env.step(act(observations))
        counted["episode_return"] += rewards
        counted["episode_length"] += 1
        ended = (terminals | truncations).nonzero()[0]
        if len(ended):
            # The env's own statistics, in the order of the rows; what we counted where it keeps none.
            statistics = getattr(infos, "records", ())
            statistics = statistics if len(statistics) == len(ended) else counted[ended]
            counts = played[ended] < quota[ended]
            found.append(statistics[counts])
            rows.append(ended[counts])
            played[ended] += 1
            counted[ended] = 0
            over = int(np.minimum(played, quota).sum())
            progress(over)
    return np.concatenate(found)[np.concatenate(rows).argsort(kind="stable")]


def frames(env: PufferEnv, act: Act, seed: int = 0, limit: int = 1800) -> Iterator[np.ndarray]:
    """Pictures of the first game's first episode, at most ``limit``: RGB, uint8 ``[height, width, 3]``."""
    observations = start(env, act, seed)
    yield env.render()
    for _ in range(limit - 1):
        observations, _, terminals, truncations, _ = env.step(act(observations))
        if (terminals | truncations).all():
            return  # the game shown now is the next one
        yield env.render()


def gif(pictures: Iterator[np.ndarray], fps: float) -> bytes:
    """A GIF in memory, to show in a notebook: ``IPython.display.Image(data=gif(...), format="gif", alt=...)``."""
    file = io.BytesIO()
    _encode(file, pictures, format="GIF", **_gif_settings(fps))
    return file.getvalue()


def write_video(path: str | Path, pictures: Iterator[np.ndarray], fps: float) -> int:
    """Write a GIF, an MP4 or a WebP, by the name's ending; returns the number of frames.

    Raises:
        PufferBenchError: another ending, or the file cannot be written.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if ending not in VIDEOS:
        raise PufferBenchError(
            f"a video ends in {', '.join(VIDEOS)}, not in {path.suffix or 'nothing'!r}: {path}"
        )
    # The MP4 encoder needs even sizes.
    settings = _gif_settings(fps) if ending == ".gif" else {"fps": fps, "macro_block_size": 2}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if ending == ".webp":
            return _write_webp(path, pictures, fps)
        return _encode(path, pictures, **settings)
    except OSError as error:
        raise PufferBenchError(f"cannot write {path}: {error}") from error


def _gif_settings(fps: float) -> dict[str, Any]:
    # A GIF counts time in hundredths of a second, and browsers slow down under two of them.
    return {"duration": 10 * max(2, round(100 / fps)), "loop": 0}


def _write_webp(path: Path, pictures: Iterator[np.ndarray], fps: float) -> int:
    from PIL import Image

    first, *others = (Image.fromarray(picture) for picture in pictures)
    first.save(path, save_all=True, append_images=others, duration=round(1000 / fps), loop=0, quality=80)
    return 1 + len(others)


def _encode(target: Any, pictures: Iterator[np.ndarray], **settings: Any) -> int:
    import imageio

    count = 0
    with imageio.get_writer(target, **settings) as writer:
        for picture in pictures:
            writer.append_data(picture)
            count += 1
    return count
