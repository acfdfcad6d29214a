"""An app that cannot be handed to a child as it is: its module starts a thread."""

import threading

from eitherway import App

app = App("threaded")
threading.Thread(target=threading.Event().wait, daemon=True).start()


@app.post("/things", delivery="queued")
async def make_thing() -> None: ...
