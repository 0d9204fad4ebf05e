CREATE TABLE mydataset.newtable (
  x INT64 OPTIONS (description = 'An optional INTEGER field'),
  y STRUCT <
    a ARRAY <STRING> OPTIONS (description = 'A repeated STRING field'),
    b BOOL
  >
) OPTIONS (expiration_timestamp = TIMESTAMP '2025-01-01 00:00:00 UTC', description = 'a table that expires in 2025', labels = [('org_unit', 'development')]);
=> mydataset.newtable {a table that expires in 2025}: x BIGINT {An optional INTEGER field}, y STRUCT(a VARCHAR[], b BOOLEAN)

CREATE TABLE t (id INT64, s STRUCT<a STRING, b ARRAY<INT64>>)
=> t: id BIGINT pk, s STRUCT(a VARCHAR, b BIGINT[])

CREATE TABLE `my-project.my_dataset.my-table` (id STRING NOT NULL, amount NUMERIC(10, 2), big BIGNUMERIC, geo GEOGRAPHY, doc JSON, raw BYTES(16), t TIME, dt DATETIME, ts TIMESTAMP)
PARTITION BY DATE(ts) CLUSTER BY id, amount OPTIONS (partition_expiration_days = 3, require_partition_filter = true);
=> my-project.my_dataset.my-table: id VARCHAR pk, amount DECIMAL(10,2), big DECIMAL(38,9), geo GEOGRAPHY, doc JSON, raw BLOB, t TIME, dt TIMESTAMP, ts TIMESTAMP

CREATE TABLE my-project.my_dataset.sales (id INT64, day DATE) PARTITION BY DATE_TRUNC(day, MONTH);
=> my-project.my_dataset.sales: id BIGINT pk, day DATE

CREATE OR REPLACE EXTERNAL TABLE mydataset.ext (name STRING, n INT64)
WITH PARTITION COLUMNS (dt DATE, region STRING) OPTIONS (uris = ['gs://b/*.parquet'], format = 'PARQUET', hive_partition_uri_prefix = 'gs://b');
=> mydataset.ext: name VARCHAR, n BIGINT, dt DATE, region VARCHAR

CREATE TABLE mydataset.pk_table (x INT64, y STRING, PRIMARY KEY (x) NOT ENFORCED);
CREATE TABLE mydataset.fk_table (x INT64 PRIMARY KEY NOT ENFORCED, y STRING, i INT64 REFERENCES mydataset.pk_table(x) NOT ENFORCED);
=> mydataset.pk_table: x BIGINT pk, y VARCHAR
=> mydataset.fk_table: x BIGINT pk, y VARCHAR, i BIGINT
=> mydataset.fk_table.i -> mydataset.pk_table.x

CREATE TABLE mydataset.defaults (x INT64 DEFAULT 1, y STRUCT<xa STRING, xb ARRAY<STRUCT<n INT64>>> DEFAULT STRUCT('a', [STRUCT(1)]), z ARRAY<STRING> DEFAULT ['a', 'b'], f FLOAT64 DEFAULT RAND());
=> mydataset.defaults: x BIGINT, y STRUCT(xa VARCHAR, xb STRUCT(n BIGINT)[]), z VARCHAR[], f DOUBLE

CREATE TABLE d.coll (a STRING COLLATE 'und:ci', b STRING(10), c STRUCT<x STRING COLLATE 'und:ci', y INT64>, r RANGE<DATE>, i INTERVAL) DEFAULT COLLATE 'und:ci';
=> d.coll: a VARCHAR, b VARCHAR, c STRUCT(x VARCHAR, y BIGINT), r RANGE<DATE>, i INTERVAL

CREATE TEMP TABLE _SESSION_t (a INT64, b BOOL);
=> _SESSION_t: a BIGINT, b BOOLEAN

CREATE SNAPSHOT TABLE d.snap CLONE d.coll2 FOR SYSTEM_TIME AS OF CURRENT_TIMESTAMP();
CREATE TABLE d.coll2 (a INT64);
=> d.snap: a BIGINT
=> d.coll2: a BIGINT

CREATE TABLE d.sum AS SELECT corpus, SUM(word_count) AS words, ARRAY_AGG(STRUCT(word, n)) arr FROM `bigquery-public-data.samples.shakespeare` GROUP BY corpus;
=> d.sum: corpus, words, arr

CREATE TABLE d.src (a INT64 OPTIONS(description="with, comma (and bracket)"), b STRING OPTIONS(description='它的''b'''));
CREATE TABLE d.dst LIKE d.src;
CREATE TABLE d.dst2 COPY d.src;
=> d.src: a BIGINT {with, comma (and bracket)}, b VARCHAR {它的'b'}
=> d.dst: a BIGINT {with, comma (and bracket)}, b VARCHAR {它的'b'}
=> d.dst2: a BIGINT {with, comma (and bracket)}, b VARCHAR {它的'b'}

CREATE TABLE d.vec (id INT64, e ARRAY<FLOAT64>, h STRING OPTIONS(rounding_mode="ROUND_HALF_EVEN", description = "last")) # trailing, note
OPTIONS(description="""a doc""");
=> d.vec {a doc}: id BIGINT pk, e DOUBLE[], h VARCHAR {last}
