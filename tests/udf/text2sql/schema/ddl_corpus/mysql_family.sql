-- MariaDB
CREATE OR REPLACE TABLE t (x INT PRIMARY KEY, u INET6, g UUID DEFAULT uuid(), v VECTOR(5), s TIMESTAMP(6) GENERATED ALWAYS AS ROW START INVISIBLE, e TIMESTAMP(6) GENERATED ALWAYS AS ROW END, w INT WITHOUT SYSTEM VERSIONING, PERIOD FOR SYSTEM_TIME(s, e)) WITH SYSTEM VERSIONING;
=> t: x INTEGER pk, u VARCHAR, g UUID, v FLOAT[5], s TIMESTAMP, e TIMESTAMP, w INTEGER

-- MariaDB
CREATE TABLE rooms (room_number INT, guest_name VARCHAR(255), checkin DATE, checkout DATE, p INT PERSISTENT, PERIOD FOR p(checkin, checkout), UNIQUE (room_number, p WITHOUT OVERLAPS), c INT COMPRESSED, d TEXT COMPRESSED=zlib) ENGINE=Aria TRANSACTIONAL=1;
=> rooms: room_number INTEGER, guest_name VARCHAR, checkin DATE, checkout DATE, p INTEGER, c INTEGER, d VARCHAR

-- MariaDB
CREATE TABLE dyn (a INT UNSIGNED NOT NULL DEFAULT (1 + 2), b VARCHAR(10) CHECK (length(b) > 1), c JSON CHECK (json_valid(c)), d VARCHAR2(5), e NUMBER(5,1), `f` ENUM('1','2') CHARACTER SET latin1 COLLATE 'latin1_bin');
=> dyn: a UINTEGER, b VARCHAR, c JSON, d VARCHAR, e DECIMAL(5,1), f ENUM('1', '2')

-- TiDB
CREATE TABLE t (a bigint PRIMARY KEY /*T![auto_rand] AUTO_RANDOM(5) */, b varchar(255), KEY idx (b) /*T![global_index] GLOBAL */) /*T! SHARD_ROW_ID_BITS=4 PRE_SPLIT_REGIONS=2 */;
=> t: a BIGINT pk, b VARCHAR

-- TiDB
CREATE TABLE `users` (`id` bigint(20) NOT NULL /*T![auto_rand] AUTO_RANDOM(5) */, `balance` decimal(15,2) DEFAULT NULL, `created` datetime DEFAULT NULL, PRIMARY KEY (`id`) /*T![clustered_index] CLUSTERED */) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin /*T![ttl] TTL=`created` + INTERVAL 3 MONTH */;
=> users: id BIGINT pk, balance DECIMAL(15,2), created TIMESTAMP

-- TiDB
CREATE TABLE v (id INT AUTO_RANDOM, doc TEXT, e VECTOR(3), VECTOR INDEX idx ((VEC_COSINE_DISTANCE(e))) USING HNSW, PRIMARY KEY (id) NONCLUSTERED);
=> v: id INTEGER pk, doc VARCHAR, e FLOAT[3]

-- Doris
CREATE TABLE IF NOT EXISTS example_db.example_tbl_agg (
    `user_id` LARGEINT NOT NULL COMMENT "用户id",
    `date` DATE NOT NULL COMMENT "数据灌入日期时间",
    `city` VARCHAR(20) COMMENT "用户所在城市",
    `last_visit_date` DATETIME REPLACE DEFAULT "1970-01-01 00:00:00" COMMENT "用户最后一次访问时间",
    `cost` BIGINT SUM DEFAULT "0" COMMENT "用户总消费",
    `max_dwell_time` INT MAX DEFAULT "0" COMMENT "最大停留时间",
    `ids` BITMAP BITMAP_UNION,
    `uv` HLL HLL_UNION
) ENGINE=OLAP
AGGREGATE KEY(`user_id`, `date`, `city`)
COMMENT "聚合表"
DISTRIBUTED BY HASH(`user_id`) BUCKETS 1
PROPERTIES ("replication_allocation" = "tag.location.default: 1");
=> example_db.example_tbl_agg {聚合表}: user_id HUGEINT {用户id}, date DATE {数据灌入日期时间}, city VARCHAR {用户所在城市}, last_visit_date TIMESTAMP {用户最后一次访问时间}, cost BIGINT {用户总消费}, max_dwell_time INTEGER {最大停留时间}, ids BITMAP, uv HLL

