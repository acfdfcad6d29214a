"""The conformance kit: what every engine must pass.

An engine author writes one small test file (pytest with `asyncio_mode = "auto"`):

    class Here(EngineHarness):
        engine_class = MyEngine

        @pytest.fixture
        def url(self, tmp_path: Path) -> str:
            return f"mine:///{tmp_path}/store"  # empty for each test

    class TestMyEngine(EngineCases, Here): ...
    class TestMyEngineShared(  # where it is `shared`
        SharedCases, SharedChargeCases, SharedKeyCases, Here
    ): ...
    class TestMyEngineLanes(LaneCases, CancelLaneCases, Here): ...  # where it has `lanes`
    class TestMyEngineKeys(KeyedLimitCases, Here): ...  # where it has `limit_keys`
    class TestMyEnginePromotes(PromoteCases, Here): ...  # where it `promotes_running`
    class TestMyEngineOwns(OwnedEventCases, Here): ...  # where `events_by_owner`
    class TestMyEnginePromotesShared(SharedPromoteCases, Here): ...  # where it does both
    class TestMyEngineCrashes(CrashCases, Here): ...   # where `capabilities.shared`

`EngineCases` are all cases for one engine on one store; the case classes are there one by one,
too. The crash cases start processes that find the engine by its entry point, as users do.
Nothing else of eitherway needs pytest.
"""

import pytest

pytest.register_assert_rewrite(
    *(
        f"{__name__}.{module}"
        for module in (
            "cases_accept",
            "cases_cancel",
            "cases_charges",
            "cases_claim",
            "cases_crash",
            "cases_dead",
            "cases_events",
            "cases_fence",
            "cases_hide",
            "cases_keyed_limits",
            "cases_keys",
            "cases_lanes",
            "cases_lease",
            "cases_limits",
            "cases_list",
            "cases_operate",
            "cases_owned",
            "cases_promote",
            "cases_query",
            "cases_ready",
            "cases_receive",
            "cases_settle",
            "cases_shared",
            "cases_shares",
            "cases_tables",
            "cases_together",
            "cases_waiting",
            "crash_scenarios",
            "harness",
            "key_samples",
            "samples",
        )
    )
)

# After the call above, so that a failing case shows both sides.
from .cases_accept import AcceptCases, OpenCases  # noqa: E402
from .cases_cancel import CancelCases, CancelLaneCases, CancelPlaceCases  # noqa: E402
from .cases_charges import ChargeCases, SharedChargeCases  # noqa: E402
from .cases_claim import ClaimCases  # noqa: E402
from .cases_crash import CrashCases  # noqa: E402
from .cases_dead import DiscardCases, RedriveCases  # noqa: E402
from .cases_events import EventCases  # noqa: E402
from .cases_fence import FenceCases  # noqa: E402
from .cases_hide import HideCases, TombstoneCases  # noqa: E402
from .cases_keyed_limits import KeyedLimitCases  # noqa: E402
from .cases_keys import KeyedAcceptCases, SharedKeyCases  # noqa: E402
from .cases_lanes import LaneCases  # noqa: E402
from .cases_lease import ExtendCases, OverdueCases, PurgeCases  # noqa: E402
from .cases_limits import LimitCases  # noqa: E402
from .cases_list import ListCases  # noqa: E402
from .cases_operate import MessageCases, PauseCases, StatisticsCases  # noqa: E402
from .cases_owned import OwnedEventCases  # noqa: E402
from .cases_promote import PromoteCases, SharedPromoteCases  # noqa: E402
from .cases_query import QueryCases  # noqa: E402
from .cases_ready import ReadyCases  # noqa: E402
from .cases_receive import ReceiveCases  # noqa: E402
from .cases_settle import SettleCases  # noqa: E402
from .cases_shared import SharedCases  # noqa: E402
from .cases_shares import ShareCases  # noqa: E402
from .cases_tables import CheckCases, EnqueueCases, ItemCases  # noqa: E402
from .cases_together import TogetherCases  # noqa: E402
from .cases_waiting import FlowCases, WaitingCases  # noqa: E402
from .harness import EngineHarness  # noqa: E402

__all__ = [
    "AcceptCases",
    "CancelCases",
    "CancelLaneCases",
    "CancelPlaceCases",
    "ChargeCases",
    "CheckCases",
    "ClaimCases",
    "CrashCases",
    "DiscardCases",
    "EngineCases",
    "EngineHarness",
    "EnqueueCases",
    "EventCases",
    "ExtendCases",
    "FenceCases",
    "FlowCases",
    "HideCases",
    "ItemCases",
    "KeyedAcceptCases",
    "KeyedLimitCases",
    "LaneCases",
    "LimitCases",
    "ListCases",
    "MessageCases",
    "OpenCases",
    "OverdueCases",
    "OwnedEventCases",
    "PauseCases",
    "PromoteCases",
    "PurgeCases",
    "QueryCases",
    "ReadyCases",
    "ReceiveCases",
    "RedriveCases",
    "SettleCases",
    "ShareCases",
    "SharedCases",
    "SharedChargeCases",
    "SharedKeyCases",
    "SharedPromoteCases",
    "StatisticsCases",
    "TogetherCases",
    "TombstoneCases",
    "WaitingCases",
]


class EngineCases(
    OpenCases,
    AcceptCases,
    KeyedAcceptCases,
    ClaimCases,
    ReadyCases,
    ReceiveCases,
    ExtendCases,
    OverdueCases,
    PurgeCases,
    SettleCases,
    FenceCases,
    CancelCases,
    CancelPlaceCases,
    HideCases,
    TombstoneCases,
    TogetherCases,
    ItemCases,
    CheckCases,
    QueryCases,
    ChargeCases,
    EnqueueCases,
    LimitCases,
    ShareCases,
    EventCases,
    MessageCases,
    ListCases,
    RedriveCases,
    DiscardCases,
    PauseCases,
    StatisticsCases,
    WaitingCases,
    FlowCases,
):
    """All cases of one engine on one store."""
