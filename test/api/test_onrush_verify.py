"""onrush verify and coupon export: a campaign proves itself, also to those who distrust us.

The export is checked a second time in Python, from the description in receipt.h alone.
"""

import concurrent.futures
import hashlib
import json
import struct
import threading
import uuid
from datetime import UTC, datetime

import pytest
from api.coupons import PROGRAMS, ask, campaign, instant
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from harness.crowd import crowd, post

USERS, LIMIT = 150, 2
DURING = 6  # different counts that are seen while a sale goes on, so that it was in its middle


@pytest.fixture(scope="module")
def sold(module_world):
    """Coupon 1, two for each of 150 users; and what clients were told."""
    world = module_world
    world.start(*PROGRAMS)
    assert campaign(world, 1, USERS * LIMIT, perUserLimit=LIMIT).status == 200
    assert campaign(world, 2, 10).status == 200
    requests = [
        post("/coupons", {"userId": u % USERS + 1, "couponId": 1}) for u in range(3 * USERS)
    ]
    answers = crowd(world.port("coupon"), requests, 40)
    world.told = [body["data"] for status, body in answers if status == 200]
    assert len(world.told) == USERS * LIMIT
    return world


@pytest.fixture
def tampered(sold):
    """The tables, put back after the test has changed them behind our back."""
    tables = ("campaigns", "issued", "heads")
    for table in tables:
        sold.sql(f"create table public.{table}_kept as select * from coupon.{table}")
    yield sold
    for table in reversed(tables):
        sold.sql(f"delete from coupon.{table}")
    for table in tables:
        sold.sql(f"insert into coupon.{table} select * from public.{table}_kept")
        sold.sql(f"drop table public.{table}_kept")


def verify(world, *arguments):
    """(exit status, report)"""
    done = world.onrush("verify", *arguments, "-o", "json", check=False)
    return done.returncode, json.loads(done.stdout)


def wrong(report):
    return {check["name"] for check in report["checks"] if not check["ok"]}


def export(world, path, coupon_id=1):
    path.write_text(world.onrush("coupon", "export", coupon_id).stdout, encoding="utf-8")
    return path


def offline(world, *arguments):
    """Knows nothing but the public key."""
    nowhere = dict.fromkeys(world.systems(), "")
    key = world.keys / "receipt.pub"
    return world.onrush("verify", *arguments, "--key", key, check=False, **nowhere)


# --- what is right -------------------------------------------------------------------


def test_clean(sold, tmp_path):
    status, report = verify(sold, 1)
    assert (status, report["clean"], report["issued"]) == (0, True, USERS * LIMIT)
    assert report["heads"] > 0
    text = sold.onrush("verify", 1).stdout
    assert text.splitlines()[-1] == "Clean."
    path = export(sold, tmp_path / "1.jsonl")
    done = offline(sold, "--from", path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == text


def test_nothing_issued_is_clean(sold, tmp_path):
    assert verify(sold, 2)[0] == 0
    assert offline(sold, "--from", export(sold, tmp_path / "2.jsonl", 2)).returncode == 0


def test_several(sold):
    done = sold.onrush("verify", 1, 2, 99, check=False)
    assert done.returncode == 1
    assert done.stdout.count("Clean.") == 2
    assert "there is no campaign 99" in done.stderr


def test_another_reader_agrees(sold, tmp_path):
    """hashlib and cryptography, from the description of the chain alone."""
    lines = [json.loads(line) for line in export(sold, tmp_path / "1.jsonl").open()]
    key = load_pem_public_key((sold.keys / "receipt.pub").read_bytes())
    first, last = lines[0], lines[-1]
    coupon = struct.pack(">q", first["couponId"])
    chain, rank, heads = hashlib.sha256(b"onrush-chain-v1" + coupon).digest(), 0, 0
    for line in lines[1:-1]:
        if line["type"] == "issued":
            entry = receipt_entry(first["couponId"], line)
            chain, rank = hashlib.sha256(chain + entry).digest(), line["rank"]
            assert line["hash"] == chain.hex()
        else:
            message = b"onrush-head-v1" + coupon + struct.pack(">q", line["rank"]) + chain
            key.verify(bytes.fromhex(line["signature"]), message)
            assert line["rank"] == rank
            heads += 1
    assert (rank, chain.hex()) == (first["issued"], first["headHash"])
    assert last == {"type": "end", "lines": rank + heads + 1, "sum": last["sum"]}


def receipt_entry(coupon_id, line):
    when = datetime.fromisoformat(line["issuedAt"])
    micros = (when - datetime(1970, 1, 1, tzinfo=UTC)) // (
        datetime.resolution  # exact: integers, no floats
    )
    numbers = struct.pack(">qqqq", coupon_id, line["rank"], line["userId"], micros)
    request = uuid.UUID(line["requestId"]).bytes
    return hashlib.sha256(b"onrush-receipt-v1" + numbers + request).digest()


