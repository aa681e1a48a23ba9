-- migrate:up

-- The role of the queue service: this schema and nothing else.
do $$
begin
  create role onrush_queue nologin;
exception when duplicate_object or unique_violation then null;
end $$;

create schema queue;

-- What must survive Redis: how each line is meant to work, and bounds of its numbers. The
-- live numbers are in Redis.
create table queue.lines (
  line_id      bigint primary key check (line_id >= 0),
  name         text not null check (octet_length(name) between 1 and 120),
  -- Counts the changes of the settings below; Redis takes over the newest.
  version      bigint not null default 1,
  mode         text not null default 'fifo'
               check (mode in ('fifo', 'random', 'passthrough', 'closed')),
  -- Places per second; null: as many as there is room for.
  rate         bigint check (rate between 0 and 1000000),
  -- The hard limit of active users.
  max_active   bigint not null check (max_active between 0 and 1000000),
  active_ms    bigint not null check (active_ms between 1000 and 86400000),
  -- Who was called and has not asked for so long loses the place; null: never.
  no_show_ms   bigint check (no_show_ms between 1000 and 86400000),
  -- Null: it was open from the start.
  opens_at     timestamptz,
  -- No pass is valid after it.
  closes_at    timestamptz not null,
  -- Decides the shuffle. Its SHA-256 is public from the start, it itself after the opening.
  seed         bytea not null check (octet_length(seed) = 32),
  -- Tickets 1 to this were given before the opening of a random line and are shuffled;
  -- null until the opening.
  shuffled     bigint check (shuffled >= 0),
  -- No ticket beyond it has ever been given: what Redis may give is noted here first.
  ticket_bound bigint not null default 0,
  -- As of about a second ago, and never more than they are.
  given        bigint not null default 0,
  serving      bigint not null default 0,
  floor        bigint not null default 0
) with (fillfactor = 50);

-- The general line, open for as long as nobody changes that.
insert into queue.lines (line_id, name, rate, max_active, active_ms, no_show_ms, closes_at,
                         seed, shuffled)
values (0, 'General', 1000, 1000, 600000, 60000, '2099-12-31 00:00:00+00',
        sha256(gen_random_uuid()::text::bytea), 0);

grant usage on schema queue to onrush_queue;
grant select, insert, update on queue.lines to onrush_queue;

-- migrate:down

drop schema queue cascade;
