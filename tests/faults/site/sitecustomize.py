"""Found by Python in the processes of a server that the harness starts: see tests.faults."""

import os
import sys

if "gunicorn" in sys.orig_argv:
    os.setpgrp()  # so that all of the server can be killed at once, and nothing else

from tests.faults.steps import install_from_environment

install_from_environment()
