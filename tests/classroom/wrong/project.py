# %% the preset as it is: settings
# costs test_settings 2
# costs test_half_a_wall 3
# costs test_a_wall 3
def settings():
    return {"num_envs": 1024, "hidden_size": 128}


# %% the old run stays: hand_in
# costs test_hand_in 2
def hand_in(seed, folder):
    trainer, _ = train(seed, run_dir=folder)
    trainer.close()
