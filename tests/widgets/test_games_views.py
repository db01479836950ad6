"""play, watch, film_strip and replay, as the browser drives them, without one."""

import io
import re

import numpy as np
import pytest
from PIL import Image

import pufferbench
from pufferbench.versions import Versions
from pufferbench.widgets import Replay, film_strip, play, replay, watch

POLICIES = {"ocean-memory": pufferbench.policies.LSTM}


def policy_for(name):
    env = pufferbench.make(name, num_envs=2)
    return POLICIES.get(name, pufferbench.policies.MLP)(env.observation_space, env.action_space)


def tick(view, *held, pressed=(), times=1):
    for _ in range(times):
        view.screen._on_message(
            None, {"kind": "tick", "view": "a", "held": list(held), "pressed": list(pressed)}, []
        )
        if view.screen.error is not None:
            raise view.screen.error


@pytest.fixture
def run(make_trainer, tmp_path):
    trainer = make_trainer(
        run_dir=tmp_path, total_timesteps=6 * 128, minibatch_size=64, checkpoint_interval=0
    )
    for _ in trainer.steps():
        if trainer.update % 2 == 0:
            trainer.save_checkpoint()
    return tmp_path


# -- play ---------------------------------------------------------------------------------------


def test_play_begins_with_a_key_and_keeps_score():
    view = play("ocean-cartpole", seed=3)
    tick(view, times=3)
    assert view.match.mine.steps == 0
    tick(view, "ArrowLeft", pressed=["ArrowLeft"])
    tick(view, "ArrowLeft", times=3)
    assert view.screen.notes == ["return 4 · step 4 · last reward +1"]
    assert len(view.rewards) == 4
    assert {"ArrowLeft", "ArrowRight", "Enter"} <= set(view.screen.game_keys)
    assert [button["help"] for button in view.screen.buttons] == ["pushes left", "pushes right"]
    assert Image.open(io.BytesIO(view.screen.pictures[0])).size == view.match.mine.env.size
    view.close()


def test_play_ends_is_kept_and_begins_again_with_the_next_seed():
    view = play("ocean-cartpole", seed=3)
    tick(view, "ArrowLeft", times=200)
    assert view.match.over and "Game over: return" in view.screen.overlay
    (episode,) = view.episodes
    assert (episode.actions == 0).all() and view.episode.seed == 3
    view.start(9)  # and nothing of it is lost while the next has not begun
    assert view.episode is view.episodes[-1]
    while not view.match.over:
        tick(view, "ArrowLeft")
    tick(view, pressed=["ArrowLeft"])
    assert view.match.over, "fingers are still on the keys"
    tick(view, pressed=["Enter"])
    assert not view.match.over and view.match.seed == 10 == view.seed.value
    view.close()


def test_play_pauses_and_goes_step_by_step():
    view = play("ocean-breakout")
    tick(view, "ArrowLeft", times=8)
    steps = view.match.mine.steps
    view.pause.value = True
    tick(view, "ArrowLeft", times=8)
    assert view.match.mine.steps == steps
    tick(view, pressed=["ArrowRight"])
    view.step.click()
    assert view.match.mine.steps == steps + 2
    assert view.match.episode().actions[-2:, 0].tolist() == [2, 0]
    view.pause.value = False
    tick(view, "ArrowLeft", times=4)
    assert view.match.mine.steps == steps + 3
    view.close()


def test_play_speed_is_the_browsers_clock():
    view = play("ocean-breakout")
    assert view.screen.period == pytest.approx(1000 / 60)
    view.speeds.value = "1/4"
    assert view.screen.period == pytest.approx(1000 / 15)
    view.speeds.value = "4"
    assert view.screen.period == pytest.approx(1000 / 60)
    tick(view, "ArrowLeft")
    assert view.match.mine.steps == 1, "four pictures further at once"
    view.close()
    assert view.screen.period == 0