def test_in_the_middle_of_a_sale(world):
    """One snapshot: count, rows and heads fit each other while more are issued."""
    world.start(*PROGRAMS)
    campaign(world, 3, 100000)
    seen = threading.Event()
    counts = []

    def sell():
        """Until verify has seen enough of it."""
        for first in range(1, 100_000, 1000):
            users = range(first, first + 1000)
            crowd(world.port("coupon"), [wish(user) for user in users], 50)
            if seen.is_set():
                break

    def wish(user):
        return post("/coupons", {"userId": user, "couponId": 3})

    with concurrent.futures.ThreadPoolExecutor() as pool:
        sale = pool.submit(sell)
        try:
            while len(set(counts)) < DURING and not sale.done():
                status, report = verify(world, 3)
                assert (status, report["clean"]) == (0, True), report
                counts.append(report["issued"])
        finally:
            seen.set()
        sale.result()
    assert counts == sorted(counts)
    assert len(set(counts)) == DURING


# --- what somebody with the database's password did -------------------------------------


@pytest.mark.parametrize(
    ("sql", "noticed"),
    [
        ("update coupon.issued set user_id = 9999 where rank = 7", {"chain", "limit"}),
        (
            "update coupon.issued set issued_at = issued_at + interval '1 us' where rank = 7",
            {"chain"},
        ),
        ("update coupon.issued set request_id = gen_random_uuid() where rank = 7", {"chain"}),
        ("update coupon.issued set nth = 9 where rank = 7", {"limit"}),
        ("update coupon.issued set hash = sha256('x') where rank = 7", {"chain"}),
        ("update coupon.issued set rank = 1000 where rank = 300", {"ranks", "chain", "heads"}),
        ("delete from coupon.issued where rank = 7", {"ranks", "chain", "count"}),
        ("update coupon.campaigns set issued = 299 where coupon_id = 1", {"count"}),
        ("update coupon.campaigns set head_hash = sha256('x') where coupon_id = 1", {"count"}),
        ("update coupon.heads set signature = decode(repeat('00', 64), 'hex')", {"signatures"}),
        ("update coupon.heads set hash = sha256('x')", {"heads", "signatures"}),
        ("update coupon.heads set key_id = 'x'", {"signatures"}),
        ("delete from coupon.heads where rank = 300", {"heads"}),
        ("update coupon.campaigns set per_user_limit = 1 where coupon_id = 1", {"limit"}),
    ],
)
def test_tampered(tampered, tmp_path, sql, noticed):
    tampered.sql(sql)
    status, report = verify(tampered, 1)
    assert (status, report["clean"]) == (1, False)
    assert noticed <= wrong(report)
    done = offline(tampered, "--from", export(tampered, tmp_path / "1.jsonl"), "-o", "json")
    assert done.returncode == 1
    assert wrong(json.loads(done.stdout)) == wrong(report)


