# %% the end has a future: q_target
# costs test_q_target 3
def q_target(reward, next_row, terminal, gamma):
    return reward + gamma * np.max(next_row)


# %% always the first of equals: epsilon_greedy
# costs test_epsilon_greedy 2
def epsilon_greedy(row, epsilon, rng):
    if rng.random() < epsilon:
        return rng.integers(len(row))
    return np.argmax(row)
