CREATE TABLE orders (orderkey bigint, orderstatus varchar, totalprice double, orderdate date) WITH (format = 'ORC');
=> orders: orderkey BIGINT, orderstatus VARCHAR, totalprice DOUBLE, orderdate DATE

CREATE TABLE IF NOT EXISTS orders (orderkey bigint, comment varchar COMMENT 'Column comment', totalprice double) COMMENT 'A table to keep track of orders.' WITH (partitioned_by = ARRAY['totalprice'], bucket_count = 50);
=> orders {A table to keep track of orders.}: orderkey BIGINT, comment VARCHAR {Column comment}, totalprice DOUBLE

CREATE TABLE o (orderkey bigint, x row(a bigint, b array(varchar), c map(varchar, row(d double))));
CREATE TABLE bigger_orders (another_orderkey bigint, LIKE o INCLUDING PROPERTIES, another_orderdate date);
=> o: orderkey BIGINT, x STRUCT(a BIGINT, b VARCHAR[], c MAP(VARCHAR, STRUCT(d DOUBLE)))
=> bigger_orders: another_orderkey BIGINT, orderkey BIGINT, x STRUCT(a BIGINT, b VARCHAR[], c MAP(VARCHAR, STRUCT(d DOUBLE))), another_orderdate DATE

CREATE TABLE hive.web.t (ts timestamp(3) with time zone, ti time(6), vb varbinary, j json, ip ipaddress, u uuid, r real, hll hyperloglog, d decimal(10,2) NOT NULL WITH (x = 1), i interval day to second, c char(3));
=> hive.web.t: ts TIMESTAMP WITH TIME ZONE, ti TIME, vb BLOB, j JSON, ip VARCHAR, u UUID, r FLOAT, hll HYPERLOGLOG, d DECIMAL(10,2), i INTERVAL, c VARCHAR

CREATE TABLE orders_column_aliased (order_date, total_price) AS SELECT orderdate, totalprice FROM orders;
=> orders_column_aliased: order_date, total_price

CREATE TABLE orders_by_date COMMENT 'Summary of orders by date' WITH (format = 'ORC') AS SELECT orderdate, sum(totalprice) AS price FROM orders GROUP BY orderdate;
=> orders_by_date {Summary of orders by date}: orderdate, price

CREATE TABLE ice.db.t (c1 INTEGER, c2 DATE, "c 3" DOUBLE) WITH (partitioning = ARRAY['month(c2)', 'bucket(c1, 10)'], location = 's3://x');
=> ice.db.t: c1 INTEGER, c2 DATE, c 3 DOUBLE

-- Flink
CREATE TABLE Orders (`user` BIGINT, product STRING, ts TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL, cost AS price * quantity, price DOUBLE, WATERMARK FOR ts AS ts - INTERVAL '5' SECOND, m MULTISET<STRING>, r ROW<a INT, b STRING>, PRIMARY KEY (`user`) NOT ENFORCED) PARTITIONED BY (product) WITH ('connector' = 'kafka', 'scan.startup.mode' = 'earliest-offset');
=> Orders: user BIGINT pk, product VARCHAR, ts TIMESTAMP WITH TIME ZONE, cost, price DOUBLE, m VARCHAR[], r STRUCT(a INTEGER, b VARCHAR)

-- Spanner
CREATE TABLE Singers (SingerId INT64 NOT NULL, FirstName STRING(1024), Info BYTES(MAX), At TIMESTAMP OPTIONS (allow_commit_timestamp = true), Tags ARRAY<STRING(MAX)>) PRIMARY KEY (SingerId), ROW DELETION POLICY (OLDER_THAN(At, INTERVAL 1 DAY));
CREATE TABLE Albums (SingerId INT64 NOT NULL, AlbumId INT64) PRIMARY KEY (SingerId, AlbumId), INTERLEAVE IN PARENT Singers ON DELETE CASCADE;
=> Singers: SingerId BIGINT pk, FirstName VARCHAR, Info BLOB, At TIMESTAMP, Tags VARCHAR[]
=> Albums: SingerId BIGINT pk, AlbumId BIGINT pk

-- Impala
CREATE TABLE kudu_t (id BIGINT, s STRING ENCODING dict_encoding BLOCK_SIZE 4096, PRIMARY KEY(id)) PARTITION BY HASH PARTITIONS 16 COMMENT 'kudu' STORED AS KUDU TBLPROPERTIES ('kudu.num_tablet_replicas'='1');
=> kudu_t {kudu}: id BIGINT pk, s VARCHAR

-- CockroachDB
CREATE TABLE rides (id UUID NOT NULL, city VARCHAR NOT NULL, v STRING, rev DECIMAL(10,2), CONSTRAINT "primary" PRIMARY KEY (city ASC, id ASC), INDEX idx (city ASC) STORING (rev), UNIQUE INDEX u (v), FAMILY f (id, city), INVERTED INDEX inv (v), CONSTRAINT check_x CHECK (v = city)) LOCALITY REGIONAL BY ROW;
=> rides: id UUID pk, city VARCHAR pk, v VARCHAR, rev DECIMAL(10,2)
