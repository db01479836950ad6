"""profile(): the picture of where the time goes."""

from __future__ import annotations

import pytest

import pufferbench as pb
from pufferbench.profiling import Limit, Part, Profile
from pufferbench.widgets import profile
from pufferbench.widgets.profile import draw, in_words


def test_a_bar_for_each_part_and_for_the_limit_on_one_scale():
    parts = (
        Part("environment", 3e-9, "green", "stepping the games"),
        Part("policy", 1.5e-9, "blue", "acting"),
    )
    svg = draw(Profile("Training x", parts, (Limit("arithmetic", 6e-9, "why"),)), "in words")
    widths = [
        float(piece.split('"')[0])
        for piece in svg.split('rect x="120"')[1:]
        for piece in [piece.split(' width="')[1]]
    ]
    assert widths == pytest.approx([225, 112.5, 450])
    assert "stepping the games" in svg
    assert 'aria-label="in words"' in svg
    assert "3.00 ns · 67%" in svg


def test_of_an_environment_by_name_a_batch_and_a_trainer():
    view = profile("ocean-squared")
    assert "Stepping ocean-squared" in view.svg()
    assert "agent steps/s; game" in view.describe()
    assert view.picture()[0].startswith(b"<svg")
    view.close()
    trainer = pb.PuffeRL(env=pb.make("ocean-squared", num_envs=64), bptt_horizon=16, total_timesteps=16384)
    view = profile(trainer)
    before = view.profile
    view.again()
    assert view.profile is not before
    trainer.request(learning_rate=1e-4)
    list(trainer.steps())
    view.again()  # finished: said on the button, nothing raised into a thread
    assert "larger total_timesteps" in view.button.description
    view.close()


def test_what_it_cannot_profile():
    with pytest.raises(TypeError, match="a PuffeRL, an environment or the name of one, not int"):
        profile(3)


def test_units():
    assert in_words(4.56e-6) == "4.56 µs"
    assert in_words(12.3e-9) == "12.3 ns"
