CREATE TABLE page_view(viewTime INT, userid BIGINT, page_url STRING, ip STRING COMMENT 'IP Address of the User')
COMMENT 'This is the page view table' PARTITIONED BY(dt STRING, country STRING) STORED AS SEQUENCEFILE;
=> page_view {This is the page view table}: viewTime INTEGER, userid BIGINT, page_url VARCHAR, ip VARCHAR {IP Address of the User}, dt VARCHAR, country VARCHAR

CREATE TABLE t (a string) PARTITIONED BY (dt string COMMENT 'day')
=> t: a VARCHAR, dt VARCHAR {day}

CREATE EXTERNAL TABLE IF NOT EXISTS logs.access (
  host STRING, identity STRING, `user` STRING, request_time STRING, status STRING)
ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.RegexSerDe'
WITH SERDEPROPERTIES ("input.regex" = "([^ ]*) ([^ ]*) (-|\\[[^\\]]*\\])", "output.format.string" = "%1$s %2$s")
STORED AS TEXTFILE LOCATION '/data/logs, (raw)';
=> logs.access: host VARCHAR, identity VARCHAR, user VARCHAR, request_time VARCHAR, status VARCHAR

create table user_info_bucketed(user_id BIGINT, firstname STRING, lastname STRING)
COMMENT 'A bucketed copy of user_info'
PARTITIONED BY(ds STRING)
CLUSTERED BY(user_id) SORTED BY (firstname ASC) INTO 256 BUCKETS;
=> user_info_bucketed {A bucketed copy of user_info}: user_id BIGINT, firstname VARCHAR, lastname VARCHAR, ds VARCHAR

CREATE TABLE employees (
  name STRING COMMENT 'employee''s name',
  salary FLOAT,
  subordinates ARRAY<STRING> COMMENT "names of subordinates, if any",
  deductions MAP<STRING, FLOAT>,
  address STRUCT<street:STRING, city:STRING, state:STRING, zip:INT>)
PARTITIONED BY (country STRING, state STRING)
ROW FORMAT DELIMITED FIELDS TERMINATED BY '\001' COLLECTION ITEMS TERMINATED BY '\002' MAP KEYS TERMINATED BY '\003' LINES TERMINATED BY '\n'
STORED AS TEXTFILE TBLPROPERTIES ('creator'='me', 'created_at'='2012-01-02');
=> employees: name VARCHAR {employee's name}, salary FLOAT, subordinates VARCHAR[] {names of subordinates, if any}, deductions MAP(VARCHAR, FLOAT), address STRUCT(street VARCHAR, city VARCHAR, state VARCHAR, zip INTEGER), country VARCHAR, state VARCHAR

CREATE TABLE union_test(foo UNIONTYPE<int, double, array<string>, struct<a:int,b:string>>, bar decimal(10,2));
=> union_test: foo UNIONTYPE<INT, DOUBLE, ARRAY<STRING>, STRUCT<A: INT, B: STRING>>, bar DECIMAL(10,2)

CREATE TABLE list_bucket_single (key STRING, value STRING) SKEWED BY (key) ON (1,5,6) STORED AS DIRECTORIES;
=> list_bucket_single: key VARCHAR, value VARCHAR

CREATE TABLE pk (id1 integer, id2 integer, PRIMARY KEY(id1, id2) disable novalidate);
CREATE TABLE fk (id1 integer, id2 integer, CONSTRAINT c1 FOREIGN KEY(id1, id2) REFERENCES pk(id2, id1) disable novalidate);
=> pk: id1 INTEGER pk, id2 INTEGER pk
=> fk: id1 INTEGER, id2 INTEGER
=> fk.id1 -> pk.id2
=> fk.id2 -> pk.id1

CREATE TABLE constraints1(id1 integer UNIQUE disable novalidate, id2 integer NOT NULL, usr string DEFAULT current_user(), price double CHECK (price > 0 AND price <= 1000));
=> constraints1: id1 INTEGER, id2 INTEGER, usr VARCHAR, price DOUBLE

CREATE TRANSACTIONAL TABLE transactional_table_test(key string, value string) PARTITIONED BY(ds string) STORED AS ORC;
=> transactional_table_test: key VARCHAR, value VARCHAR, ds VARCHAR

CREATE TEMPORARY TABLE tmp1 (c1 tinyint, c2 smallint, c3 timestamp, c4 date, c5 binary, c6 varchar(20), c7 char(3), c8 interval_day_time);
=> tmp1: c1 TINYINT, c2 SMALLINT, c3 TIMESTAMP, c4 DATE, c5 BLOB, c6 VARCHAR, c7 VARCHAR, c8 INTERVAL

CREATE TABLE kst PARTITIONED BY (ds string) ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.avro.AvroSerDe'
STORED AS INPUTFORMAT 'x.AvroContainerInputFormat' OUTPUTFORMAT 'x.AvroContainerOutputFormat'
TBLPROPERTIES ('avro.schema.url'='http://schema_provider/kst.avsc');
=> kst: ds VARCHAR

CREATE TABLE ice (id bigint, name string) PARTITIONED BY SPEC (bucket(16, id), truncate(3, name)) STORED BY ICEBERG;
=> ice: id BIGINT pk, name VARCHAR

CREATE TABLE base (k string, v array<map<string,struct<x:int,y:array<double>>>>);
CREATE TABLE empty_key_value_store LIKE base TBLPROPERTIES ('a'='b');
=> base: k VARCHAR, v MAP(VARCHAR, STRUCT(x INTEGER, y DOUBLE[]))[]
=> empty_key_value_store: k VARCHAR, v MAP(VARCHAR, STRUCT(x INTEGER, y DOUBLE[]))[]

CREATE TABLE new_key_value_store ROW FORMAT SERDE "x.ColumnarSerDe" STORED AS RCFile AS
SELECT (key % 1024) new_key, concat(key, value) AS key_value_pair, src.ds FROM key_value_store src SORT BY new_key, key_value_pair;
=> new_key_value_store: new_key, key_value_pair, ds

CREATE EXTERNAL TABLE hbase_t(rowkey string, `cf:name` string COMMENT '列族: 名字', `order` int)
STORED BY 'org.apache.hadoop.hive.hbase.HBaseStorageHandler'
WITH SERDEPROPERTIES ("hbase.columns.mapping" = ":key,cf:name,cf:order") TBLPROPERTIES ("hbase.table.name" = "t");
=> hbase_t: rowkey VARCHAR, cf:name VARCHAR {列族: 名字}, order INTEGER

-- 用户表
create table if not exists dwd_user_di
(
    uid        bigint comment '用户ID',
    uname      string comment '用户名，昵称',
    gmv        decimal(18, 4) comment '成交额(元)'
    ,is_new    tinyint comment '是否新用户:1是;0否'
)
comment '用户日增量表'
partitioned by (dt string comment '日期,yyyyMMdd', hr string)
row format delimited fields terminated by ','
stored as orc
tblproperties ('orc.compress' = 'snappy');
=> dwd_user_di {用户日增量表}: uid BIGINT {用户ID}, uname VARCHAR {用户名，昵称}, gmv DECIMAL(18,4) {成交额(元)}, is_new TINYINT {是否新用户:1是;0否}, dt VARCHAR {日期,yyyyMMdd}, hr VARCHAR

ALTER TABLE nothing ADD COLUMNS (x int);
CREATE TABLE later (a int);
ALTER TABLE later ADD COLUMNS (b string COMMENT 'added', c double);
ALTER TABLE later ADD PARTITION (dt='2020-01-01') LOCATION '/x';
=> later: a INTEGER, b VARCHAR {added}, c DOUBLE
