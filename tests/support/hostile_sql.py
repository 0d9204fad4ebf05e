"""SQL that would write, read a file, reach the network or the settings, call a model, or look around the system."""

from __future__ import annotations

_LINES = r"""
DROP TABLE singer
DELETE FROM singer
UPDATE singer SET age = 1
INSERT INTO singer VALUES (1)
INSERT OR REPLACE INTO singer SELECT 1
MERGE INTO singer USING t ON (a = b) WHEN MATCHED THEN DELETE
TRUNCATE singer
CREATE TABLE x AS SELECT 1
CREATE OR REPLACE VIEW v AS SELECT 1
CREATE MACRO f(a) AS a
CREATE SECRET s (TYPE s3)
ALTER TABLE singer ADD COLUMN b INT
COMMENT ON TABLE singer IS 'x'
COPY singer TO '/tmp/x.csv'
COPY (SELECT 1) TO '/tmp/x.csv'
EXPORT DATABASE '/tmp/x'
IMPORT DATABASE '/tmp/x'
ATTACH '/tmp/x.db'
DETACH x
INSTALL httpfs
LOAD httpfs
SET memory_limit = '1GB'
RESET memory_limit
PRAGMA database_list
CALL pragma_version()
VACUUM
CHECKPOINT
BEGIN
COMMIT
USE x
EXPLAIN SELECT 1
EXPLAIN ANALYZE SELECT 1
PREPARE p AS SELECT 1
EXECUTE p
SHOW TABLES
DESCRIBE
DESCRIBE SELECT getenv('x')
SUMMARIZE '/etc/passwd'
SUMMARIZE SELECT * FROM read_csv('x')
PIVOT singer ON getenv('x') USING count(*)
PIVOT singer ON country USING max(getenv('x'))
PIVOT (SELECT * FROM read_csv('x')) ON country USING count(*)
WITH a AS (FROM '/etc/passwd') PIVOT a ON country USING count(*)
FROM (SHOW ALL TABLES)
SELECT 1; SELECT 2
SELECT 1; DROP TABLE singer
SELECT 1; -- nothing \n DROP TABLE singer
SELECT 1 /* ; */ ; /* x */ DELETE FROM singer
SELECT 1 INTO x
SELECT * FROM singer FOR UPDATE
SELECT * FROM singer AT (VERSION => 1)
SELECT $1
SELECT ?
SELECT * FROM 'data.csv'
SELECT * FROM "data.parquet"
SELECT * FROM '/etc/passwd'
SELECT * FROM 'https://example.org/x.json'
SELECT * FROM 's3://bucket/*.parquet'
SELECT * FROM '*.db'
SELECT * FROM 'C:\secret.txt'
FROM '/etc/passwd'
WITH "/etc/passwd" AS (SELECT 1) SELECT * FROM "/etc/passwd"
SELECT * FROM main."x.csv"
SELECT * FROM read_csv('/etc/passwd')
SELECT * FROM "read_csv"('/etc/passwd')
SELECT * FROM READ_CSV_AUTO('/etc/passwd')
SELECT * FROM read_csv/**/('/etc/passwd')
SELECT * FROM system.main.read_text('/etc/passwd')
SELECT (SELECT content FROM read_text('/etc/passwd'))
WITH a AS (SELECT * FROM read_blob('/etc/passwd')) SELECT * FROM a
SELECT * FROM singer WHERE name IN (SELECT a FROM read_parquet('x'))
SELECT * FROM singer, LATERAL (SELECT * FROM read_json(singer.name))
SELECT 1 UNION ALL SELECT content FROM read_text('x')
SELECT 1 ORDER BY (SELECT count(*) FROM glob('/*'))
SELECT 1 LIMIT (SELECT count(*) FROM glob('/*'))
SELECT * FROM parquet_scan('x')
SELECT * FROM parquet_metadata('x')
SELECT * FROM sniff_csv('x')
SELECT * FROM glob('*')
SELECT * FROM query('SELECT 1')
SELECT * FROM query_table('singer')
SELECT * FROM histogram_values('singer', 'age')
SELECT * FROM json_execute_serialized_sql('{}')
SELECT json_serialize_plan('SELECT * FROM read_csv(''x'')')
SELECT * FROM duckdb_secrets()
SELECT * FROM duckdb_settings()
SELECT * FROM duckdb_tables()
SELECT * FROM duckdb_tables
SELECT * FROM which_secret('x', 's3')
SELECT * FROM pragma_table_info('singer')
SELECT * FROM pragma_database_list
SELECT * FROM information_schema.tables
SELECT * FROM pg_catalog.pg_class
SELECT * FROM pg_tables
SELECT * FROM sqlite_master
SELECT * FROM checkpoint()
SELECT * FROM enable_logging()
SELECT * FROM seq_scan('singer')
SELECT * FROM repeat_row(1, num_rows = 10000000)
SELECT * FROM test_all_types()
SELECT * FROM python_map_function()
SELECT getenv('HOME')
SELECT current_setting('memory_limit')
SELECT getvariable('x')
SELECT nextval('s')
SELECT currval('s')
SELECT setseed(0.5)
SELECT write_log('x')
SELECT sleep_ms(100000)
SELECT pg_sleep(100)
SELECT error('x')
SELECT current_query()
SELECT version()
SELECT llm_chat('qianwen_chat', 'hello')
SELECT llm_chat('hello')
SELECT qianwen_chat('hello')
SELECT text2sql('all singers')
SELECT * FROM ask('all singers')
SELECT * FROM llm_calls()
SELECT my_macro(1)
SELECT main.lower('x')
SELECT system.main.getenv('x')
SELECT count(*) FILTER (WHERE getenv('x') = 'y') FROM singer
SELECT sum(age) OVER (ORDER BY nextval('s')) FROM singer
SELECT list_transform([1], lambda x: nextval('s'))
SELECT CASE WHEN true THEN getenv('x') END
SELECT * FROM range(nextval('s'))
SELECT * EXCLUDE (a) REPLACE (getenv('x') AS b) FROM singer
SELECT * FROM singer TABLESAMPLE 10% JOIN read_csv('x') ON true
WITH x AS (INSERT INTO singer VALUES (1) RETURNING *) SELECT * FROM x
WITH x AS (DELETE FROM singer RETURNING *) SELECT * FROM x
WITH x AS (UPDATE singer SET a = 1 RETURNING *) SELECT * FROM x
"""
REFUSED = [line.replace(r"\n", "\n") for line in _LINES.strip().split("\n")]
