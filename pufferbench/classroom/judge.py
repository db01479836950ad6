"""One submitted training, judged in a process of its own.

What is read is data: config.toml, metrics.jsonl, and a safetensors file. Nothing in them is run or imported.
In this order:

1. where the system can, it cuts the network and limits time and memory (:func:`cut_network`, :func:`limit`);
2. the game is made, by its name in the *teacher's* course; the file decides neither game nor options;
3. Python refuses network and new processes from here on (:func:`lock`);
4. only then the file is opened: plain, not too large, with a header that is not too large. The policy must have a name
   that PufferBench knows, and sizes that fit the file, which is found out before memory is taken (:func:`open_policy`).

The parent (:mod:`.leaderboard`) stops this process after a time, and believes nothing it says but a few numbers.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pufferbench.classroom.untrusted import CHECKPOINT_MB, METRICS_MB, Refused, read

HEADER_MB = 1.0
LARGEST = 4096  # of any number in a policy's arguments: widths, numbers of layers
POINTS = 64  # of a learning curve, for the comparison

# Audit events (https://docs.python.org/3/library/audit_events.html) that nothing here needs once the game is made
FORBIDDEN = (
    "socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.startfile",
    "ftplib.", "http.", "smtplib.", "urllib.", "webbrowser.", "pty.", "os.remove", "os.rename", "os.rmdir",
    "shutil.", "pickle.find_class", "winreg.",
)  # fmt: skip


def cut_network() -> bool:
    """Linux: move this process, while it has only one thread, to a network of its own in which there is nothing.

    Returns:
        Whether it worked: containers and administrators may forbid it, other systems have nothing like it.
    """
    if sys.platform != "linux":
        return False
    import ctypes

    user, group = os.getuid(), os.getgid()
    new_user, new_net = 0x10000000, 0x40000000  # CLONE_NEWUSER, CLONE_NEWNET of sched.h
    if ctypes.CDLL(None).unshare(new_user | new_net) != 0:
        return False
    # Else everything would belong to "nobody", our cache of compiled games too
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        Path(f"/proc/self/{name}").write_text(text, encoding="ascii")
    return True


def lock() -> None:
    """Python's own functions refuse network and new processes from now on: an audit hook cannot be taken off again.

    Machine code that got into the process through a mistake in a library would not ask Python. Against that
    helps only what the system takes away (:func:`cut_network`, :func:`limit`).
    """

    def refuse(event: str, _arguments: tuple[Any, ...]) -> None:
        if event.startswith(FORBIDDEN):
            raise PermissionError(f"{event} is not allowed while a submission is judged")

    sys.addaudithook(refuse)


def limit(seconds: float, megabytes: float) -> None:
    """POSIX: this much computing and memory, then the system ends the process. Windows has only the parent's clock."""
    if sys.platform == "win32":
        return
    import resource

    for kind, amount in (
        (resource.RLIMIT_CPU, math.ceil(seconds)),
        (resource.RLIMIT_AS, int(megabytes * 1e6)),
    ):
        _, hard = resource.getrlimit(kind)
        wanted = amount if hard == resource.RLIM_INFINITY else min(amount, hard)
        try:
            resource.setrlimit(kind, (wanted, hard))
        except (ValueError, OSError):
            print(f"this system does not limit {kind}", file=sys.stderr)  # macOS knows no RLIMIT_AS


