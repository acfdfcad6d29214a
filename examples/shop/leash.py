"""Runs `eitherway`'s command line as a child that ends when its parent does, however that went.

The parent holds the other end of standard input; it closes with the parent, even on SIGKILL.
"""

import os
import signal
import threading

from eitherway.cli.main import main


def _wait_for_parent() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


threading.Thread(target=_wait_for_parent, daemon=True).start()
main()
