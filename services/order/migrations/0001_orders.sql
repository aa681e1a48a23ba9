-- migrate:up

-- The role of the order service and of the payment workers: this schema and nothing else.
do $$
begin
  create role onrush_order nologin;
exception when duplicate_object or unique_violation then null;
end $$;
-- The keeper does for every service what must go on while that service is down (decision
-- record 006), as a member of its role.
do $$
begin
  create role onrush_keeper nologin;
exception when duplicate_object or unique_violation then null;
end $$;
grant onrush_order to onrush_keeper;

create schema orders;

create table orders.products (
  product_id bigint primary key check (product_id > 0),
  name       text not null check (octet_length(name) between 1 and 120),
  price      bigint not null check (price between 0 and 10000000000),
  -- All that ever came in; what is not in stock any more is in lines of completed orders.
  supplied   bigint not null check (supplied >= 0),
  stock      bigint not null check (stock between 0 and supplied),
  status     text not null default 'SELLING' check (status in ('SELLING', 'STOPPED'))
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- Each delivery of pieces, by the key of its request: a repeated one adds nothing.
create table orders.restocks (
  product_id bigint not null,
  key        text not null default gen_random_uuid()::text,
  quantity   bigint not null check (quantity > 0),
  added_at   timestamptz not null default now(),
  primary key (product_id, key)
);

-- What a user may spend. The sum of a user's transfers is the balance, at every instant.
create table orders.balances (
  user_id bigint primary key check (user_id > 0),
  amount  bigint not null check (amount between 0 and 1000000000000000)
) with (fillfactor = 70);

-- Double entry: each row takes from one account and gives to another. Account 0 is the
-- world outside (money that comes in), account -1 is the shop; the others are users.
-- transfer_id is a function of the request (user, call, Idempotency-Key) or of the order,
-- so that the same movement cannot be written twice. Append-only.
create table orders.transfers (
  transfer_id uuid primary key,
  debit       bigint not null,
  credit      bigint not null,
  amount      bigint not null check (amount > 0),
  kind        text not null check (kind in ('OPENING', 'CHARGE', 'PAYMENT', 'REFUND')),
  order_id    bigint,
  -- The user's balance after it: the stored answer for a repeated request.
  balance     bigint not null check (balance >= 0),
  made_at     timestamptz not null default now(),
  check (debit <> credit)
);

-- Programs take blocks of 10,000 (order_ids.h).
create sequence orders.order_ids increment by 10000;

-- The row is the order's lock and the inbox of its payment: an event that finds it not
-- PENDING any more has been dealt with. No index on the status, so that settling an order
-- touches no index at all.
create table orders.orders (
  order_id      bigint primary key,
  user_id       bigint not null check (user_id > 0),
  -- Of the request: a repeated one finds the order that it made.
  request_id    uuid not null unique,
  -- Of the request's content: the same key with another content is refused.
  request_hash  bigint not null,
  status        text not null default 'PENDING'
                check (status in ('PENDING', 'COMPLETED', 'FAILED', 'CANCELLED')),
  reason        text, -- of FAILED: a code of err.def
  amount        bigint not null check (amount >= 0), -- of the lines
  discount      bigint not null default 0 check (discount between 0 and amount),
  coupon_id     bigint,
  coupon_rank   bigint,
  coupon_expires_at timestamptz,
  created_at    timestamptz not null default now(),
  settled_at    timestamptz,
  cancelled_at  timestamptz,
  cancel_id     uuid, -- of the request that cancelled it: a repeated one is the same one
  check ((status = 'CANCELLED') = (cancelled_at is not null)),
  check ((coupon_id is null) = (coupon_rank is null))
) with (fillfactor = 70);

create table orders.lines (
  order_id   bigint not null,
  product_id bigint not null,
  quantity   bigint not null check (quantity between 1 and 10000),
  price      bigint not null check (price >= 0), -- of one, when it was ordered
  primary key (order_id, product_id)
);

-- The outbox of PAYMENT_REQUESTED: the orders that nobody has settled. Written with the
-- order, deleted by the transaction that settles it: the effect proves the delivery.
create table orders.unsettled (
  order_id   bigint primary key,
  created_at timestamptz not null default now(),
  -- When the keeper asks for its payment again: later and later.
  due_at     timestamptz not null default now() + interval '500 milliseconds'
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- The outbox of all else: what a transaction has to tell others, one row a batch. The
-- keeper delivers a row and then deletes it; ids are UUIDv7, so their order is time's.
create table orders.outbox (
  batch_id   uuid not null,
  topic      text not null,
  records    jsonb not null, -- [{"key": …, "value": {…}}, …], in order
  created_at timestamptz not null default now(),
  primary key (topic, batch_id)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- A third of the CPU of the other method; a server that was built without it keeps that.
do $$
begin
  alter table orders.outbox alter column records set compression lz4;
exception when feature_not_supported then null;
end $$;

-- Pieces sold, for rankings: one row for each UTC day and product.
create table orders.daily_sales (
  day        date not null,
  product_id bigint not null,
  sold       bigint not null check (sold >= 0),
  primary key (day, product_id)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- Undoes an order, once, whatever has become of it meanwhile; gives the day's totals of
-- what was bought and is not any more. A function, because each of its statements sees
-- what was committed while the one before waited for a lock; one statement would not.
-- Locks as the settler does: order, balance, products by id, sales.
create function orders.cancel_order(
  target bigint, request uuid, refund uuid,
  fact_batch uuid, fact_topic text, fact jsonb,
  use_batch uuid, use_topic text, use jsonb)
returns table (settled_at timestamptz, product_id bigint, sold bigint)
language plpgsql as $$
#variable_conflict use_column
declare
  o       orders.orders;
  total   bigint;
  balance bigint;
begin
  select * into o from orders.orders where order_id = target for update;
  if not found or o.status not in ('PENDING', 'COMPLETED') then
    return;
  end if;
  update orders.orders t
     set status = 'CANCELLED', cancelled_at = now(), cancel_id = request,
         settled_at = coalesce(t.settled_at, now())
   where t.order_id = target;
  insert into orders.outbox (batch_id, topic, records) values (fact_batch, fact_topic, fact);
  if o.coupon_id is not null then
    insert into orders.outbox (batch_id, topic, records) values (use_batch, use_topic, use);
  end if;
  if o.status = 'PENDING' then
    delete from orders.unsettled where order_id = target;
    return;
  end if;

  total := o.amount - o.discount;
  if total > 0 then
    update orders.balances b set amount = b.amount + total
     where b.user_id = o.user_id returning b.amount into balance;
    insert into orders.transfers
      (transfer_id, debit, credit, amount, kind, order_id, balance)
      values (refund, -1, o.user_id, total, 'REFUND', target, balance);
  end if;
  perform from orders.products p join orders.lines l using (product_id)
    where l.order_id = target order by p.product_id for update of p;
  update orders.products p set stock = p.stock + l.quantity
    from orders.lines l where l.order_id = target and p.product_id = l.product_id;
  return query update orders.daily_sales d set sold = d.sold - l.quantity
    from orders.lines l
   where l.order_id = target and d.product_id = l.product_id
     and d.day = (o.settled_at at time zone 'UTC')::date
   returning o.settled_at, d.product_id, d.sold;
end $$;

grant usage on schema orders to onrush_order;
grant usage on sequence orders.order_ids to onrush_order;
grant select, insert, update on orders.products, orders.balances, orders.orders,
  orders.daily_sales to onrush_order;
grant select, insert on orders.transfers, orders.lines, orders.restocks to onrush_order;
grant select, insert, update, delete on orders.unsettled to onrush_order;
grant select, insert, delete on orders.outbox to onrush_order;

-- migrate:down

drop schema orders cascade;
