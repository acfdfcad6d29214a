"""One store, one app: by its name."""

import pytest

from eitherway import App, ConfigurationError
from eitherway.attempt.tenant import rename
from eitherway.settings import Settings


async def test_another_app_is_refused(tmp_path):
    """In one line that names both, before anything is served; its own app comes and goes."""
    settings = Settings(engine=f"sqlite:///{tmp_path / 'shop.db'}")
    for _ in range(2):
        shop = App("shop")
        await shop.check(settings)
        await shop.open(settings)
        await shop.close()
    bank = App("bank")
    for start in (bank.check, bank.open):
        with pytest.raises(ConfigurationError, match="of the app 'shop', and this is 'bank'"):
            await start(settings)


async def test_an_app_may_be_renamed(tmp_path):
    """Then it is let in, and the one that it was is not."""
    settings = Settings(engine=f"sqlite:///{tmp_path / 'shop.db'}")
    shop = App("shop")
    runtime = await shop.open(settings)
    await rename(runtime.engine, "store")
    await shop.close()
    store = App("store")
    await store.open(settings)
    await store.close()
    with pytest.raises(ConfigurationError, match="of the app 'store'"):
        await App("shop").open(settings)
