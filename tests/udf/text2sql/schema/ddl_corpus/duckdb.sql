CREATE TABLE t1 (i INTEGER NOT NULL, decimalnr DOUBLE CHECK (decimalnr < 10), date DATE UNIQUE, time TIMESTAMP);
=> t1: i INTEGER, decimalnr DOUBLE, date DATE, time TIMESTAMP

CREATE TABLE t1 (id INTEGER PRIMARY KEY, j VARCHAR); CREATE TABLE t2 (id INTEGER PRIMARY KEY, t1_id INTEGER, FOREIGN KEY (t1_id) REFERENCES t1 (id));
=> t1: id INTEGER pk, j VARCHAR
=> t2: id INTEGER pk, t1_id INTEGER
=> t2.t1_id -> t1.id

CREATE OR REPLACE TABLE n (s STRUCT(v VARCHAR, i INTEGER), m MAP(INTEGER, VARCHAR), l INTEGER[][3], u UNION(num INTEGER, str VARCHAR), e ENUM('a', 'b'), b BIT, h HUGEINT, d DECIMAL(18,3), ts TIMESTAMP_NS, tz TIMESTAMPTZ, j UUID);
=> n: s STRUCT(v VARCHAR, i INTEGER), m MAP(INTEGER, VARCHAR), l INTEGER[][3], u UNION(num INTEGER, str VARCHAR), e ENUM('a', 'b'), b BIT, h HUGEINT, d DECIMAL(18,3), ts TIMESTAMP_NS, tz TIMESTAMP WITH TIME ZONE, j UUID

CREATE TABLE t (x FLOAT, two_x AS (2 * x), y INTEGER GENERATED ALWAYS AS (x + 1) VIRTUAL, z VARCHAR COLLATE NOCASE DEFAULT 'a');
=> t: x FLOAT, two_x FLOAT, y INTEGER, z VARCHAR

CREATE TEMP TABLE tt AS SELECT 42 AS answer, 'x' AS txt;
=> tt: answer INTEGER, txt VARCHAR

CREATE TYPE mood AS ENUM ('happy', 'sad'); CREATE TABLE person (name TEXT, mood mood); CREATE VIEW v AS SELECT mood FROM person;
=> person: name VARCHAR, mood ENUM('happy', 'sad')
=> v: mood ENUM('happy', 'sad')

CREATE TABLE db2.main.t (a UTINYINT, b USMALLINT, c UINTEGER, d UBIGINT, e UHUGEINT, f TIMETZ, g INTERVAL, h BLOB, i BIGNUM);
=> db2.t: a UTINYINT, b USMALLINT, c UINTEGER, d UBIGINT, e UHUGEINT, f TIME WITH TIME ZONE, g INTERVAL, h BLOB, i BIGNUM

CREATE SEQUENCE s; CREATE TABLE q (id INTEGER DEFAULT nextval('s'), "with ""quotes""" INT, "a.b" INT);
=> q: id INTEGER pk, with "quotes" INTEGER, a.b INTEGER

CREATE TABLE list_price (p INTEGER, -- the price, in cents
  q INTEGER /* how many */);
COMMENT ON TABLE list_price IS 'prices';
COMMENT ON COLUMN list_price.q IS 'number';
=> list_price {prices}: p INTEGER {the price, in cents}, q INTEGER {number}

CREATE TABLE a (x INT); CREATE GLOBAL TEMPORARY TABLE b (y INT);
=> a: x INTEGER
=> b: y INTEGER
