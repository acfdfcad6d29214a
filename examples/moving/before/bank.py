"""Where the money is: somebody else's service, slow and not always there."""

import os
import random
import time


class BankError(Exception):
    pass


def charge(order_id: str, amount: float) -> str:
    time.sleep(0.05)
    if random.random() < float(os.environ.get("BANK_FAILS", "0.1")):
        raise BankError("try again")
    return f"{order_id}: {amount:.2f} paid"
