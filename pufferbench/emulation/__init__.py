"""Other people's environments behind the PufferEnv contract."""

from pufferbench.emulation.adapt import as_puffer
from pufferbench.emulation.gymnasium import GymnasiumEnv, make_gymnasium
from pufferbench.emulation.legacy import LegacyEnv
