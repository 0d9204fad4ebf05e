CREATE TABLE t ON CLUSTER c1 (a UInt8) ENGINE = MergeTree ORDER BY a
=> t: a UTINYINT

CREATE TABLE default.hits
(
    `WatchID` UInt64,
    `JavaEnable` UInt8 CODEC(Delta(4), ZSTD(1)),
    `Title` String COMMENT 'the title (of the page), as shown',
    `GoodEvent` Int16 DEFAULT 1,
    `EventTime` DateTime('Asia/Shanghai') CODEC(DoubleDelta, LZ4),
    `EventDate` Date MATERIALIZED toDate(EventTime),
    `Params` Nested(Key String, Value Nullable(Float64)),
    `URLHash` UInt64 ALIAS cityHash64(URL),
    `URL` LowCardinality(Nullable(String)) TTL EventDate + INTERVAL 1 MONTH,
    INDEX idx_title Title TYPE tokenbf_v1(256, 2, 0) GRANULARITY 4,
    PROJECTION p1 (SELECT Title, count() GROUP BY Title),
    CONSTRAINT c CHECK WatchID > 0
)
ENGINE = MergeTree PARTITION BY toYYYYMM(EventDate) ORDER BY (GoodEvent, EventDate, intHash32(WatchID)) SAMPLE BY intHash32(WatchID)
TTL EventDate + INTERVAL 1 YEAR DELETE SETTINGS index_granularity = 8192;
=> default.hits: WatchID UBIGINT, JavaEnable UTINYINT, Title VARCHAR {the title (of the page), as shown}, GoodEvent SMALLINT, EventTime TIMESTAMP, EventDate DATE, Params STRUCT(Key VARCHAR, Value DOUBLE)[], URLHash UBIGINT, URL VARCHAR

CREATE TABLE x (a UInt64, b Array(Tuple(name String, n Int8)), c Map(String, Array(UInt8)), d Enum8('a' = 1, 'b, c' = 2)) ENGINE = ReplacingMergeTree(a) PRIMARY KEY a ORDER BY (a, d);
=> x: a UBIGINT pk, b STRUCT(name VARCHAR, n TINYINT)[], c MAP(VARCHAR, UTINYINT[]), d ENUM('a', 'b, c')

CREATE TABLE IF NOT EXISTS db.agg UUID '61f0c404-5cb3-11e7-907b-a6006ad3dba0' ON CLUSTER '{cluster}' (k String, s AggregateFunction(sum, UInt64), m SimpleAggregateFunction(max, Float64), u AggregateFunction(uniq, String)) ENGINE = AggregatingMergeTree() ORDER BY k COMMENT 'The aggregates';
=> db.agg {The aggregates}: k VARCHAR, s AGGREGATEFUNCTION(SUM, UINT64), m DOUBLE, u AGGREGATEFUNCTION(UNIQ, STRING)

CREATE TABLE dist AS db.local ENGINE = Distributed(cluster, db, local, rand());
CREATE TABLE db.local (x Int32, y Decimal64(3), z FixedString(4)) ENGINE = Log;
=> dist: x INTEGER, y DECIMAL(18,3), z VARCHAR
=> db.local: x INTEGER, y DECIMAL(18,3), z VARCHAR

CREATE TABLE src (x Int32, y DateTime64(3, 'UTC')) ENGINE = Memory;
CREATE TABLE cp AS src;
=> src: x INTEGER, y TIMESTAMP
=> cp: x INTEGER, y TIMESTAMP

CREATE TABLE users (uid Int16, name Nullable(String), age Int16 NULL, email String NOT NULL, e String EPHEMERAL, dflt DEFAULT now(), d2 Date DEFAULT today()) ENGINE = Memory;
=> users: uid SMALLINT, name VARCHAR, age SMALLINT, email VARCHAR, e VARCHAR, dflt, d2 DATE

CREATE TABLE mv_target ENGINE = SummingMergeTree ORDER BY day POPULATE AS SELECT toDate(ts) AS day, count() AS c, name FROM events GROUP BY day, name;
=> mv_target: day, c, name

CREATE MATERIALIZED VIEW mv TO target (day Date, c UInt64) AS SELECT toDate(ts) AS day, count() AS c FROM events GROUP BY day;
CREATE TABLE target (day Date, c UInt64) ENGINE = SummingMergeTree ORDER BY day;
=> mv: day DATE, c UBIGINT
=> target: day DATE, c UBIGINT

ATTACH TABLE _ UUID 'a-b' (`id` UUID, `ip` IPv4, `ip6` IPv6, `f` Float32, `b` Bool, `i` Int128, `v` Variant(String, UInt8), `j` JSON(max_dynamic_paths = 8, a.b UInt32)) ENGINE = MergeTree ORDER BY id;
=> _: id UUID pk, ip VARCHAR, ip6 VARCHAR, f FLOAT, b BOOLEAN, i HUGEINT, v VARIANT, j JSON

CREATE TABLE kafka_q (ts DateTime, level String, message String) ENGINE = Kafka('localhost:9092', 'topic', 'group1', 'JSONEachRow') SETTINGS kafka_num_consumers = 4;
=> kafka_q: ts TIMESTAMP, level VARCHAR, message VARCHAR

CREATE TABLE s (id Int32 CODEC(NONE), key String, index UInt8, INDEX i1 (key, id) TYPE minmax GRANULARITY 1, INDEX i2 lower(key) TYPE bloom_filter(0.01), PRIMARY KEY (id, key)) ENGINE = MergeTree;
=> s: id INTEGER pk, key VARCHAR pk, index UTINYINT

CREATE TEMPORARY TABLE tmp (a Date32, b Int256, c Dynamic, p Point, g Polygon);
=> tmp: a DATE, b HUGEINT, c VARIANT, p POINT, g POLYGON

CREATE TABLE geo (k Tuple(UInt8, String), q Array(Array(Nullable(Int64)))) ENGINE = TinyLog;
=> geo: k STRUCT("1" UTINYINT, "2" VARCHAR), q BIGINT[][]

CREATE OR REPLACE TABLE w (`a-b` String, `x.y` Array(String), "q" UInt8) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/w', '{replica}') ORDER BY tuple();
=> w: a-b VARCHAR, x.y VARCHAR[], q UTINYINT

CREATE TABLE o (j Object('json'), a Array(String) DEFAULT ['a,b', 'c)'], i Int8) ENGINE = Memory
=> o: j JSON, a VARCHAR[], i TINYINT