def test_an_edited_file(sold, tmp_path):
    path = export(sold, tmp_path / "1.jsonl")
    text = path.read_text()
    path.write_text(text.replace('"name":"coupon 1"', '"name":"coupon 2"', 1))
    done = offline(sold, "--from", path)
    assert done.returncode == 1
    assert "its sum does not fit" in done.stdout
    path.write_text(text[: len(text) // 2])
    done = offline(sold, "--from", path)
    assert done.returncode == 1
    assert done.stderr


def test_another_key(sold, tmp_path):
    sold.onrush("keygen", tmp_path / "other.pem")
    status, report = verify(sold, 1, "--key", tmp_path / "other.pub")
    assert (status, wrong(report)) == (1, {"signatures"})
    both = f"{tmp_path / 'other.pub'},{sold.keys / 'receipt.pub'}"
    assert verify(sold, 1, "--key", both)[0] == 0


# --- what clients were told --------------------------------------------------------------


def seen_file(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def sighting(data, **changes):
    row = {name: data[name] for name in ("couponId", "userId", "rank")}
    return row | {"requestId": data["receipt"]["requestId"]} | changes


def test_seen(sold, tmp_path):
    rows = [sighting(data) for data in sold.told]
    status, report = verify(sold, 1, "--seen", seen_file(tmp_path / "seen", rows))
    assert (status, report["seen"]) == (0, USERS * LIMIT)
    short = [{k: v for k, v in row.items() if k != "requestId"} for row in rows]
    assert verify(sold, 1, "--seen", seen_file(tmp_path / "seen", short + short))[0] == 0
    other = [sighting(sold.told[0], couponId=77)]
    status, report = verify(sold, 1, "--seen", seen_file(tmp_path / "seen", other))
    assert (status, report["seen"]) == (0, 0)


@pytest.mark.parametrize(
    "changes", [{"userId": 4711}, {"rank": 301}, {"requestId": str(uuid.uuid4())}]
)
def test_seen_but_not_there(sold, tmp_path, changes):
    rows = [sighting(sold.told[0]), sighting(sold.told[1], **changes)]
    status, report = verify(sold, 1, "--seen", seen_file(tmp_path / "seen", rows))
    assert (status, wrong(report)) == (1, {"seen"})


def test_a_seen_file_that_is_not_one(sold, tmp_path):
    (tmp_path / "seen").write_text('{"couponId":1,"userId":1,"rank":1}\n{"couponId":1}\n')
    done = sold.onrush("verify", 1, "--seen", tmp_path / "seen", check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "line 2: " in done.stderr


# --- one person's receipt ----------------------------------------------------------------


def test_every_receipt(sold, tmp_path):
    client = sold.client("coupon")
    for data in sold.told[::17]:
        answer = client.get(f"/coupons/1/requests/{data['receipt']['requestId']}")
        path = tmp_path / "receipt.json"
        for text in (answer.body, json.dumps(answer.data), json.dumps(answer.data["receipt"])):
            path.write_text(text if isinstance(text, str) else text.decode())
            done = offline(sold, "--receipt", path)
            assert done.returncode == 0, done.stderr + done.stdout
        assert f"user {data['userId']} has rank {data['rank']} of coupon 1" in done.stdout


def test_a_forged_receipt(sold, tmp_path):
    request = sold.told[0]["receipt"]["requestId"]
    receipt = sold.client("coupon").get(f"/coupons/1/requests/{request}").data["receipt"]
    forgeries = [
        receipt | {"rank": receipt["rank"] + 1},
        receipt | {"userId": 1234567},
        receipt | {"couponId": 2},
        receipt | {"issuedAt": instant()},
        receipt | {"requestId": str(uuid.uuid4())},
        receipt | {"previousHash": "00" * 32},
        receipt | {"hash": "00" * 32},
        receipt | {"path": [*receipt.get("path", []), "00" * 32]},
        receipt | {"head": receipt["head"] | {"signature": "00" * 64}},
        receipt | {"head": receipt["head"] | {"rank": receipt["head"]["rank"] + 1}},
        receipt | {"head": receipt["head"] | {"keyId": "0" * 16}},
    ]
    for forgery in forgeries:
        (tmp_path / "receipt.json").write_text(json.dumps(forgery))
        done = offline(sold, "--receipt", tmp_path / "receipt.json", "-o", "json")
        assert done.returncode == 1, forgery
        assert json.loads(done.stdout)["valid"] is False


def test_a_refused_request_has_no_receipt(sold, tmp_path):
    refusal = ask(sold, 1, 1)
    assert refusal.status == 409
    (tmp_path / "receipt.json").write_bytes(refusal.body)
    done = offline(sold, "--receipt", tmp_path / "receipt.json")
    assert done.returncode == 1
    assert done.stdout == ""


# --- misuse ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ([], 2),
        ([1, "--from", "x"], 2),
        (["--receipt", "x", "--seen", "y"], 2),
        (["x"], 2),
        ([1, "--key", "/nowhere"], 2),
        (["--from", "/nowhere"], 1),
        (["--receipt", "/nowhere"], 1),
        ([99], 1),
    ],
)
def test_misuse(sold, arguments, status):
    done = sold.onrush("verify", *arguments, check=False)
    assert done.returncode == status
    assert done.stderr.startswith("onrush: ")


def test_without_a_key(sold):
    done = sold.onrush("verify", 1, check=False, ONRUSH_RECEIPT_PUBLIC_KEY="")
    assert done.returncode == 2
    assert "ONRUSH_RECEIPT_PUBLIC_KEY" in done.stderr


def test_without_a_database(sold):
    done = sold.onrush("verify", 1, check=False, ONRUSH_PG_DSN="host=127.0.0.1 port=1")
    assert done.returncode == 3