def header_of(data: bytes) -> dict[str, Any]:
    """What a checkpoint says of itself, refused before much of it is looked at.

    Raises:
        Refused: it is no safetensors file with a small header.
    """
    if len(data) < 8:
        raise Refused("the checkpoint is empty")
    (length,) = struct.unpack("<Q", data[:8])
    if length > HEADER_MB * 1e6:
        if not data[8:9] == b"{":
            raise Refused("the checkpoint is no safetensors file (a pickle is never opened)")
        raise Refused(
            f"its header says that it has {length / 1e6:,.0f} MB; at most {HEADER_MB:g} MB are read"
        )
    try:
        header = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["pufferbench"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Refused(f"the checkpoint is no checkpoint of PufferBench: {error}") from error
    if not isinstance(header, dict):
        raise Refused("the checkpoint is no checkpoint of PufferBench")
    return header


def check(header: dict[str, Any], env_id: str) -> None:
    """The game must be the teacher's, the policy one that we know, its sizes reasonable.

    Raises:
        Refused: one of them is not.
    """
    from pufferbench.policies import POLICIES

    env, policy = header.get("env"), header.get("policy")
    if not isinstance(env, dict) or env.get("id") != env_id:
        said = env.get("id") if isinstance(env, dict) else env
        raise Refused(
            f"it was trained in {str(said)[:80]!r}, not in {env_id}: names are compared, never imported"
        )
    if env.get("wrappers"):
        raise Refused("it was trained with wrappers around the game, which the leaderboard does not make")
    if not isinstance(policy, dict) or policy.get("name") not in list(POLICIES):
        said = policy.get("name") if isinstance(policy, dict) else policy
        raise Refused(f"its policy {str(said)[:80]!r} is not one of PufferBench's ({', '.join(POLICIES)})")
    arguments = policy.get("arguments", {})
    if not isinstance(arguments, dict):
        raise Refused("its policy's arguments are not a table")
    for name, value in arguments.items():
        if not isinstance(value, (bool, int, float, str)) or (
            isinstance(value, (int, float)) and abs(value) > LARGEST
        ):
            raise Refused(f"its policy's {name[:40]} is {str(value)[:40]}; numbers up to {LARGEST} are made")


def weights_fit(header: dict[str, Any], data: bytes, env: Any) -> None:
    """The policy that the header describes has the weights of the file: found out without memory for them.

    Raises:
        Refused: it would be another, perhaps a much larger one.
    """
    import torch

    from pufferbench import policies

    tensors = json.loads(data[8 : 8 + struct.unpack("<Q", data[:8])[0]])
    about = header["policy"]
    try:
        with torch.device("meta"):  # shapes without numbers
            described = policies.make(
                about["name"], env.observation_space, env.action_space, **about.get("arguments", {})
            )
        for name, tensor in described.state_dict().items():
            if list(tensors[f"policy.{name}"]["shape"]) != list(tensor.shape):
                raise Refused(f"its weights {name} have another shape than its policy's arguments say")
    except (TypeError, ValueError, KeyError, RuntimeError) as error:
        raise Refused(f"its policy cannot be made: {str(error)[:200]}") from error


def open_policy(run: Path, env: Any, env_id: str) -> tuple[Any, dict[str, Any]]:
    """The policy of the run's latest checkpoint, and what the checkpoint says of itself.

    Raises:
        PufferBenchError: it is refused; the message says why.
    """
    from pufferbench import policies

    checkpoints = sorted((run / "checkpoints").glob("*.safetensors"))
    if not checkpoints:
        raise Refused("there is no checkpoint in run/checkpoints")
    data = read(checkpoints[-1], run, CHECKPOINT_MB)
    header = header_of(data)
    check(header, env_id)
    weights_fit(header, data, env)
    return policies.load(checkpoints[-1], env.observation_space, env.action_space), header


def judge(run: Path, env_id: str, episodes: int, seed: int) -> dict[str, Any]:
    """Scores of whole episodes of the run's agent, on seeds of the teacher's. Locks this process for good.

    Returns:
        ``scores``, one per episode; ``steps``, ``settings`` and ``curve``, what the run says of its training;
        ``digest`` of the weights, to find equal ones.

    Raises:
        PufferBenchError: the run is refused; the message says why.
    """
    from pufferbench import play, policies
    from pufferbench.vector.make import make

    env = make(env_id, num_envs=episodes, backend="serial")
    # What this process needs to import and compile, before it may no longer
    fresh = policies.from_preset(None, env.spec.preset().get("policy", {}) if env.spec else {}, env, 0)
    env.step(play.policy_actions(env, fresh)(env.reset(0)[0]))
    lock()

    policy, header = open_policy(run, env, env_id)
    played = play.play_episodes(env, play.policy_actions(env, policy, seed=seed), episodes, seed)
    metric = "score" if "score" in (played.dtype.names or ()) else "episode_return"
    weights = b"".join(tensor.numpy().tobytes() for tensor in policy.state_dict().values())
    train = header.get("train")
    return {
        "scores": [float(value) for value in played[metric]],
        "steps": header["global_step"] if isinstance(header.get("global_step"), int) else 0,
        "digest": hashlib.sha256(weights).hexdigest(),
        "settings": {str(k)[:40]: str(v)[:40] for k, v in train.items()} if isinstance(train, dict) else {},
        "curve": curve(run, metric),
    }


def curve(run: Path, metric: str) -> list[list[float]]:
    """``[steps, score]`` of at most POINTS records, evenly over the training; empty where there are none."""
    if not (run / "metrics.jsonl").exists():
        return []
    points = []
    for line in read(run / "metrics.jsonl", run, METRICS_MB).split(b"\n"):
        try:
            record = json.loads(line)
            point = [float(record["global_step"]), float(record[metric])]
        except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
            continue  # no episode had ended, or it is no record: there are enough others
        if all(map(math.isfinite, point)):
            points.append(point)
    return points[:: max(1, math.ceil(len(points) / POINTS))]


def main(arguments: Sequence[str]) -> None:
    """The child: ``RUN ENV EPISODES SEED SECONDS MEGABYTES``. Prints :func:`judge`'s answer, or why it is ``refused``.

    ``cut`` says whether the system cut the network.
    """
    from pufferbench.errors import PufferBenchError

    run, env_id, episodes, seed, seconds, megabytes = arguments
    with contextlib.redirect_stdout(sys.stderr):  # the answer alone goes to the standard output
        cut = cut_network()
        limit(float(seconds), float(megabytes))
        try:
            answer = judge(Path(run), env_id, int(episodes), int(seed))
        except PufferBenchError as refused:
            answer = {"refused": str(refused)}
    print(json.dumps({**answer, "cut": cut}))
