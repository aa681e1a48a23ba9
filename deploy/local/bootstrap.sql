-- The database and its roles. `onrush` owns the database and runs the migrations, which
-- may create roles; each service has a role of its own, to which its migrations grant its
-- schema and no other.
-- :'password' is the one password of all of them on this machine.
SELECT format('CREATE ROLE %I', name)
  FROM unnest(ARRAY['onrush', 'onrush_coupon', 'onrush_order',
         'onrush_reservation', 'onrush_payment', 'onrush_queue', 'onrush_keeper']) AS name
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
\gexec
ALTER ROLE onrush CREATEROLE;
SELECT format('ALTER ROLE %I LOGIN PASSWORD %L', name, :'password')
  FROM unnest(ARRAY['onrush', 'onrush_coupon', 'onrush_order',
         'onrush_reservation', 'onrush_payment', 'onrush_queue', 'onrush_keeper']) AS name
\gexec
SELECT 'CREATE DATABASE onrush OWNER onrush'
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'onrush')
\gexec
REVOKE ALL ON DATABASE onrush FROM PUBLIC;
GRANT CONNECT ON DATABASE onrush TO onrush_coupon, onrush_order, onrush_reservation,
  onrush_payment, onrush_queue, onrush_keeper;
