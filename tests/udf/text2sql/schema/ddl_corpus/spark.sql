CREATE TABLE student (id INT, name STRING, age INT) USING CSV;
=> student: id INTEGER pk, name VARCHAR, age INTEGER

CREATE TABLE student (id INT, name STRING, age INT) USING CSV COMMENT 'this is a comment' TBLPROPERTIES ('foo'='bar');
=> student {this is a comment}: id INTEGER pk, name VARCHAR, age INTEGER

CREATE TABLE student (id INT, name STRING, age INT) USING CSV PARTITIONED BY (age) CLUSTERED BY (Id) INTO 4 buckets;
=> student: id INTEGER pk, name VARCHAR, age INTEGER

CREATE OR REPLACE TABLE prod.db.sample (id bigint NOT NULL COMMENT 'unique id', data string, category string, ts timestamp)
USING iceberg PARTITIONED BY (bucket(16, id), days(ts), category) LOCATION 's3://bucket/a,b' TBLPROPERTIES ('key'='value');
=> prod.db.sample: id BIGINT pk {unique id}, data VARCHAR, category VARCHAR, ts TIMESTAMP

CREATE TABLE default.people10m (
  id BIGINT GENERATED ALWAYS AS IDENTITY (START WITH 1 INCREMENT BY 1),
  firstName STRING MASK mask_func USING COLUMNS (id),
  dateOfBirth DATE GENERATED ALWAYS AS (CAST(birthDate AS DATE)),
  birthDate TIMESTAMP DEFAULT current_timestamp(),
  ssn STRING COLLATE UTF8_BINARY
) USING DELTA CLUSTER BY (id, birthDate);
=> default.people10m: id BIGINT pk, firstName VARCHAR, dateOfBirth DATE, birthDate TIMESTAMP, ssn VARCHAR

CREATE TABLE rectangles(a INT, b INT, area INT GENERATED ALWAYS AS (a * b));
=> rectangles: a INTEGER, b INTEGER, area INTEGER

CREATE TABLE main.sales.persons(first_name STRING NOT NULL, last_name STRING NOT NULL, nickname STRING, CONSTRAINT persons_pk PRIMARY KEY(first_name, last_name) RELY);
CREATE TABLE main.sales.pets(name STRING, owner_first_name STRING, owner_last_name STRING, CONSTRAINT pets_persons_fk FOREIGN KEY (owner_first_name, owner_last_name) REFERENCES main.sales.persons);
=> main.sales.persons: first_name VARCHAR pk, last_name VARCHAR pk, nickname VARCHAR
=> main.sales.pets: name VARCHAR, owner_first_name VARCHAR, owner_last_name VARCHAR
=> main.sales.pets.owner_first_name -> main.sales.persons.first_name
=> main.sales.pets.owner_last_name -> main.sales.persons.last_name

CREATE OR REFRESH STREAMING TABLE raw_data (
  key STRING COMMENT 'the key', value INT,
  CONSTRAINT valid_key EXPECT (key IS NOT NULL) ON VIOLATION DROP ROW
) COMMENT 'raw' AS SELECT * FROM STREAM read_files('/x');
=> raw_data {raw}: key VARCHAR {the key}, value INTEGER

CREATE TABLE IF NOT EXISTS events USING DELTA LOCATION '/mnt/delta/events' AS SELECT id, upper(name) AS name, `when` FROM source;
=> events: id pk, name, when

CREATE TABLE nested (a STRUCT<b: INT COMMENT 'inner', c: ARRAY<STRUCT<d: STRING NOT NULL, e: MAP<STRING, ARRAY<INT>>>>> COMMENT 'outer', f INTERVAL DAY TO SECOND, g TIMESTAMP_NTZ, v VARIANT);
=> nested: a STRUCT(b INTEGER, c STRUCT(d VARCHAR, e MAP(VARCHAR, INTEGER[]))[]) {outer}, f INTERVAL, g TIMESTAMP, v VARIANT

REPLACE TABLE orders (order_id LONG, item STRING, qty SHORT, flags BYTE, ratio REAL) USING DELTA;
=> orders: order_id BIGINT pk, item VARCHAR, qty SMALLINT, flags TINYINT, ratio FLOAT

CREATE TABLE jdbc_t (c0 STRING, c1 DEC(10, 0), c2 NUMERIC(5,2)) USING JDBC OPTIONS (url 'jdbc:x:(y,z)', dbtable 's.t', user 'u');
=> jdbc_t: c0 VARCHAR, c1 DECIMAL(10,0), c2 DECIMAL(5,2)

CREATE TABLE a_table (x INT, y STRING COMMENT 'why\'s it');
CREATE TABLE b_table LIKE a_table USING PARQUET;
CREATE TABLE c_table DEEP CLONE a_table;
=> a_table: x INTEGER, y VARCHAR {why's it}
=> b_table: x INTEGER, y VARCHAR {why's it}
=> c_table: x INTEGER, y VARCHAR {why's it}

CREATE TEMPORARY VIEW tv (id COMMENT 'the id', name) AS SELECT a, b FROM t;
CREATE TABLE only_this (a INT);
=> tv: id pk {the id}, name
=> only_this: a INTEGER

CREATE TABLE part_hive (name STRING) PARTITIONED BY (year INT, month INT) STORED AS PARQUET;
=> part_hive: name VARCHAR, year INTEGER, month INTEGER

CREATE TABLE catalog.`my schema`.`my-table` (`a.b` INT, `select` STRING, `it``s` DATE) USING PARQUET;
=> catalog.my schema.my-table: a.b INTEGER, select VARCHAR, it`s DATE
