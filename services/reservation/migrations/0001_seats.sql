-- migrate:up

-- The role of the reservation service: this schema and nothing else.
do $$
begin
  create role onrush_reservation nologin;
exception when duplicate_object or unique_violation then null;
end $$;
-- The payment-worker moves money for seats: a member of both services' roles, as the
-- keeper is (decision record 006).
do $$
begin
  create role onrush_payment nologin;
exception when duplicate_object or unique_violation then null;
end $$;
grant onrush_reservation, onrush_order to onrush_payment;
grant onrush_reservation to onrush_keeper;

create schema reservation;

create table reservation.concerts (
  concert_id bigint primary key check (concert_id > 0),
  name       text not null check (octet_length(name) between 1 and 120),
  -- Seats that one user may hold and own, over all dates and reservations.
  per_user_limit int not null check (per_user_limit between 1 and 1000)
);

-- The dates of a concert.
create table reservation.options (
  option_id  bigint primary key check (option_id > 0),
  concert_id bigint not null references reservation.concerts,
  starts_at  timestamptz not null
);
create index on reservation.options (concert_id, starts_at);

-- A seat is free when held_until has passed: there is nothing to clean up before somebody
-- else may take it. An owned one is held for ever.
create table reservation.seats (
  seat_id    bigint primary key check (seat_id > 0),
  option_id  bigint not null references reservation.options,
  seat_no    int not null check (seat_no > 0),
  price      bigint not null check (price between 0 and 10000000000),
  reservation_id bigint, -- the last one that took it
  held_until timestamptz not null default '-infinity',
  unique (option_id, seat_no)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

create table reservation.reservations (
  reservation_id bigint generated always as identity primary key,
  user_id      bigint not null check (user_id > 0),
  concert_id   bigint not null,
  seat_ids     bigint[] not null, -- sorted
  amount       bigint not null check (amount >= 0),
  -- HELD with a held_until that has passed is EXPIRED, which the keeper writes later.
  status       text not null default 'HELD'
               check (status in ('HELD', 'OWNED', 'CANCELLED', 'EXPIRED')),
  held_until   timestamptz not null,
  -- Of the request: a repeated one finds what it made; another content is refused.
  request_id   uuid not null unique,
  request_hash bigint not null,
  created_at   timestamptz not null default now()
) with (fillfactor = 70);
create index on reservation.reservations (user_id, concert_id);
create index on reservation.reservations (held_until) where status = 'HELD';

-- One that is PENDING is to be settled: by its event, or by the keeper when that is lost.
create table reservation.payments (
  payment_id   bigint generated always as identity primary key,
  reservation_id bigint not null references reservation.reservations,
  user_id      bigint not null,
  amount       bigint not null check (amount >= 0),
  status       text not null default 'PENDING'
               check (status in ('PENDING', 'COMPLETED', 'FAILED', 'REFUNDED')),
  reason       text, -- of FAILED and REFUNDED: a code of err.def
  request_id   uuid not null unique,
  created_at   timestamptz not null default now(),
  settled_at   timestamptz,
  check ((status = 'PENDING') = (settled_at is null))
) with (fillfactor = 70);
-- A reservation is paid once; who was refused may try again.
create unique index payments_once on reservation.payments (reservation_id)
  where status in ('PENDING', 'COMPLETED');
create index on reservation.payments (created_at) where status = 'PENDING';

-- Ids in JSON: as text beyond 2^53, which not every reader of numbers can tell exactly.
create function reservation.id_json(id bigint) returns jsonb
language sql immutable as $$
  select case when id > 9007199254740992 then to_jsonb(id::text) else to_jsonb(id) end
$$;
create function reservation.ids_json(ids bigint[]) returns jsonb
language sql immutable as $$
  select jsonb_agg(reservation.id_json(id) order by nth)
    from unnest(ids) with ordinality t (id, nth)
$$;

-- Everybody locks in this order: users (advisory), payments, reservations, seats,
-- balances; each sorted. Functions, because each of their statements sees what was
-- committed while an earlier one waited for a lock; one statement would not.

create function reservation.lock_users(users bigint[]) returns void
language sql as $$
  select pg_advisory_xact_lock(1936028020, key)
    from (select distinct hashint8(u) from unnest(users) u order by 1) k (key)
$$;

-- What a user holds and owns of a concert, besides one reservation.
create function reservation.seats_of(person bigint, concert bigint, besides bigint,
  moment timestamptz) returns bigint
language sql stable as $$
  select coalesce(sum(cardinality(r.seat_ids)), 0)
    from reservation.reservations r
   where r.user_id = person and r.concert_id = concert
     and r.reservation_id is distinct from besides
     and (r.status = 'OWNED' or (r.status = 'HELD' and r.held_until > moment))
$$;

-- Holds seats for requests, in their order; each gets all its seats or none. The seats of
-- request i are wanted[firsts[i]:lasts[i]], sorted. One row for each, with a code of
-- err.def; with SEAT_TAKEN, `until` is when the last of its seats may be free again.
create function reservation.hold(
  request_ids uuid[], hashes bigint[], users bigint[], firsts int[], lasts int[],
  wanted bigint[], hold_ms bigint)
returns table (nth int, outcome text, replayed boolean, reservation_id bigint,
  until timestamptz, amount bigint)
language plpgsql as $$
#variable_conflict use_column
declare
  moment timestamptz;
  mine   bigint[];
  r      reservation.reservations;
  found_seats bigint;
  concert bigint;
  other_concert bigint;
begin
  perform reservation.lock_users(users);
  perform from reservation.seats s where s.seat_id = any(wanted)
    order by s.seat_id for update;
  moment := clock_timestamp();
  for i in 1 .. cardinality(request_ids) loop
    nth := i;
    mine := wanted[firsts[i]:lasts[i]];
    select * into r from reservation.reservations e where e.request_id = request_ids[i];
    replayed := found;
    if found then
      outcome := case when r.request_hash = hashes[i] then 'OK'
                      else 'IDEMPOTENCY_KEY_REUSED' end;
      reservation_id := r.reservation_id;
      until := r.held_until;
      amount := r.amount;
      return next;
      continue;
    end if;

    select count(*), max(s.held_until), sum(s.price), min(o.concert_id), max(o.concert_id)
      into found_seats, until, amount, concert, other_concert
      from reservation.seats s join reservation.options o using (option_id)
     where s.seat_id = any(mine);
    outcome := case
      when found_seats < cardinality(mine) then 'SEAT_NOT_FOUND'
      when concert <> other_concert then 'BAD_PARAMETER'
      when until > moment then 'SEAT_TAKEN'
      when reservation.seats_of(users[i], concert, null, moment) + cardinality(mine) >
           (select c.per_user_limit from reservation.concerts c
             where c.concert_id = concert) then 'SEAT_LIMIT_REACHED'
      else 'OK' end;
    reservation_id := null;
    if outcome = 'OK' then
      until := moment + hold_ms * interval '1 millisecond';
      insert into reservation.reservations as n (user_id, concert_id, seat_ids, amount,
        held_until, request_id, request_hash)
      values (users[i], concert, mine, amount, until, request_ids[i], hashes[i])
      returning n.reservation_id into reservation_id;
      update reservation.seats s set reservation_id = r2.id, held_until = until
        from (select reservation_id as id) r2 where s.seat_id = any(mine);
    end if;
    return next;
  end loop;
end $$;

-- Settles payments that are PENDING, one after the other. A hold that has expired is good
-- as long as nobody else has its seats: then it is owned, else the money stays with, or
-- goes back to, the user (REFUNDED). For each payment its transfer's and its fact's ids;
-- the facts of all become one row of the outbox. Gives what became of each.
create function reservation.settle(
  ids bigint[], transfers uuid[], events uuid[], batch uuid)
returns table (payment_id bigint, outcome text)
language plpgsql as $$
#variable_conflict use_column
declare
  moment timestamptz;
  p      record;
  reason text;
  end_status text;
  rest   bigint;
  facts  jsonb := '[]';
begin
  perform reservation.lock_users(array(select q.user_id from reservation.payments q
    where q.payment_id = any(ids)));
  perform from reservation.payments q where q.payment_id = any(ids)
    order by q.payment_id for update;
  perform from reservation.reservations r where r.reservation_id = any(array(
    select q.reservation_id from reservation.payments q where q.payment_id = any(ids)))
    order by r.reservation_id for update;
  perform from reservation.seats s where s.seat_id = any(array(
    select unnest(r.seat_ids) from reservation.payments q
      join reservation.reservations r using (reservation_id)
     where q.payment_id = any(ids)))
    order by s.seat_id for update;
  perform from orders.balances b where b.user_id = any(array(
    select q.user_id from reservation.payments q where q.payment_id = any(ids)))
    order by b.user_id for update;
  moment := clock_timestamp();

  for p in
    select q.*, r.concert_id, r.seat_ids, r.status as held, r.held_until,
           transfers[k.nth] as transfer, events[k.nth] as event
      from (select i, min(n) from unnest(ids) with ordinality t (i, n) group by i)
           k (payment_id, nth)
      join reservation.payments q using (payment_id)
      join reservation.reservations r using (reservation_id)
     where q.status = 'PENDING' order by k.nth
  loop
    end_status := 'FAILED';
    reason := case
      when p.held not in ('HELD', 'EXPIRED') then 'RESERVATION_STATE_CONFLICT'
      when exists (select from reservation.seats s where s.seat_id = any(p.seat_ids)
        and s.reservation_id is distinct from p.reservation_id and s.held_until > moment)
        then 'SEAT_TAKEN'
      when p.held_until <= moment and cardinality(p.seat_ids) + reservation.seats_of(
        p.user_id, p.concert_id, p.reservation_id, moment) >
        (select c.per_user_limit from reservation.concerts c
          where c.concert_id = p.concert_id) then 'SEAT_LIMIT_REACHED'
      end;
    if reason in ('SEAT_TAKEN', 'SEAT_LIMIT_REACHED') then
      end_status := 'REFUNDED';
    end if;
    if reason is null then
      update orders.balances b set amount = b.amount - p.amount
       where b.user_id = p.user_id and b.amount >= p.amount returning b.amount into rest;
      if not found then
        reason := case when exists (select from orders.balances b
          where b.user_id = p.user_id) then 'INSUFFICIENT_BALANCE'
          else 'USER_NOT_FOUND' end;
      end if;
    end if;
    if reason is null then
      end_status := 'COMPLETED';
      if p.amount > 0 then
        insert into orders.transfers
          (transfer_id, debit, credit, amount, kind, balance)
          values (p.transfer, p.user_id, -1, p.amount, 'PAYMENT', rest);
      end if;
      update reservation.seats s set reservation_id = p.reservation_id,
        held_until = 'infinity' where s.seat_id = any(p.seat_ids);
      update reservation.reservations r set status = 'OWNED'
       where r.reservation_id = p.reservation_id;
      facts := facts || jsonb_build_object('key', p.reservation_id::text, 'value',
        jsonb_build_object('eventId', p.event, 'type', 'SEAT_CONFIRMED',
          'occurredAt', to_char(moment at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
          'payload', jsonb_build_object('reservationId', p.reservation_id,
            'paymentId', p.payment_id, 'userId', reservation.id_json(p.user_id),
            'concertId', reservation.id_json(p.concert_id),
            'seatIds', reservation.ids_json(p.seat_ids), 'amount', p.amount)));
    end if;
    update reservation.payments q set status = end_status, reason = reason_of.code,
      settled_at = moment
      from (select reason as code) reason_of where q.payment_id = p.payment_id;
    payment_id := p.payment_id;
    outcome := coalesce(reason, 'OK');
    return next;
  end loop;
  if facts <> '[]' then
    insert into orders.outbox (batch_id, topic, records)
      values (batch, 'SEAT_CONFIRMED', facts);
  end if;
end $$;

grant usage on schema reservation to onrush_reservation;
grant select, insert on reservation.concerts, reservation.options to onrush_reservation;
grant select, insert, update on reservation.seats, reservation.reservations,
  reservation.payments to onrush_reservation;

-- migrate:down

drop schema reservation cascade;