def test_race_the_agent_and_be_judged_by_it():
    view = play("ocean-cartpole", policy_for("ocean-cartpole"))
    assert view.screen.labels == ["You", "The agent"]
    tick(view, "ArrowLeft", times=100)
    assert len(view.screen.pictures) == 2 and "the agent" in view.screen.overlay
    assert view.episode.values is not None
    view.apart.click()
    (opened,) = [child for child in view.children if isinstance(child, Replay)]
    assert opened.judged
    view.close()


def test_a_seat_in_the_arena():
    view = play("ocean-pong", policy_for("ocean-pong"), players=2)
    assert view.screen.labels == ["You, seat 0 of 2; the agent in the others"]
    view.close()


def test_what_is_saved_of_a_game_is_its_picture_and_words():
    view = play("ocean-breakout")
    tick(view, "ArrowLeft", times=8)
    page = view.snapshot_html()
    assert "ocean-breakout, played by a person: return 0 after 2 steps." in page
    assert "data:image/png;base64," in page
    assert repr(view) == "Play(ocean-breakout, seed 0, return 0, step 2)"
    view.close()


# -- watch --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["ocean-breakout", "ocean-memory", "ocean-cartpole-continuous", "ocean-target"]
)
def test_watch_shows_what_the_agent_thinks(name):
    view = watch(policy_for(name), name)
    tick(view, times=3)
    numbers = len(view.chances.distribution)
    assert numbers == sum(len(part["options"]) or 2 for part in view.chances.parts)
    assert len(view.traces) == 3 and np.isfinite(view.traces._rows[0][:2]).all()
    before = view.game.steps
    view.pause.value = True
    tick(view, times=3)
    view.step.click()
    assert view.game.steps == before + 1
    view.close()


def test_checkpoints_are_swapped_while_it_plays(run):
    view = watch(run)
    assert view.slider.max == 3 and "100 % of the training" in view.heading.value
    tick(view, times=2)
    view.slider.value = 0
    assert "untrained" in view.heading.value
    tick(view)
    assert view.game.steps == 3, "the same episode goes on"
    untrained = Versions.newest(view.versions).state_dict()
    playing = view.game.thinker.policy.state_dict()
    assert any((untrained[name] != playing[name]).any() for name in playing)
    view.close()


def test_a_live_trainer_is_followed_until_somebody_looks_back(make_trainer):
    trainer = make_trainer()
    view = watch(trainer)
    steps = trainer.steps()
    for _ in range(3):
        next(steps)
    tick(view)
    assert "update 3" in view.heading.value and view.slider.value == view.slider.max == 3
    view.slider.value = 1
    next(steps)
    tick(view)
    assert "update 1 " in view.heading.value
    view.slider.value = view.slider.max
    tick(view)
    assert "update 4" in view.heading.value
    view.close()
    assert not trainer._subscribers


def test_sixteen_games_at_once_and_back():
    view = watch(policy_for("ocean-squared"), "ocean-squared")
    view.grid.value = True
    tick(view, times=40)
    assert len(view.many) == 16 and len({game.seed for game in view.many}) == 16
    assert re.fullmatch(r"16 games · mean of \d+ episodes [-\d.]+", view.screen.notes[0])
    assert Image.open(io.BytesIO(view.screen.pictures[0])).width > 600
    view.grid.value = False
    assert not view.many
    view.close()


@pytest.mark.parametrize("ending", ["gif", "mp4", "webp"])
def test_films_without_a_display(tmp_path, ending):
    import imageio

    view = watch(policy_for("ocean-breakout"), "ocean-breakout")
    path = view.export(tmp_path / f"film.{ending}", seconds=0.5, games=4)
    film = imageio.mimread(path)
    assert len(film) == 7 and film[0].shape[1] > 300
    assert view.game.steps == 0, "the game on the screen is another one"
    view.close()


