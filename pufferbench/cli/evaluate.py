"""``puffer eval``: how good an agent is, over whole episodes, and a film of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tyro
from rich.table import Table

from pufferbench import play
from pufferbench.cli import UsageError
from pufferbench.cli.options import changed, section, signature_options
from pufferbench.cli.terminal import console, progress_bar
from pufferbench.cli.train import make_env
from pufferbench.errors import did_you_mean
from pufferbench.records import RunFolder, load_checkpoint
from pufferbench.registry import EnvSpec, spec

GAMES_AT_ONCE = 64
SECONDS = 60  # the longest film


@dataclasses.dataclass
class EvalOptions:
    """Play whole episodes and print mean ± standard deviation of their statistics."""

    load: Path | None = None
    """A run folder (its latest checkpoint is taken) or a checkpoint."""
    policy: Literal["trained", "random"] = "trained"
    """random plays without --load: what an agent that knows nothing reaches."""
    episodes: int = 100
    """Episodes to play."""
    greedy: bool = False
    """Always take the likeliest action, instead of sampling as in training."""
    video: Path | None = None
    """Film one episode: a .gif, .mp4 or .webp."""
    seed: int = 0
    """Start of all randomness."""


def main(arguments: list[str]) -> int:
    """Prints a table; writes the film when asked."""
    entry = environment(arguments)
    env_options = signature_options("EnvOptions", entry.creator(), ("buf", "num_envs"), entry.kwargs)
    options_class = dataclasses.make_dataclass(
        "Options",
        [section("env", env_options)],
        bases=(EvalOptions,),
        kw_only=True,
    )
    options_class.__doc__ = EvalOptions.__doc__
    named = arguments[1:] if arguments and not arguments[0].startswith("-") else arguments
    options: Any = tyro.cli(options_class, args=named, prog=f"puffer eval {entry.id}")
    check(options)

    checkpoint = find_checkpoint(options.load) if options.load and options.policy == "trained" else None
    trained_with = load_checkpoint(checkpoint)[1].get("env", {}) if checkpoint else {}
    if trained_with.get("id", entry.id) != entry.id:
        raise UsageError(f"{checkpoint} was trained on {trained_with['id']}, not on {entry.id}")
    if wrappers := trained_with.get("wrappers"):
        raise UsageError(
            f"{checkpoint} was trained in {' around '.join(wrappers)} around {entry.id}, which a name does not tell: "
            "register the env with its wrappers (pufferbench.register), train that, and it can be evaluated"
        )
    from pufferbench.checkpoints import env_arguments  # and torch: not for --help

    kwargs = env_arguments(trained_with) | changed(options.env)
    screen = console()
    with make_env(entry, {**kwargs, "num_envs": min(options.episodes, GAMES_AT_ONCE)}) as env:
        act = actions_for(env, checkpoint, options)
        with progress_bar(screen, f"playing {entry.id}", options.episodes, "episodes") as progress:
            episodes = play.play_episodes(env, act, options.episodes, options.seed, progress)
        screen.print(str(checkpoint or "random actions"), highlight=False, soft_wrap=True)
        screen.print(table(f"{entry.id}, {len(episodes)} episodes", episodes))
    if options.video:
        with make_env(entry, {**kwargs, "num_envs": 1}) as env:
            fps = float(getattr(env, "fps", 30))
            act = actions_for(env, checkpoint, options)
            limit = int(SECONDS * fps)
            pictures = play.frames(env, act, options.seed, limit)
            try:
                with progress_bar(screen, f"filming {options.video}", limit, "frames") as progress:
                    count = play.write_video(options.video, counted(pictures, progress), fps)
            except (NotImplementedError, TypeError) as error:  # what render() says when there is no drawing
                raise UsageError(str(error)) from error
        screen.print(f"Wrote {options.video}: {count} frames, {count / fps:.1f} s", highlight=False)
    return 0


def counted(pictures: Iterator[np.ndarray], progress: Callable[[int], None]) -> Iterator[np.ndarray]:
    """The same pictures; tells ``progress`` how many have gone by."""
    for number, picture in enumerate(pictures, start=1):
        progress(number)
        yield picture


def environment(arguments: list[str]) -> EnvSpec:
    """The environment is named first, because the options depend on it."""
    if arguments and not arguments[0].startswith("-"):
        return spec(arguments[0])
    if {"-h", "--help"} & set(arguments):
        return spec("ocean-breakout")  # show the options of some environment
    raise UsageError("which environment? puffer eval ENV --load RUN; puffer envs lists them")


def check(options: Any) -> None:
    """Refuse before playing, rather than after a minute of it."""
    if options.episodes < 1:
        raise UsageError(f"--episodes must be at least 1, not {options.episodes}")
    if options.video and options.video.suffix.lower() not in play.VIDEOS:
        raise UsageError(f"--video must end in {', '.join(play.VIDEOS)}, not {options.video}")
    if options.policy == "trained" and options.load is None:
        raise UsageError("whose episodes? give a run or checkpoint (--load RUN), or --policy random")


def find_checkpoint(path: Path) -> Path:
    """The checkpoint at ``path``, or the latest of the run folder that is there."""
    if path.is_file():
        return path
    if not path.exists():
        hint = did_you_mean(path.name, [other.name for other in path.parent.glob("*")])
        raise UsageError(f"there is no run or checkpoint {path}{hint}")
    latest = RunFolder.open(path).latest_checkpoint
    if latest is None:
        raise UsageError(f"the run {path} has no checkpoint (yet)")
    return latest


def actions_for(env: Any, checkpoint: Path | None, options: Any) -> play.Act:
    """The checkpoint's policy, or random actions."""
    if checkpoint is None:
        return play.random_actions(env, options.seed)
    from pufferbench import checkpoints, policies

    checkpoints.load_env(env, checkpoint)
    policy = policies.load(checkpoint, env.observation_space, env.action_space)
    return play.policy_actions(env, policy, options.greedy, options.seed)


def table(title: str, episodes: np.ndarray) -> Table:
    """Mean, deviation and range of every statistic."""
    result = Table(title=title)
    for column in ("", "mean", "± std", "lowest", "highest"):
        result.add_column(column, justify="right" if column else "left")
    for name in episodes.dtype.names or ():
        values = episodes[name].astype(float)
        row = (values.mean(), values.std(), values.min(), values.max())
        result.add_row(name, *(f"{value:,.2f}" for value in row))
    return result
