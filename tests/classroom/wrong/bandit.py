# %% a constant step: running_mean
# costs test_running_mean 2
def running_mean(mean, n, reward):
    return mean + (reward - mean) / max(1, min(n + 1, 3))


# %% no baseline and no maximum: softmax
# costs test_softmax 2
def softmax(preferences):
    powers = np.exp(preferences)
    return powers / powers.sum()


# %% no baseline and no maximum: step
# costs test_step 3
def step(preferences, arm, reward, baseline, alpha):
    played = np.arange(len(preferences)) == arm
    return preferences + alpha * reward * (played - softmax(preferences))
