create table T cluster by (ID) (ID NUMBER(38,0))
=> T: ID DECIMAL(38,0) pk

create or replace TABLE DB.PUBLIC.CUSTOMER cluster by LINEAR(to_date(CREATED), REGION) (
	ID NUMBER(38,0) NOT NULL autoincrement start 1 increment 1 order,
	NAME VARCHAR(16777216) COLLATE 'en-ci' COMMENT 'it''s the name',
	CREATED TIMESTAMP_NTZ(9) DEFAULT CURRENT_TIMESTAMP(),
	REGION VARCHAR(50) WITH TAG (PII='none'),
	primary key (ID)
)COMMENT='customers, all'
;
=> DB.PUBLIC.CUSTOMER {customers, all}: ID DECIMAL(38,0) pk, NAME VARCHAR {it's the name}, CREATED TIMESTAMP, REGION VARCHAR

CREATE TRANSIENT TABLE mytable (id number, v variant, o object, a array, g geography, ts timestamp_tz) DATA_RETENTION_TIME_IN_DAYS = 0;
=> mytable: id DECIMAL(18,3) pk, v VARIANT, o JSON, a JSON, g GEOGRAPHY, ts TIMESTAMP WITH TIME ZONE

CREATE TABLE collation_demo (uncollated_phrase VARCHAR, utf8_phrase VARCHAR COLLATE 'utf8', english_phrase VARCHAR COLLATE 'en');
=> collation_demo: uncollated_phrase VARCHAR, utf8_phrase VARCHAR, english_phrase VARCHAR

CREATE TABLE mytable_2 (b) AS SELECT a FROM mytable;
=> mytable_2: b

CREATE TABLE parquet_col (custKey NUMBER DEFAULT NULL, orderDate DATE DEFAULT NULL, price NUMBER(12,2)) AS SELECT $1:o_custkey::number, $1:d::date, $1:p::number(12,2) FROM @my_stage;
=> parquet_col: custKey DECIMAL(18,3), orderDate DATE, price DECIMAL(12,2)

CREATE OR REPLACE TABLE t2 CLONE t1 COPY GRANTS;
CREATE TABLE t1 (x INT, y STRING);
=> t2: x INTEGER, y VARCHAR
=> t1: x INTEGER, y VARCHAR

CREATE TABLE a (x INT, y STRING);
CREATE TABLE b LIKE a CLUSTER BY (x);
CREATE TABLE c CLONE a;
=> a: x INTEGER, y VARCHAR
=> b: x INTEGER, y VARCHAR
=> c: x INTEGER, y VARCHAR

CREATE OR REPLACE TABLE empl (ssn STRING MASKING POLICY ssn_mask USING (ssn, role), role STRING WITH MASKING POLICY m, ts TIMESTAMP_LTZ PROJECTION POLICY p) WITH ROW ACCESS POLICY rap ON (role) TAG (cost='x');
=> empl: ssn VARCHAR, role VARCHAR, ts TIMESTAMP WITH TIME ZONE

CREATE EXTERNAL TABLE et1(date_part date AS TO_DATE(SPLIT_PART(metadata$filename, '/', 3), 'YYYY'), ts timestamp AS (value:time::timestamp), user_id varchar AS (value:userId::varchar)) PARTITION BY (date_part) LOCATION=@s1/logs/ AUTO_REFRESH = true FILE_FORMAT = (TYPE = PARQUET);
=> et1: date_part DATE, ts TIMESTAMP, user_id VARCHAR

CREATE HYBRID TABLE target (col1 INT PRIMARY KEY, col2 VARCHAR(16) NOT NULL, col3 NUMBER, INDEX index_col2 (col2) INCLUDE (col3), FOREIGN KEY (col3) REFERENCES other_table (id));
CREATE TABLE other_table (id INT PRIMARY KEY);
=> target: col1 INTEGER pk, col2 VARCHAR, col3 DECIMAL(18,3)
=> other_table: id INTEGER pk
=> target.col3 -> other_table.id

CREATE ICEBERG TABLE my_iceberg (amount int, v vector(float, 256), t time(9), s string) CATALOG='SNOWFLAKE' EXTERNAL_VOLUME='v' BASE_LOCATION='my_iceberg';
=> my_iceberg: amount INTEGER, v FLOAT[256], t TIME, s VARCHAR

CREATE DYNAMIC TABLE product TARGET_LAG = '20 minutes' WAREHOUSE = mywh AS SELECT product_id, product_name FROM staging_table;
=> product: product_id pk, product_name

CREATE TEMPORARY TABLE "My Table"."with""quote" ("a b" INT, "C" FLOAT, d DOUBLE PRECISION, e BYTEINT, f REAL, g BINARY(8), h CHAR, i TEXT(20)); // a remark, here
=> My Table."with""quote": a b INTEGER, C FLOAT, d DOUBLE, e TINYINT, f FLOAT, g BLOB, h VARCHAR, i VARCHAR

create or replace table demo_db.public.emp_basic
  using template (select array_agg(object_construct(*)) from table(infer_schema(location=>'@s/')));
create table x (a int);
=> demo_db.public.emp_basic: 
=> x: a INTEGER
=> ! line 2: in demo_db.public.emp_basic the column 'array_agg(object_construct(*))' has no name
=> ! line 1: no column of demo_db.public.emp_basic can be read

CREATE TABLE y COPY GRANTS (b INT COMMENT N'x');
CREATE TABLE z CLONE y COPY GRANTS;
=> y: b INTEGER {x}
=> z: b INTEGER {x}
