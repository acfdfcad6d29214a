"""One request in every delivery: the same answer to the byte, or the same refusal to the byte."""

import asyncio
import json
from random import Random

import httpx
import pytest
from service import Service, until_done

pytestmark = pytest.mark.slow

CASES = 200
AT_A_TIME = 16
JSON = {"content-type": "application/json"}
ASYNC = {"prefer": "respond-async"}
DIRECT = ("/direct", "/auto")
TEXT = (
    *"aZ09 _-/\\\"'<>&\t\n\r\x7f",
    *"\u00e9\u00df\u0141\u4e2d\u05d0\u0e01\u2028\u200d\ufeff\U0001f600\U0010ffff",
)


class Made:
    """Random values of the types in `alike_apps`, from a seed."""

    def __init__(self, seed):
        self.random = Random(seed)

    def text(self):
        return "".join(self.random.choices(TEXT, k=self.random.randrange(12)))

    def number(self):
        random = self.random
        return random.choice(
            [
                0.0,
                -0.0,
                1e-9,
                1e300,
                5e-324,
                0.1 + 0.2,
                17,
                -3,
                random.random(),
                random.gauss(0, 1e6),
            ]
        )

    def decimal(self):
        random = self.random
        digits = f"{random.randrange(10 ** random.randrange(1, 20))}.{random.randrange(10**6)}"
        return random.choice([digits, f"-{digits}", "0", "1E+3", random.randrange(1000), 0.5])

    def moment(self):
        random = self.random
        zone = random.choice(["", "Z", "+02:00", "-11:30"])
        fraction = random.choice(["", ".5", ".123456"])
        day = f"{random.randrange(1000, 9000)}-0{random.randrange(1, 10)}-1{random.randrange(10)}"
        clock = f"0{random.randrange(10)}:{random.randrange(10, 60)}:{random.randrange(10, 60)}"
        return f"{day}T{clock}{fraction}{zone}"

    def part(self, depth=0):
        count = self.random.randrange(3) if depth < 4 else 0
        return {
            "name": self.text(),
            "weight": self.number(),
            "price": self.decimal(),
            "made": self.moment(),
            "children": [self.part(depth + 1) for _ in range(count)],
        }

    def whole(self):
        random = self.random
        value = {
            "id": f"{random.getrandbits(128):032x}",
            "Title": self.text(),
            "count": random.choice([random.randrange(-(10**18), 10**18), 17.0, 12]),
            "ratio": random.choice([None, self.number()]),
            "total": self.decimal(),
            "on": self.moment()[:10],
            "at": f"1{random.randrange(10)}:3{random.randrange(10)}:00.25",
            "lasts": random.choice(["P1DT2H", "PT0.5S", "P3D", "-PT1.5S"]),
            "colour": random.choice(["red", "blue"]),
            "tags": {
                self.text(): [random.choice([None, self.text(), random.randrange(99)])]
                * random.randrange(4)
                for _ in range(random.randrange(4))
            },
            "parts": [self.part() for _ in range(random.randrange(4))],
            "either": random.choice([5, "5", [], [True, False], self.text()]),
        }
        if random.random() < 0.5:
            value["maybe"] = random.choice([None, self.part()])
        return value

    def body(self):
        return json.dumps(self.whole(), ensure_ascii=self.random.random() < 0.5).encode()

    def wrong(self):
        """A request that none of them may take: its body, and its content type."""
        value, random = self.whole(), self.random
        name = random.choice(["id", "Title", "count", "total", "on", "tags", "parts"])
        match random.randrange(9):
            case 0:
                del value[name]
            case 1:
                value[name] = random.choice([[{}], {"x": [[]]}, None])
            case 2:
                value["parts"] = [{**self.part(), "children": [{"name": 5, "weight": "heavy"}]}]
            case 3:
                value = [value]
            case 4:
                body = json.dumps(value).encode()
                return body[: random.randrange(len(body))], JSON
            case 5:
                kinds = ["text/plain", "application/x-www-form-urlencoded", "json", ""]
                kind = random.choice(kinds)
                return json.dumps(value).encode(), {"content-type": kind} if kind else {}
            case 6:
                return b'{"Title":"' + b"x" * 262_144 + b'"}', JSON
            case 7:
                constant = random.choice(["NaN", "Infinity", "-Infinity", "1e999999", "9" * 5_000])
                value["ratio"] = "?"
                return json.dumps(value).replace('"?"', constant).encode() + b" x", JSON
            case _:
                body = json.dumps(value).encode()
                return body.replace(b'"', random.choice([b"'", b"\xff", b'\\"', b""]), 3), JSON
        return json.dumps(value).encode(), JSON


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with Service(tmp_path_factory.mktemp("alike"), "run", target="alike_apps:app") as service:
        asyncio.run(service.ready())
        yield service.url


async def each_of(client, cases, ask):
    """What `ask` gives for each case, some at a time."""
    turn = asyncio.Semaphore(AT_A_TIME)

    async def one(case):
        async with turn:
            return await ask(client, case)

    return await asyncio.gather(*map(one, cases))


def essence(response):
    return response.status_code, response.headers["content-type"], response.content


async def answers(client, body):
    """The answer now, from each that gives one, and the result later, of each way to store it."""
    now = [await client.post(path, content=body, headers=JSON) for path in DIRECT]
    later = []
    for path, headers in (("/queued", {}), ("/auto", ASYNC)):
        accepted = await client.post(path, content=body, headers={**JSON, **headers})
        assert accepted.status_code == 202, accepted.text
        await until_done(client, accepted.json()["id"])
        later.append(await client.get(f"{accepted.headers['location']}/result"))
    return [essence(response) for response in (*now, *later)]


async def refusals(client, case):
    body, kind = case
    asked = [("/direct", {}), ("/queued", {}), ("/auto", {}), ("/auto", ASYNC)]
    return [
        essence(await client.post(path, content=body, headers={**kind, **headers}))
        for path, headers in asked
    ]


async def test_random_requests_have_the_same_answer_in_every_delivery(served):
    """200 valid ones: direct, auto, queued, and auto stored; results and rejections."""
    made = Made("valid")
    bodies = [made.body() for _ in range(CASES)]
    async with httpx.AsyncClient(base_url=served, timeout=60) as client:
        found = await each_of(client, bodies, answers)
    statuses = {now[0] for now, *_ in found}
    assert statuses == {201, 409}
    for body, (first, *others) in zip(bodies, found, strict=True):
        assert others == [first] * 3, body


async def test_random_wrong_requests_have_the_same_refusal_in_every_delivery(served):
    """200 invalid ones, before anything is run or stored."""
    made = Made("invalid")
    cases = [made.wrong() for _ in range(CASES)]
    async with httpx.AsyncClient(base_url=served, timeout=60) as client:
        before = (await client.get("/admin/jobs?count=500")).json()["jobs"]
        found = await each_of(client, cases, refusals)
        after = (await client.get("/admin/jobs?count=500")).json()["jobs"]
    assert {first[0] for first, *_ in found} == {400, 413, 415, 422}
    for case, (first, *others) in zip(cases, found, strict=True):
        assert others == [first] * 3, case
    assert [job["id"] for job in after] == [job["id"] for job in before]
