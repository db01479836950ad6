"""The present agent, playing: one game of its own, with the newest weights, only while somebody watches."""

from __future__ import annotations

import atexit
import copy
import io
import threading
import time
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from PIL import Image

from pufferbench.pytorch import draw_noise, sample
from pufferbench.recurrent import Player
from pufferbench.widgets.frame_view import FrameView
from pufferbench.widgets.pace import agent_fps

FILM = 3.0  # s of play in one film
MAX_FPS = 20  # fewer while weights change: watching must not slow the training down
CPU_SHARE = 0.02  # of one core that playing may take, at most
MIN_FPS = 2  # whatever a frame costs: slower does not look alive


class LiveAgent:
    """Plays the trainer's game in a :class:`FrameView` while it is enabled and visible, film by film.

    It has its own env (``trainer.env.respawn(1)``) and its own copy of the policy on the CPU, and takes
    the weights from ``trainer.snapshot``: it never touches the env or the module that is being trained.

    Args:
        trainer: a :class:`pufferbench.PuffeRL`.
        view: where to show the frames.
    """

    def __init__(self, trainer: Any, view: FrameView) -> None:
        self.trainer = trainer
        self.view = view
        self.error: Exception | None = None
        self.last_frame: np.ndarray | None = None
        self._enabled = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._update: int | None = None

    @property
    def enabled(self) -> bool:
        """Whether it plays (when somebody can see it)."""
        return self._enabled.is_set()

    @enabled.setter
    def enabled(self, value: bool) -> None:
        if not value:
            self._enabled.clear()
            return
        self._enabled.set()
        if self._thread is None and not self._closed.is_set():
            self._thread = threading.Thread(target=self._run, name="pufferbench-live-agent", daemon=True)
            atexit.register(self.close)  # the interpreter's end must not catch it inside torch
            self._thread.start()

    def close(self) -> None:
        """End the thread and close the env. Closing twice is fine."""
        self._closed.set()
        self._enabled.set()  # wake it up, so that it ends
        self.view.seen.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=2)
        atexit.unregister(self.close)

    # -- the thread -----------------------------------------------------------------------------

    def _run(self) -> None:
        env = None
        try:
            env = self.trainer.env.respawn(1)
            self._play(env)
        except Exception as error:  # shown in the view: a thread has nowhere else to say it
            self.error = error
            self.view.note = f"cannot play: {error}"
        finally:
            if env is not None:
                env.close()

    def _play(self, env: Any) -> None:
        policy = copy.deepcopy(self.trainer.policy).to("cpu").eval()
        player = Player(policy)
        # A generator of its own: torch's global one belongs to the user (and reproducibility).
        generator = torch.Generator().manual_seed(time.time_ns() % 2**31)
        observations, _ = env.reset(seed=generator.initial_seed())
        fastest = min(MAX_FPS, float(getattr(env, "fps", None) or MAX_FPS))
        episode_return, last_return = 0.0, None
        env.render()  # may compile, for seconds, the very first time: that is no measure of a frame's cost
        cost = 0.0  # CPU seconds per frame, smoothed
        due = time.monotonic()
        while self._wait_for_eyes():
            began = time.thread_time()
            training = self._load(policy)
            fps = min(fastest, agent_fps(self.trainer.elapsed)) if training else fastest
            if cost:
                fps = min(fps, max(CPU_SHARE / cost, MIN_FPS))
            frames = []
            for _ in range(round(FILM * fps)):
                actions = self._act(player, env, observations, generator)
                observations, rewards, terminals, truncations, infos = env.step(actions)
                player.forget(terminals | truncations)
                episode_return += float(np.sum(rewards[: env.num_agents]))
                if len(infos):
                    last_return, episode_return = episode_return, 0.0
                frames.append(env.render())
            self._show(frames, episode_return, last_return)
            spent = (time.thread_time() - began) / len(frames)
            cost = spent if not cost else 0.5 * cost + 0.5 * spent
            due = max(due + FILM, time.monotonic())
            self._closed.wait(due - time.monotonic())

    def _wait_for_eyes(self) -> bool:
        """Block until somebody watches, and has seen the film before. False: closed."""
        while not self._closed.is_set():
            self._enabled.wait()
            if not self.view.visible:
                self.view.seen.wait()
            elif self.view.ready:
                return not self._closed.is_set()
            else:
                self._closed.wait(0.05)
        return False

    def _load(self, policy: torch.nn.Module) -> bool:
        """Take the newest weights. Returns whether there were new ones."""
        snapshot, before = self.trainer.snapshot, self._update
        if snapshot.update != before:
            policy.load_state_dict(snapshot.weights)
            self._update = snapshot.update
        return before not in (None, snapshot.update)

    def _act(
        self, player: Player, env: Any, observations: np.ndarray, generator: torch.Generator
    ) -> np.ndarray:
        with torch.inference_mode():
            logits = player(torch.from_numpy(np.array(observations)))
            masks = None if env.action_masks is None else torch.from_numpy(env.action_masks)
            noise = draw_noise(env.action_space, (env.num_agents,), generator)
            actions = sample(logits, noise, masks)[0].numpy()
        if isinstance(env.action_space, spaces.Box):
            actions = np.clip(actions, env.action_space.low, env.action_space.high)
        return actions

    def _show(self, frames: list[np.ndarray], episode_return: float, last_return: float | None) -> None:
        self.last_frame = frame = frames[-1]
        with self.view.hold_sync():
            self.view.width, self.view.height = frame.shape[1], frame.shape[0]
            last = "" if last_return is None else f" · last episode {last_return:.4g}"
            self.view.note = f"weights of update {self._update} · return {episode_return:.4g}{last}"
            self.view.show(to_film(frames, FILM), FILM)


def to_film(frames: list[np.ndarray], seconds: float) -> bytes:
    """RGB uint8 pictures ``[height, width, 3]`` as an animated PNG file's bytes, which plays once, so long."""
    file = io.BytesIO()
    first, *others = map(Image.fromarray, frames)
    duration = 1000 * seconds / len(frames)
    first.save(file, "PNG", save_all=True, append_images=others, duration=duration, loop=1, compress_level=1)
    return file.getvalue()
