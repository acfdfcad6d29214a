"""What each limit costs in jobs drained per second, against none: `./dev bench limits`."""

from __future__ import annotations

import limits_app
from drain import drain
from eitherway import App
from eitherway.attempt.pace import Pace
from eitherway.engine.limits import Lesson
from harness import Rows, counted, folder, options_of, report

NONE = "no limit"


async def learn(app: App) -> None:
    """Give the adaptive limit a pace that is never reached, as if it had been learnt."""
    pace = Pace(per_second=1e6, peak=1e6)
    await app.runtime.engine.learn([Lesson(limit="learnt", seen=None, learned=pace.dump())])


def main() -> None:
    """A backlog of jobs that do nothing, drained by one worker under each limit in turn."""
    options = options_of(__doc__, "limits")
    options.add_argument("--jobs", type=int, default=5_000)
    chosen = options.parse_args()
    rows: Rows = {name: [] for name in limits_app.HANDLERS}
    with folder() as made:
        for _ in counted(chosen.rounds):
            for name, handler in limits_app.HANDLERS.items():
                app, target = limits_app.app, "limits_app:app"
                run = drain(made, handler, chosen.jobs, app=app, target=target, prepare=learn)
                rows[name].append(run)
    title = f"{chosen.jobs:,} jobs drained by one worker process"
    report(title, rows, [NONE], chosen.json)


if __name__ == "__main__":
    main()
