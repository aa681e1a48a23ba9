"""Charging and reading balances: what is answered, and what the ledger holds afterwards."""

import threading
from contextlib import contextmanager

import psycopg
import pytest
from api.coupons import wait_until
from api.orders import account, balance, check_truths
from api.patience import decided_crowd, insist, refused_meanwhile
from harness.crowd import post

CHARGE_MAX, BALANCE_MAX = 10**12, 10**15


@pytest.fixture
def bank(world):
    world.start("order")
    return world


def charge(world, user, amount, key=None, client="order"):
    headers = {"Idempotency-Key": key} if key is not None else {}
    path = f"/users/{user}/balance/charge"
    return world.client(client).post(path, {"amount": amount}, headers=headers)


def transfers(world, user):
    """(debit, amount, kind, balance) of all that went to the user, by the balance after."""
    return world.sql(
        "select debit, amount, kind, balance from orders.transfers where credit = %s"
        " order by balance",
        [user],
    )


def test_a_charge_is_a_transfer(bank):
    account(bank, 7, 0)
    first, second = charge(bank, 7, 10_000), charge(bank, 7, 1)
    assert first.data == {"userId": 7, "amount": 10_000}
    assert second.data == {"userId": 7, "amount": 10_001}
    assert bank.client("order").get("/users/7/balance").data == second.data
    assert transfers(bank, 7) == [(0, 10_000, "CHARGE", 10_000), (0, 1, "CHARGE", 10_001)]
    check_truths(bank)


def test_every_spelling_at_the_gateway(bank):
    account(bank, 7, 100)
    bank.start("gateway")
    gateway = bank.client("gateway")
    posted = gateway.post("/api/v1/users/7/balance/charge", {"amount": 1})
    assert posted.data == {"userId": 7, "amount": 101}
    put = gateway.put("/points/charge", {"userId": 7, "amount": 2})
    assert put.data == {"userId": 7, "amount": 103}
    assert gateway.get("/api/v1/users/7/balance").data == put.data
    assert gateway.get("/points/7").data == put.data
    opened = bank.admin("gateway").post("/admin/accounts", {"userIds": [8]})
    assert opened.data == {"opened": 1}
    assert gateway.get("/points/8").data == {"userId": 8, "amount": 0}


@pytest.mark.parametrize(
    "amount", [0, -1, 1.5, "1.5", "ten", None, True, CHARGE_MAX + 1, 2**63, 2**64, 1e300, [1]]
)
def test_an_amount_that_is_none(bank, amount):
    account(bank, 7, 5)
    refused = charge(bank, 7, amount)
    assert (refused.status, refused.error) == (400, "BAD_PARAMETER")
    put = bank.client("order").put("/points/charge", {"userId": 7, "amount": amount})
    assert (put.status, put.error) == (400, "BAD_PARAMETER")
    assert balance(bank, 7) == 5


@pytest.mark.parametrize("body", ["", "{", "[]", '{"amount":1}{}', '{"amount":1,"amount":1}'])
def test_a_body_that_is_not_json(bank, body):
    account(bank, 7, 5)
    refused = bank.client("order").post("/users/7/balance/charge", body)
    assert refused.status == 400
    assert balance(bank, 7) == 5


@pytest.mark.parametrize("user", ["0", "-1", "x", "1.5", str(2**63)])
def test_a_user_id_that_is_none(bank, user):
    for answer in (charge(bank, user, 1), bank.client("order").get(f"/users/{user}/balance")):
        assert (answer.status, answer.error) == (400, "BAD_PARAMETER")


def test_a_user_without_an_account(bank):
    for answer in (charge(bank, 7, 1), bank.client("order").get("/users/7/balance")):
        assert (answer.status, answer.error) == (404, "USER_NOT_FOUND")
    assert transfers(bank, 7) == []


def test_the_limit_of_a_balance(bank):
    account(bank, 7, BALANCE_MAX - 10)
    refused = charge(bank, 7, 11)
    assert (refused.status, refused.error) == (409, "BALANCE_LIMIT")
    assert charge(bank, 7, 10).data["amount"] == BALANCE_MAX
    assert charge(bank, 7, 1).error == "BALANCE_LIMIT"
    check_truths(bank)


def test_many_at_the_limit_at_once(bank):
    """Those that fit are made, also when they come with others that do not."""
    account(bank, 7, BALANCE_MAX - 50 * CHARGE_MAX)
    account(bank, 8, 0)
    body = {"amount": CHARGE_MAX}
    requests = [post(f"/users/{7 + i % 2}/balance/charge", body) for i in range(200)]
    answers = decided_crowd(bank.port("order"), requests, 200)
    statuses = [status for status, _ in answers]
    assert statuses[0::2].count(200) == 50
    assert statuses[0::2].count(409) == 50
    assert set(statuses[1::2]) == {200}
    assert balance(bank, 7) == BALANCE_MAX
    check_truths(bank)


