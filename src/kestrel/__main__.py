"""`python -m kestrel` is the command `kestrel`."""

import sys

from kestrel.cli import main

sys.exit(main())
