"""Attempts that end in one turn of the event loop are settled together, and each for itself."""

import asyncio

import pytest

from eitherway.attempt.settler import Settler
from eitherway.clock import SystemClock
from eitherway.engine.conformance.samples import a_finish, accept_one, leased
from eitherway.engine.values import ItemKey, ItemWrite, Settlement, SettleStatus, Work
from eitherway.engines.sqlite.engine import SqliteEngine
