-- migrate:up

alter table queue.lines
  -- The operator says that there is nothing left.
  add sold_out   boolean not null default false,
  -- What is sold behind the line; when all its seats are owned there is nothing left.
  add concert_id bigint check (concert_id > 0),
  -- Who is served and does nothing for so long loses the place; null: never.
  add idle_ms    bigint check (idle_ms between 1000 and 86400000),
  -- Tickets that nobody may have, because Redis was lost: "after:last", with commas.
  add holes      text not null default '';

-- Tickets that an operator has taken away: must survive Redis.
create table queue.revoked (
  line_id    bigint not null references queue.lines,
  ticket     bigint not null check (ticket > 0),
  user_id    bigint not null,
  revoked_at timestamptz not null default now(),
  primary key (line_id, ticket)
);

grant select, insert on queue.revoked to onrush_queue;

-- migrate:down

drop table queue.revoked;
alter table queue.lines drop sold_out, drop concert_id, drop idle_ms, drop holes;
