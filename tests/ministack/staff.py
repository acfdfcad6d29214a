"""An app for the stack in MiniStack whose jobs are somebody's."""

from collections.abc import Mapping

from eitherway import App
from eitherway.auth import Authenticator, Principal


class ByName(Authenticator):
    """Believes what a header says."""

    credential_headers = ("x-user",)

    async def authenticate(self, headers: Mapping[str, str]) -> Principal | None:
        name = headers.get("x-user")
        return None if name is None else Principal(name)


app = App("staff", auth=ByName())


@app.post("/notes", delivery="queued")
async def write(note: dict[str, str]) -> dict[str, str]:
    return note
