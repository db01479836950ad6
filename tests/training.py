"""What several tests of the trainer do with one."""

import torch


def run(trainer, updates):
    for _ in range(updates):
        trainer.evaluate()
        trainer.train()
        trainer.mean_and_log()
    return trainer.last_record


def weights(trainer):
    return {name: tensor.clone() for name, tensor in trainer.policy.state_dict().items()}


def same(left, right):
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)