def test_random_play_can_be_watched_too():
    view = watch(None, "ocean-cartpole")
    tick(view, times=5)
    assert "random play" in view.heading.value and view.game.steps == 5
    assert view.slider.layout.display == "none"
    view.close()


# -- film_strip ---------------------------------------------------------------------------------


def test_a_run_with_nothing_but_defaults_has_all_moments_of_a_strip(make_trainer, tmp_path):
    trainer = make_trainer(run_dir=tmp_path, total_timesteps=100 * 128, minibatch_size=64)
    for _ in trainer.steps():
        pass
    strip = film_strip(tmp_path)
    assert [moment.progress for moment in strip.moments] == [0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1]
    strip.close()


def test_a_strip_is_the_same_game_at_several_times(run, tmp_path):
    strip = film_strip(run, seed=4)
    assert strip.screen.labels == [
        "0 % · untrained",
        "33 % · update 2",
        "67 % · update 4",
        "100 % · update 6",
    ]
    first = [game.env.observations.copy() for game in strip.games]
    assert all((each == first[0]).all() for each in first)
    tick(strip, times=200)
    assert len(strip.screen.pictures) == 4
    assert all("ended" in note for note in strip.screen.notes)
    page = strip.snapshot_html()
    assert "data:image/png" in page and "67 % · update 4: return" in page
    path = strip.export(tmp_path / "strip.gif", seconds=1)
    assert path.read_bytes()[:6] == b"GIF89a"
    strip.close()


def test_a_strip_that_was_never_played_is_saved_as_it_would_be_after_a_while(run):
    strip = film_strip(run, shares=(0, 1))
    page = strip.snapshot_html()
    assert "step 0" not in page and all(game.steps == 0 for game in strip.games)
    strip.close()


# -- replay -------------------------------------------------------------------------------------


def test_scrubbing():
    episode = pufferbench.record_episode(policy_for("ocean-breakout"), "ocean-breakout", limit=30)
    view = replay(episode)
    view.scrubber.value = 12
    assert view.traces.cursor == view.step == 12
    assert view.screen.pictures == [episode.frames[12]]
    np.testing.assert_allclose(view.chances.distribution, episode.distribution[12, 0], atol=1e-4)
    view.traces.cursor = 20
    assert view.scrubber.value == 20 and "step <b>20</b> of 29" in view.facts.value
    view.forward.click()
    assert view.step == 21
    view.playing.value = True
    tick(view, times=30)
    assert view.step == 29 and not view.playing.value
    view.close()


def test_gamma_and_lambda_recompute_at_once():
    episode = pufferbench.record_episode(policy_for("ocean-breakout"), "ocean-breakout", limit=60)
    view = replay(episode)
    view.gamma.value, view.gae_lambda.value = 0.9, 0.5
    expected = episode.advantages(0.9, 0.5)[:, 0]
    np.testing.assert_allclose([row[1] for row in view.traces._rows], expected)
    assert f"advantage <b>{expected[0]:+.4g}</b>" in view.facts.value
    view.close()


def test_why_is_marked_by_what_works():
    env = pufferbench.make("ocean-spaces", num_envs=2)
    view = replay(pufferbench.record_episode(policy_for("ocean-spaces"), env))
    assert len(view.observation._shown) == 2
    view.why.value = "gradient"
    assert "take method='occlusion'" in view.problem.value and view.why.value == "occlusion"
    view.why.value = ""
    assert len(view.observation._shown) == 1
    view.close()


def test_an_episode_from_a_file_and_one_that_nobody_judged(tmp_path):
    path = pufferbench.record_episode(None, "ocean-target", limit=10).save(tmp_path / "e.npz")
    view = replay(path, agent=3)
    assert not view.judged and "advantage" not in view.facts.value
    assert view.observation._shown and "data:image/png" in view.snapshot_html()
    view.seat.value = 5
    assert view.agent == 5
    view.close()
    judged = replay(path, policy_for("ocean-target"))
    assert judged.judged and "value" in judged.facts.value
    judged.close()
