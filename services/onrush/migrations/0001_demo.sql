-- migrate:up

create schema onrush;

-- What `onrush seed` has put in. Only these may be reset, and nothing else is ever touched.
create table onrush.demo (
  kind text not null,
  id   bigint not null,
  primary key (kind, id)
);

-- migrate:down

drop schema onrush cascade;
