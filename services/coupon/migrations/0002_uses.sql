-- migrate:up

-- The keeper does for every service what must go on while that service is down (decision
-- record 006), as a member of its role.
do $$
begin
  create role onrush_keeper nologin;
exception when duplicate_object or unique_violation then null;
end $$;
grant onrush_coupon to onrush_keeper;

-- Coupons that orders have taken: RESERVED while the order is not settled, USED when it is
-- paid; the row is deleted when the order gives the coupon back. The primary key is what
-- makes one coupon pay for one order.
create table coupon.uses (
  coupon_id   bigint not null,
  rank        bigint not null,
  user_id     bigint not null,
  -- An order takes one coupon: the same request again finds what it took.
  order_id    bigint not null unique,
  state       text not null default 'RESERVED' check (state in ('RESERVED', 'USED')),
  reserved_at timestamptz not null default now(),
  primary key (coupon_id, rank)
);
-- What the keeper looks for: reservations that nobody came back to.
create index uses_reserved_at on coupon.uses (reserved_at) where state = 'RESERVED';

-- Coupons that others have not been told of (COUPON_PUBLISHED): one row for each campaign of
-- a decided batch. The keeper delivers a row and then deletes it. It names ranks only: the
-- receipts are in coupon.issued for ever, and are read when they are delivered.
create table coupon.outbox (
  batch_id   bigint generated always as identity primary key,
  coupon_id  bigint not null,
  first_rank bigint not null,
  last_rank  bigint not null,
  created_at timestamptz not null default now()
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

grant select, insert, update, delete on coupon.uses to onrush_coupon;
grant select, insert, delete on coupon.outbox to onrush_coupon;

-- migrate:down

drop table coupon.outbox;
drop table coupon.uses;
revoke onrush_coupon from onrush_keeper;
