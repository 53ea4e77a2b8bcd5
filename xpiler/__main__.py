"""`python -m xpiler` is `xpiler`."""

import sys

from xpiler.cli import main

sys.exit(main())
