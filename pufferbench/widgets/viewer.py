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

MAX_FPS = 30
CPU_SHARE = 0.04  # of one core, at most: watching must not slow the training down
LONGEST_PAUSE = 0.5  # s between frames, whatever they cost: slower does not look alive


class LiveAgent:
    """Plays the trainer's game in a :class:`FrameView` while it is enabled and visible.

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
        self._closed = False
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
        if self._thread is None and not self._closed:
            self._thread = threading.Thread(target=self._run, name="pufferbench-live-agent", daemon=True)
            atexit.register(self.close)  # the interpreter's end must not catch it inside torch
            self._thread.start()

    def close(self) -> None:
        """End the thread and close the env. Closing twice is fine."""
        self._closed = True
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
        fps = min(MAX_FPS, float(getattr(env, "fps", None) or MAX_FPS))
        episode_return, last_return = 0.0, None
        due = time.monotonic()
        env.render()  # may compile, for seconds, the very first time: that is no measure of a frame's cost
        cost = 0.0  # CPU seconds per frame, smoothed
        while True:
            if not self._wait_for_eyes():
                return
            began = time.thread_time()
            self._load(policy)
            actions = self._act(player, env, observations, generator)
            observations, rewards, terminals, truncations, infos = env.step(actions)
            player.forget(terminals | truncations)
            episode_return += float(np.sum(rewards[: env.num_agents]))
            if len(infos):
                last_return, episode_return = episode_return, 0.0
            if self.view.ready:
                self._show(env, episode_return, last_return)
            spent = time.thread_time() - began
            cost = spent if not cost else 0.9 * cost + 0.1 * spent
            pause = min(max(1 / fps, cost / CPU_SHARE), LONGEST_PAUSE)
            due = max(due + pause, time.monotonic() - 0.1)
            time.sleep(max(0.0, due - time.monotonic()))

    def _wait_for_eyes(self) -> bool:
        """Block until somebody watches. False: closed."""
        while not self._closed:
            self._enabled.wait()
            if self.view.visible:
                return not self._closed
            self.view.seen.wait()
        return False

    def _load(self, policy: torch.nn.Module) -> None:
        snapshot = self.trainer.snapshot
        if snapshot.update != self._update:
            policy.load_state_dict(snapshot.weights)
            self._update = snapshot.update

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

    def _show(self, env: Any, episode_return: float, last_return: float | None) -> None:
        self.last_frame = frame = env.render()
        with self.view.hold_sync():
            self.view.width, self.view.height = frame.shape[1], frame.shape[0]
            last = "" if last_return is None else f" · last episode {last_return:.4g}"
            self.view.note = f"weights of update {self._update} · return {episode_return:.4g}{last}"
            self.view.show(to_jpeg(frame))


def to_jpeg(image: np.ndarray, quality: int = 85) -> bytes:
    """RGB uint8 ``[height, width, 3]`` as a JPEG file's bytes."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return file.getvalue()
