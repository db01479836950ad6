# %% the given arrays are changed: step_many
# costs test_step_many 3
def step_many(depth, pearl, has_pearl, air, actions):
    depth += actions - 1
    np.clip(depth, 0, BOTTOM, out=depth)
    air -= 1
    has_pearl = has_pearl | (depth == pearl)
    won = has_pearl & (depth == 0)
    lost = (air == 0) & ~won
    return depth, has_pearl, air, won.astype(float) - lost, won | lost


# %% a pearl near the surface: diver
# costs test_diver 4
class Diver(OceanEnv):
    observation = Box(0, 1, (4,), np.float32)
    action = Discrete(3)
    metrics = ("score",)

    class State:
        depth: i32
        pearl: i32
        has_pearl: i32
        air: i32
        score: f32

    def reset(s):
        s.depth = 0
        s.pearl = 1 + randint(s, 10)
        s.has_pearl = 0
        s.air = AIR
        s.score = 0

    def step(s, action):
        s.depth = min(max(s.depth + action - 1, 0), BOTTOM)
        s.air -= 1
        if s.depth == s.pearl:
            s.has_pearl = 1
        won = s.has_pearl == 1 and s.depth == 0
        lost = s.air == 0 and not won
        if won:
            s.score = 1
        return (1.0 if won else -1.0 if lost else 0.0), won or lost, False

    def observe(s, obs):
        obs[0] = s.depth / 10
        obs[1] = s.pearl / 10
        obs[2] = s.has_pearl
        obs[3] = s.air / 25
