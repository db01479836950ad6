"""How much memory a batch takes, in a process of its own: the whole process, torch and compiled games included."""

from __future__ import annotations

import subprocess
import sys

import pytest

TRAIN = """
import sys

from pufferbench import PuffeRL
from pufferbench.bench_train import peak_memory
from tests.training import run

name, policy, batch_size = sys.argv[1], sys.argv[2], int(sys.argv[3])
if name == "pixels":
    from tests.test_policies_kinds import Riddle, pixels
    env = Riddle(pixels(64, 64, 3), lambda generator, answer, row: row.fill(answer), num_envs=256)
else:
    import pufferbench
    env = pufferbench.make(name, num_envs=1024)
# Of pictures 1024 at a time: what a minibatch's layers keep for their gradients would be 0.8 GB
pieces = {"max_minibatch_size": 1024} if name == "pixels" else {}
trainer = PuffeRL(env, policy, batch_size=batch_size, seed=0, **pieces)
assert trainer.config.batch_size == batch_size
run(trainer, 2)
print(trainer.learner.name, peak_memory() / 1e9)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell the peak")
@pytest.mark.parametrize(
    ("env", "policy", "batch_size"),
    [
        ("ocean-cartpole", "MLP", 65_536),
        ("ocean-breakout", "MLP", 65_536),
        ("ocean-breakout", "LSTM", 65_536),
        ("pixels", "CNN", 16_384),  # 0.2 GB of pixels
    ],
)
def test_a_batch_fits_into_a_gigabyte(env, policy, batch_size):
    command = [sys.executable, "-c", TRAIN, env, policy, str(batch_size)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    learner, gigabytes = done.stdout.split()
    print(f"{env}, {policy} ({learner}), {batch_size:,} steps: {float(gigabytes):.2f} GB")
    assert 0.1 < float(gigabytes) < 1
