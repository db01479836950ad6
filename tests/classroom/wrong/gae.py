# %% the terminal flag is ignored: deltas
# costs test_deltas 3
def deltas(rewards, values, terminals, gamma):
    return rewards + gamma * values[1:] - values[:-1]


# %% the terminal flag is ignored: gae
# costs test_gae 3
def gae(rewards, values, terminals, gamma, gae_lambda):
    surprise = deltas(rewards, values, terminals, gamma)
    advantages, later = np.zeros(len(rewards)), 0.0
    for t in reversed(range(len(rewards))):
        advantages[t] = later = surprise[t] + gamma * gae_lambda * later
    return advantages


# %% a cut is an end: gae_with_cuts
# costs test_gae_with_cuts 3
# costs test_targets 0
def gae_with_cuts(rewards, values, terminals, truncations, final_values, gamma, gae_lambda):
    return gae(rewards, values, terminals | truncations, gamma, gae_lambda)