def test_charges_of_one_user_at_once_all_count(bank):
    account(bank, 7, 0)
    answers = decided_crowd(
        bank.port("order"), [post("/users/7/balance/charge", {"amount": 3})] * 1000, 100
    )
    assert {status for status, _ in answers} == {200}
    told = sorted(body["data"]["amount"] for _, body in answers)
    assert told == [3 * i for i in range(1, 1001)]
    assert balance(bank, 7) == 3000
    check_truths(bank)


def test_two_services_charge_the_same_users(bank):
    for user in range(1, 11):
        account(bank, user, 0)
    bank.start("order-1", ONRUSH_WORKERS=2)
    requests = [
        post(f"/users/{1 + i % 12}/balance/charge", {"amount": 1 + i % 7}) for i in range(2400)
    ]
    answers = []

    def load(name):
        answers.extend(decided_crowd(bank.port(name), requests, 64))

    threads = [threading.Thread(target=load, args=[name]) for name in ("order", "order-1")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [status for status, _ in answers].count(200) == 2 * 2000
    assert [status for status, _ in answers].count(404) == 2 * 400
    per_user = 2 * sum(1 + i % 7 for i in range(0, 2400, 12))
    assert balance(bank, 1) == per_user
    check_truths(bank)


# --- Idempotency-Key --------------------------------------------------------------------


def test_a_repeated_key_gets_the_stored_answer(bank):
    account(bank, 7, 0)
    first = charge(bank, 7, 10, key="k")
    charge(bank, 7, 5)
    again = charge(bank, 7, 10, key="k")
    put = bank.client("order").put(
        "/points/charge", {"userId": 7, "amount": 10}, headers={"Idempotency-Key": "k"}
    )
    assert "idempotent-replayed" not in first.headers
    for repeated in (again, put):
        assert repeated.data == first.data == {"userId": 7, "amount": 10}
        assert repeated.headers["idempotent-replayed"] == "true"
    assert balance(bank, 7) == 15
    check_truths(bank)


def test_a_key_with_another_amount(bank):
    account(bank, 7, 0)
    charge(bank, 7, 10, key="k")
    refused = charge(bank, 7, 11, key="k")
    assert (refused.status, refused.error) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert balance(bank, 7) == 10


def test_keys_belong_to_users(bank):
    account(bank, 7, 0)
    account(bank, 8, 0)
    assert charge(bank, 7, 10, key="k").data["amount"] == 10
    assert charge(bank, 8, 20, key="k").data["amount"] == 20


def test_a_refusal_does_not_use_up_a_key(bank):
    assert charge(bank, 7, 10, key="k").status == 404
    account(bank, 7, 0)
    assert charge(bank, 7, 10, key="k").data["amount"] == 10


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_that_is_none(bank, key):
    account(bank, 7, 0)
    refused = charge(bank, 7, 10, key=key)
    assert (refused.status, refused.error) == (400, "BAD_PARAMETER")
    assert charge(bank, 7, 10, key="x" * 255).status == 200


def test_a_crowd_of_repetitions_among_others(bank):
    """Each key counts once, whichever of its requests came first; the others are told the
    same, or that it is being worked on."""
    for user in range(1, 6):
        account(bank, user, 0)
    requests = []
    for i in range(600):
        headers = {"Idempotency-Key": f"k{i // 4}"} if i % 8 < 4 else {}
        path = f"/users/{1 + i // 4 % 5}/balance/charge"
        requests.append(post(path, {"amount": 10}, headers))
    answers = decided_crowd(bank.port("order"), requests, 150)
    keyed = [answers[i] for i in range(600) if i % 8 < 4]
    assert {status for status, _ in answers} <= {200, 409}
    assert {b["error"] for status, b in answers if status == 409} <= {"REQUEST_IN_PROGRESS"}
    for i in range(0, len(keyed), 4):
        told = {body["data"]["amount"] for status, body in keyed[i : i + 4] if status == 200}
        assert len(told) == 1, keyed[i : i + 4]
    ((made,),) = bank.sql("select count(*) from orders.transfers where kind = 'CHARGE'")
    assert made == 75 + 300
    check_truths(bank)


@contextmanager
def held(world, user):
    """Nobody can change the user's balance meanwhile."""
    with psycopg.connect(world.tcp_dsn()) as connection:
        connection.execute("select from orders.balances where user_id = %s for update", [user])
        yield


def waits_for_a_lock(world, count=1):
    """So many of this world's sessions wait for a lock."""
    ((waiting,),) = world.sql(
        "select count(distinct pid) from pg_locks join pg_stat_activity using (pid)"
        " where datname = current_database() and not granted"
    )
    return waiting >= count


def test_a_key_is_being_worked_on(bank):
    """While somebody holds the balance, the second is told so; the first counts."""
    account(bank, 7, 0)
    answers = []

    def ask():
        return charge(bank, 7, 10, key="k")

    with held(bank, 7):
        first = threading.Thread(target=lambda: answers.append(insist(ask)))
        first.start()
        refused_meanwhile(lambda: waits_for_a_lock(bank), ask)
    first.join()
    assert answers[0].data["amount"] == 10
    assert charge(bank, 7, 10, key="k").headers["idempotent-replayed"] == "true"


def test_one_key_at_two_services_at_once(bank):
    """The row's lock decides who is first; the second finds the transfer."""
    bank.start("order-1")
    account(bank, 7, 0)
    account(bank, 8, 0)
    answers = []

    def ask(name, user, key):
        answers.append(insist(lambda: charge(bank, user, 10, key=key, client=name)))

    with held(bank, 7):
        threads = [
            threading.Thread(target=ask, args=[name, 7, "k"]) for name in ("order", "order-1")
        ]
        for thread in threads:
            thread.start()
        wait_until(lambda: waits_for_a_lock(bank, 2))
    for thread in threads:
        thread.join()
    assert [answer.data for answer in answers] == [{"userId": 7, "amount": 10}] * 2
    assert sorted("idempotent-replayed" in answer.headers for answer in answers) == [False, True]
    assert balance(bank, 7) == 10
    check_truths(bank)


def test_the_same_keys_at_two_services(bank):
    """A key that the other service has just used makes a batch fail; its charges are made
    one by one then, and each counts once."""
    bank.start("order-1")
    for user in range(1, 6):
        account(bank, user, 0)
    requests = [
        post(f"/users/{1 + i % 5}/balance/charge", {"amount": 10}, {"Idempotency-Key": f"k{i}"})
        for i in range(600)
    ]
    told = {}

    def load(name):
        told[name] = decided_crowd(bank.port(name), requests, 100)

    threads = [threading.Thread(target=load, args=[name]) for name in ("order", "order-1")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {status for answers in told.values() for status, _ in answers} == {200}
    assert told["order"] == told["order-1"]
    assert [balance(bank, user) for user in range(1, 6)] == [1200] * 5
    check_truths(bank)


# --- opening accounts -------------------------------------------------------------------


def test_accounts_are_opened_once(bank):
    admin = bank.admin("order")
    assert admin.post("/admin/accounts", {"userIds": [3, 1, 2]}).data == {"opened": 3}
    charge(bank, 2, 50)
    assert admin.post("/admin/accounts", {"userIds": [2, 4, 4]}).data == {"opened": 1}
    amounts = bank.sql("select user_id, amount from orders.balances order by 1")
    assert amounts == [(1, 0), (2, 50), (3, 0), (4, 0)]
    check_truths(bank)


@pytest.mark.parametrize(
    "users", [None, [], 7, [0], [-1], [1.5], ["x"], [None], [[1]], list(range(1, 1002))]
)
def test_accounts_that_are_none(bank, users):
    refused = bank.admin("order").post("/admin/accounts", {"userIds": users})
    assert refused.status == 400, refused.body
    assert bank.sql("select count(*) from orders.balances") == [(0,)]


def test_a_thousand_accounts_at_once(bank):
    opened = bank.admin("order").post("/admin/accounts", {"userIds": list(range(1, 1001))})
    assert opened.data == {"opened": 1000}


def test_accounts_need_the_key(bank):
    refused = bank.client("order").post("/admin/accounts", {"userIds": [1]})
    assert (refused.status, refused.error) == (401, "UNAUTHORIZED")


# --- without PostgreSQL -----------------------------------------------------------------


def test_without_postgresql_it_is_said_at_once(make_world):
    bank = make_world(pg=True)
    bank.start("order")
    account(bank, 7, 0)
    assert charge(bank, 7, 10, key="k").status == 200
    bank.pg.stop()
    wait_until(lambda: charge(bank, 7, 1).status == 503)
    refused = charge(bank, 7, 10, key="k")
    assert refused.status == 503
    assert int(refused.headers["retry-after"]) >= 1
    bank.pg.start()
    wait_until(lambda: charge(bank, 7, 10, key="k").status == 200)
    assert charge(bank, 7, 10, key="k").headers["idempotent-replayed"] == "true"
    assert balance(bank, 7) == 10
    check_truths(bank)
