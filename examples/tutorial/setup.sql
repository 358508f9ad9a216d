-- The tutorial's database, set up by a superuser, so that the user of the replication
-- needs no more rights than it must:
--
--     createdb es_cdc_db
--     psql -d es_cdc_db -f setup.sql
--
-- The server needs, and a restart after a change:
--
--     wal_level = logical
--     max_wal_senders = 5
--     max_replication_slots = 5

CREATE TABLE users (
	id serial PRIMARY KEY,
	name text NOT NULL,
	created_on timestamptz
);
CREATE TABLE books (
	id serial PRIMARY KEY,
	name text NOT NULL,
	created_on timestamptz
);

-- First the publication, then the slot: a slot cannot decode what was written before
-- its publication was there.
CREATE PUBLICATION es_cdc_publication FOR TABLE users WITH (publish = 'INSERT,DELETE,UPDATE');
SELECT * FROM pg_create_logical_replication_slot('es_cdc_slot', 'pgoutput');

-- FULL brings the old row with each update, which old_name is made from.  With DEFAULT
-- old_name is null.
ALTER TABLE users REPLICA IDENTITY FULL;

CREATE USER es_cdc_user WITH REPLICATION LOGIN PASSWORD 'es_cdc_pass';
