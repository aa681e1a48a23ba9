-- migrate:up

-- The waiting line whose pass opens a concert's seats; 0: the general one.
alter table reservation.concerts
  add line_id bigint not null default 0 check (line_id >= 0);

drop function reservation.hold(uuid[], bigint[], bigint[], int[], int[], bigint[], bigint);

-- Holds seats for requests, in their order; each gets all its seats or none. The seats of
-- request i are wanted[firsts[i]:lasts[i]], sorted; its pass is of the line lines[i], -1 if it came without
-- one. One row for each, with a code of
-- err.def; with SEAT_TAKEN, `until` is when the last of its seats may be free again.
create function reservation.hold(
  request_ids uuid[], hashes bigint[], users bigint[], firsts int[], lasts int[],
  lines bigint[], wanted bigint[], hold_ms bigint)
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
  seats_limit bigint;
  concert_line bigint;
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
    select c.per_user_limit, c.line_id into seats_limit, concert_line
      from reservation.concerts c where c.concert_id = concert;
    outcome := case
      when found_seats < cardinality(mine) then 'SEAT_NOT_FOUND'
      when concert <> other_concert then 'BAD_PARAMETER'
      when lines[i] >= 0 and lines[i] <> concert_line then 'PASS_OF_OTHER_LINE'
      when until > moment then 'SEAT_TAKEN'
      when reservation.seats_of(users[i], concert, null, moment) + cardinality(mine) >
           seats_limit then 'SEAT_LIMIT_REACHED'
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

-- migrate:down

drop function reservation.hold(uuid[], bigint[], bigint[], int[], int[], bigint[], bigint[],
  bigint);

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

alter table reservation.concerts drop line_id;
