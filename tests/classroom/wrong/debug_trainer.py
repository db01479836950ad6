# %% the advantages as they were: advantages
# costs test_advantages 2
advantages = broken_advantages

# %% the playing as it was: play
# costs test_play 2
# costs test_learns 2
play = broken_play
