"""`python -m kestrel` is the command `kestrel`."""

import sys

from kestrel.start import main

sys.exit(main())
