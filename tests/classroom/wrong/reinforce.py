# %% praise for the past: returns
# costs test_returns 2
# costs test_gradient 3
def returns_to_go(rewards, gamma):
    return np.full(len(rewards), (rewards * gamma ** np.arange(len(rewards))).sum())


# %% no baseline: gradient
# costs test_gradient 3
def gradient(theta, episode, baseline, gamma):
    states, actions, rewards = episode
    weights = returns_to_go(rewards, gamma)
    return sum(weights[t] * direction(theta, states[t], actions[t]) for t in range(len(states)))
