"""Install the kernel: `python -m kestrel_jupyter_kernel.setup`, with the options of `kestrel kernel install`."""

import sys

from kestrel.cli import main

if __name__ == "__main__":
    sys.exit(main(["kernel", "install", *sys.argv[1:]]))
