# %% clipped without the minimum: policy_loss
# costs test_policy_loss 3
def policy_loss(new_logprobs, old_logprobs, advantages, clip_coef):
    ratio = np.exp(new_logprobs - old_logprobs)
    return -(advantages * np.clip(ratio, 1 - clip_coef, 1 + clip_coef)).mean()


# %% no pull outside: pulls
# costs test_pulls 3
def pulls(ratio, advantages, clip_coef):
    return np.where(np.abs(ratio - 1) > clip_coef, 0.0, advantages)
