-- Run by the postgres image when the cluster is made, as superuser: the roles that migrations and processes log in as.
-- The same as worker/local/postgres.py makes for the local stack; a test runs both.
\getenv owner_password OWNER_PASSWORD
\getenv login_password DATABASE_PASSWORD

CREATE ROLE zoomin_owner LOGIN CREATEROLE PASSWORD :'owner_password';
GRANT pg_read_all_stats TO zoomin_owner WITH ADMIN OPTION; -- the migration passes it on to zoomin_app

CREATE ROLE zoomin_app NOLOGIN; -- what processes may do; the migration grants it its rights
CREATE ROLE zoomin LOGIN PASSWORD :'login_password' IN ROLE zoomin_app;

CREATE DATABASE zoomin OWNER zoomin_owner;

-- Retention and erasure need no role of their own: zoomin_app may not delete, it may call the owner's functions that do one thing each.
