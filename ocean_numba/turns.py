"""What games for two in turn share: whose turn it is, and how a game ends. Seat 0 is the first row's."""


def pass_turn(s, masks):
    """With two seats in the batch, only the one whose turn it is acts."""
    if s.players == 2:
        masks[s.turn] = True
        masks[1 - s.turn] = False


def finish(s, rewards, winner):
    """The game is over: 1 for the winner, -1 for the other seat."""
    for i in range(len(rewards)):
        rewards[i] = 1.0 if i == winner else -1.0
        s.score[i] = rewards[i]
    return True, False
