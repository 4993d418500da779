"""`python -m api`: the same as `wangge`."""

import sys

from api.cli import main

sys.exit(main())
