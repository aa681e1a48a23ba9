-- migrate:up

-- The service's role: it may touch this schema and nothing else. A deployment gives it a
-- password and LOGIN, or makes its own login a member of it.
do $$
begin
  create role onrush_coupon nologin;
exception when duplicate_object or unique_violation then null;
end $$;

create schema coupon;

-- A campaign: so many coupons, or as many as are asked for within a time. The row is the
-- campaign's lock: whoever decides locks it first, so ranks have no gap and no repeat.
create table coupon.campaigns (
  coupon_id      bigint primary key check (coupon_id > 0),
  -- Makes the campaign's keys in Redis its own, also when ids are used again.
  generation     uuid not null default gen_random_uuid(),
  name           text not null check (octet_length(name) between 1 and 120),
  kind           text not null check (kind in ('LIMITED', 'UNLIMITED')),
  quantity       bigint check (quantity >= 0),
  issued         bigint not null default 0 check (issued >= 0),
  per_user_limit integer not null default 1 check (per_user_limit between 1 and 1000),
  discount_rate  numeric(4, 3) not null check (discount_rate between 0 and 1),
  state          text not null default 'DRAFT' check (state in ('DRAFT', 'PUBLISHABLE', 'CLOSED')),
  opens_at       timestamptz,
  closes_at      timestamptz,
  expires_at     timestamptz not null,
  -- Raised by every change of an operator: a mark "sold out" holds for one version only.
  version        bigint not null default 1,
  -- The hash of the last receipt; of none yet: the chain's beginning (receipt.h).
  head_hash      bytea check (octet_length(head_hash) = 32),
  created_at     timestamptz not null default now(),
  check ((kind = 'LIMITED') = (quantity is not null)),
  check (issued <= quantity),
  check (opens_at < closes_at)
) with (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- What operators added to campaigns; a key that was used adds nothing again.
create table coupon.restocks (
  coupon_id  bigint not null,
  key        text not null default gen_random_uuid()::text,
  quantity   bigint not null check (quantity > 0),
  added_at   timestamptz not null default now(),
  primary key (coupon_id, key)
);

-- Every coupon that was ever issued. Append-only: use and return are other tables' matter.
-- No foreign key: it would lock the campaign's row once more for each coupon, and the
-- decider holds that lock already.
create table coupon.issued (
  coupon_id  bigint not null,
  rank       bigint not null check (rank > 0),
  user_id    bigint not null check (user_id > 0),
  nth        integer not null check (nth > 0),
  request_id uuid not null,
  issued_at  timestamptz not null,
  hash       bytea not null check (octet_length(hash) = 32),
  primary key (coupon_id, rank),
  unique (user_id, coupon_id, nth),
  unique (request_id)
);

-- The signed heads of the hash chain, one for each batch that was decided.
create table coupon.heads (
  coupon_id bigint not null,
  rank      bigint not null,
  hash      bytea not null check (octet_length(hash) = 32),
  key_id    text not null,
  signature bytea not null check (octet_length(signature) = 64),
  signed_at timestamptz not null,
  primary key (coupon_id, rank)
);

-- Refusals that were decided here, so that the same request gets the same answer.
create table coupon.refusals (
  request_id uuid primary key,
  coupon_id  bigint not null,
  user_id    bigint not null,
  outcome    text not null,
  decided_at timestamptz not null default now()
);
create index refusals_decided_at on coupon.refusals using brin (decided_at);

grant usage on schema coupon to onrush_coupon;
grant select, insert, update on coupon.campaigns to onrush_coupon;
grant select, insert on coupon.issued, coupon.heads, coupon.restocks to onrush_coupon;
grant select, insert, delete on coupon.refusals to onrush_coupon;

-- migrate:down

drop schema coupon cascade;
