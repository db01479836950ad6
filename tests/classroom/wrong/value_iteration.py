# %% the end has a future: action_values
# costs test_action_values 3
def action_values(values, P, R, terminal, gamma):
    return R + gamma * P @ values


# %% a fixed number of rounds: value_iteration
# costs test_value_iteration 3
def value_iteration(P, R, terminal, gamma, tolerance=1e-8):
    values = np.zeros(len(R))
    for _ in range(200):
        values = action_values(values, P, R, terminal, gamma).max(axis=1)
    return values
