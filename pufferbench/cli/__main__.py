"""``python -m pufferbench.cli``, for where the ``puffer`` script is not on the path."""

import sys

from pufferbench.cli import main

if __name__ == "__main__":
    sys.exit(main())
