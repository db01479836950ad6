# %% the preset as it is: settings
# costs test_settings 2
# costs test_half_a_wall 3
# costs test_a_wall 3
def settings():
    return {"num_envs": 1024, "hidden_size": 128}


# %% no checkpoint: hand_in
# costs test_hand_in 2
def hand_in(seed, folder):
    shutil.rmtree(folder, ignore_errors=True)
    trainer, _ = train(seed, run_dir=folder)
    trainer.close()
