-- migrate:up

do $$
begin
  create role onrush_order nologin;
exception when duplicate_object or unique_violation then null;
end $$;

create schema orders;

create table orders.products (
  product_id bigint primary key check (product_id > 0),
  name       text not null check (octet_length(name) between 1 and 120),
  price      bigint not null check (price >= 0),
  stock      bigint not null check (stock >= 0),
  status     text not null default 'SELLING' check (status in ('SELLING', 'STOPPED'))
) with (fillfactor = 50);

-- What a user may spend. The sum over a user's transfers is the balance, at every instant.
create table orders.balances (
  user_id bigint primary key check (user_id > 0),
  amount  bigint not null check (amount >= 0),
  version bigint not null default 0
) with (fillfactor = 70);

-- Double entry: each row takes from one account and gives to another. Account 0 is the
-- world outside (money that comes in), account -1 is the shop; the others are users.
-- transfer_id is a function of the request (Idempotency-Key) or of the order, so that the
-- same movement cannot be written twice.
create table orders.transfers (
  transfer_id uuid primary key,
  debit       bigint not null,
  credit      bigint not null,
  amount      bigint not null check (amount > 0),
  kind        text not null check (kind in ('CHARGE', 'PAYMENT', 'REFUND')),
  order_id    bigint,
  -- The user's balance after it: the stored answer for a repeated request.
  balance     bigint not null check (balance >= 0),
  made_at     timestamptz not null default now(),
  check (debit <> credit)
);

create sequence orders.order_ids;

create table orders.orders (
  order_id    bigint primary key,
  user_id     bigint not null check (user_id > 0),
  -- Of the request: a repeated one finds the order that it made.
  request_id  uuid not null unique,
  status      text not null check (status in ('PENDING', 'COMPLETED', 'FAILED', 'CANCELLED')),
  reason      text,
  amount      bigint not null check (amount >= 0), -- the lines, before a discount
  discount    bigint not null default 0 check (discount between 0 and amount),
  coupon_id   bigint,
  coupon_rank bigint,
  discount_rate numeric(4, 3),
  created_at  timestamptz not null default now(),
  settled_at  timestamptz
) with (fillfactor = 70);
create index orders_pending on orders.orders (created_at) where status = 'PENDING';

create table orders.lines (
  order_id   bigint not null,
  product_id bigint not null,
  quantity   bigint not null check (quantity > 0),
  price      bigint not null check (price >= 0), -- of one, when it was ordered
  primary key (order_id, product_id)
);

-- Events that must reach Kafka. A PAYMENT_REQUESTED row is deleted by the transaction that
-- settles its order (the effect proves the delivery); facts are deleted by the keeper after
-- their delivery report.
create table orders.outbox (
  event_id   uuid primary key,
  topic      text not null,
  key        bigint not null,
  order_id   bigint not null,
  payload    jsonb not null,
  created_at timestamptz not null default now()
);
create index outbox_created_at on orders.outbox (created_at);

-- Pieces sold, for rankings: one row per UTC day and product.
create table orders.daily_sales (
  day        date not null,
  product_id bigint not null,
  sold       bigint not null,
  primary key (day, product_id)
) with (fillfactor = 50);

grant usage on schema orders to onrush_order;
grant usage on sequence orders.order_ids to onrush_order;
grant select, insert, update, delete on all tables in schema orders to onrush_order;

-- migrate:down

drop schema orders cascade;