-- Doris
CREATE TABLE t1 (k1 DATEV2 NOT NULL, k2 DATETIMEV2(3), v1 DECIMALV3(20,4), v2 STRING, v3 JSONB, v4 VARIANT, v5 ARRAY<INT>, v6 MAP<STRING,INT>, v7 STRUCT<s_id:int(11), s_name:string>, v8 AGG_STATE<max_by(int, int)> GENERIC, INDEX idx_v2 (`v2`) USING INVERTED PROPERTIES("parser" = "english") COMMENT 'inverted', v9 IPV4)
DUPLICATE KEY(k1, k2) PARTITION BY RANGE(k1) (PARTITION p1 VALUES LESS THAN ("2020-01-31"), PARTITION p2 VALUES [("2020-01-31"), ("2020-02-29"))) DISTRIBUTED BY HASH(k1) BUCKETS AUTO;
=> t1: k1 DATE, k2 TIMESTAMP, v1 DECIMAL(20,4), v2 VARCHAR, v3 JSON, v4 VARIANT, v5 INTEGER[], v6 MAP(VARCHAR, INTEGER), v7 STRUCT(s_id INTEGER, s_name VARCHAR), v8 AGG_STATE<MAX_BY(INT, INT)>, v9 VARCHAR

-- Doris
CREATE TABLE u (id BIGINT NOT NULL AUTO_INCREMENT(100), n VARCHAR(9), c INT AS (id * 2)) UNIQUE KEY(id) AUTO PARTITION BY RANGE (date_trunc(d, 'month')) () DISTRIBUTED BY RANDOM PROPERTIES ("enable_unique_key_merge_on_write" = "true");
=> u: id BIGINT pk, n VARCHAR, c INTEGER

-- Doris
CREATE EXTERNAL TABLE example_db.table_mysql (k1 DATE, k2 INT) ENGINE=mysql PROPERTIES ("host" = "127.0.0.1", "password" = "a;b'c");
=> example_db.table_mysql: k1 DATE, k2 INTEGER

-- StarRocks
CREATE TABLE orders (dt date NOT NULL, order_id bigint NOT NULL COMMENT "id", user_id int, good_id int REPLACE_IF_NOT_NULL, revenue largeint, h varchar(65533) NULL)
PRIMARY KEY (dt, order_id) PARTITION BY date_trunc('day', dt) DISTRIBUTED BY HASH(order_id) BUCKETS 4 ORDER BY (`user_id`) ROLLUP (r1 (dt, user_id)) PROPERTIES ("enable_persistent_index" = "true");
=> orders: dt DATE pk, order_id BIGINT pk {id}, user_id INTEGER, good_id INTEGER, revenue HUGEINT, h VARCHAR

-- StarRocks
CREATE EXTERNAL TABLE hudi_t (id INT, ts TIMESTAMP, p PERCENTILE, j JSON, b BINARY) ENGINE=hudi PROPERTIES ("resource" = "hudi0", "database" = "d");
=> hudi_t: id INTEGER pk, ts TIMESTAMP, p PERCENTILE, j JSON, b BLOB

-- StarRocks
CREATE TABLE detail (event_time DATETIME NOT NULL COMMENT "datetime of event", event_type INT NOT NULL COMMENT "type of event", INDEX i (event_type) USING BITMAP COMMENT '', g ARRAY<STRUCT<a INT, b VARCHAR(10)>> NULL) DUPLICATE KEY(event_time, event_type) COMMENT 'events' DISTRIBUTED BY RANDOM;
=> detail {events}: event_time TIMESTAMP {datetime of event}, event_type INTEGER {type of event}, g STRUCT(a INTEGER, b VARCHAR)[]

-- OceanBase
CREATE TABLE tbl1 (col1 INT PRIMARY KEY, col2 VARCHAR(50), INDEX i1(col2) GLOBAL, WITH COLUMN GROUP(all columns, each column)) REPLICA_NUM = 3 PRIMARY_ZONE = 'zone1' PARTITION BY HASH(col1) PARTITIONS 8;
=> tbl1: col1 INTEGER pk, col2 VARCHAR

-- SingleStore
CREATE ROWSTORE TABLE IF NOT EXISTS clicks (click_id BIGINT AUTO_INCREMENT, user_id INT, url TEXT OPTION 'SeekableLZ4', SHARD KEY (user_id), SORT KEY (click_id, user_id), v VECTOR(4, F32), total AS click_id * 2 PERSISTED BIGINT);
=> clicks: click_id BIGINT pk, user_id INTEGER, url VARCHAR, v FLOAT[4], total
