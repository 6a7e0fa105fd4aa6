"""`python -m control_room` is the installed command `control-room`."""

import sys

from control_room.cli import main

sys.exit(main())
