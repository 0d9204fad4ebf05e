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
# What other systems would obey, and other spellings of the same.
_OTHER_SYSTEMS = r"""
COPY singer FROM PROGRAM 'id'
COPY (SELECT 1) TO PROGRAM 'id'
DO $$ BEGIN PERFORM 1; END $$
SELECT pg_read_file('/etc/passwd')
SELECT pg_read_binary_file('/etc/passwd')
SELECT pg_ls_dir('/')
SELECT lo_import('/etc/passwd')
SELECT * FROM dblink('host=x', 'SELECT 1') AS t(a INT)
SELECT pg_terminate_backend(1)
SELECT pg_reload_conf()
SELECT set_config('search_path', 'x', false)
SELECT query_to_xml('DELETE FROM singer', true, false, '')
SELECT * FROM pg_catalog.pg_authid
SELECT current_user
SELECT session_user
SELECT CURRENT_ROLE FROM singer
SELECT current_schema
SELECT name FROM singer WHERE name = current_catalog
SELECT inet_server_addr()
SELECT pg_advisory_lock(1)
SELECT txid_current()
LISTEN x
NOTIFY x
LOCK TABLE singer
GRANT ALL ON singer TO public
REVOKE ALL ON singer FROM public
CREATE EXTENSION dblink
CREATE USER x
REINDEX TABLE singer
SELECT load_extension('x')
SELECT writefile('/tmp/x', 'y')
SELECT readfile('/etc/passwd')
SELECT edit('x')
SELECT randomblob(1000000000)
SELECT zeroblob(1000000000)
SELECT sqlite_version()
SELECT * FROM sqlite_schema
SELECT * FROM sqlite_temp_master
SELECT * FROM pragma_table_list
PRAGMA writable_schema = 1
PRAGMA journal_mode = delete
ATTACH DATABASE '/tmp/x.db' AS x
SELECT load_file('/etc/passwd')
SELECT 1 INTO OUTFILE '/tmp/x'
SELECT name FROM singer INTO DUMPFILE '/tmp/x'
LOAD DATA INFILE '/etc/passwd' INTO TABLE singer
SELECT sleep(100)
SELECT benchmark(1000000000, md5('x'))
SELECT get_lock('x', 100)
SELECT @@datadir
SELECT @@version
HANDLER singer OPEN
RENAME TABLE singer TO x
KILL 1
SHUTDOWN
FLUSH TABLES
SET GLOBAL general_log = 1
EXEC xp_cmdshell 'id'
REPLACE INTO singer VALUES (1)
DELETE singer FROM singer JOIN t ON true
UPSERT INTO singer VALUES (1)
dRoP tAbLe singer
/**/DROP/**/TABLE/**/singer
-- harmless\nDROP TABLE singer
SELECT 1;/* */DROP TABLE singer;
SELECT 1;;DROP TABLE singer
;DROP TABLE singer
SELECT ';'; DELETE FROM singer
SELECT $$;$$; DELETE FROM singer
SELECT 1 -- ;\n; DELETE FROM singer
(SELECT 1); DROP TABLE singer
FROM singer; DROP TABLE singer
SELECT e'\\'; DROP TABLE singer; --'
SELECT * FROM '/etc/./passwd'
SELECT * FROM "/etc/passwd" AS p
SELECT * FROM '~/.ssh/id_rsa'
SELECT * FROM '../../etc/passwd'
SELECT * FROM 'file:///etc/passwd'
SELECT * FROM 'http://169.254.169.254/latest/meta-data'
SELECT * FROM 'gs://bucket/x.parquet'
SELECT * FROM 'hf://datasets/x/y.csv'
SELECT * FROM ['a.csv', 'b.csv']
SELECT * FROM 'x.csv.gz'
SELECT * FROM 'x.json' AS singer
SELECT * FROM 'x.xlsx'
SELECT * FROM 'shop.duckdb'
SELECT * FROM read_csv(['/etc/passwd', '/etc/group'])
SELECT * FROM read_csv(name) FROM singer
SELECT * FROM read_json_auto('x')
SELECT * FROM read_json_objects('x')
SELECT * FROM read_ndjson('x')
SELECT * FROM read_ndjson_objects('x')
SELECT * FROM parquet_schema('x')
SELECT * FROM parquet_kv_metadata('x')
SELECT * FROM parquet_file_metadata('x')
SELECT * FROM parquet_bloom_probe('x', 'a', 1)
SELECT * FROM arrow_scan(1, 2, 3)
SELECT * FROM pandas_scan(1)
SELECT * FROM sqlite_scan('x.db', 't')
SELECT * FROM sqlite_attach('x.db')
SELECT * FROM postgres_scan('host=x', 'public', 't')
SELECT * FROM postgres_query('db', 'DELETE FROM t')
SELECT * FROM postgres_execute('db', 'DELETE FROM t')
SELECT * FROM mysql_query('db', 'DELETE FROM t')
SELECT * FROM iceberg_scan('x')
SELECT * FROM delta_scan('x')
SELECT * FROM st_read('x')
SELECT * FROM duckdb_functions()
SELECT * FROM duckdb_extensions()
SELECT * FROM duckdb_databases()
SELECT * FROM duckdb_memory()
SELECT * FROM duckdb_temporary_files()
SELECT * FROM duckdb_logs
SELECT * FROM duckdb_log_contexts()
SELECT * FROM pragma_storage_info('singer')
SELECT * FROM pragma_show('singer')
SELECT * FROM pragma_version()
SELECT * FROM force_checkpoint()
SELECT * FROM storage_info('singer')
SELECT * FROM disable_logging()
SELECT * FROM truncate_duckdb_logs()
SELECT * FROM summary((SELECT 1))
SELECT * FROM index_scan('singer')
SELECT * FROM unnest(getenv('x'))
SELECT json_serialize_sql('SELECT 1')
SELECT json_deserialize_sql('{}')
SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))
SELECT txid_current_snapshot()
SELECT in_search_path('x', 'y')
SELECT has_table_privilege('singer', 'x')
SELECT current_database()
SELECT current_schemas(true)
SELECT current_connection_id()
SELECT assert_true(false)
SELECT ai_filter('x', 'y')
SELECT llm_result(llm_chat('x'))
SELECT * FROM llm_models()
SELECT * FROM llm_usage()
SELECT * FROM guarded_query('DROP TABLE singer')
SELECT * FROM text2sql('x')
SELECT quackllm_chat(NULL, 'x', 1)
SET VARIABLE x = 1
SET SESSION threads = 1
SET GLOBAL threads = 1
SET search_path = 'x'
SET enable_external_access = true
SET lock_configuration = false
RESET GLOBAL threads
PRAGMA enable_profiling
PRAGMA threads = 64
CREATE SCHEMA x
CREATE SEQUENCE s
CREATE TYPE t AS ENUM ('a')
CREATE INDEX i ON singer (id)
CREATE TEMP TABLE x AS SELECT 1
CREATE TEMP MACRO f() AS TABLE SELECT 1
CREATE TRIGGER t AFTER INSERT ON singer EXECUTE PROCEDURE f()
CREATE OR REPLACE TABLE singer AS SELECT 1
CREATE PERSISTENT SECRET s (TYPE s3)
DROP SCHEMA main CASCADE
DROP VIEW v
DROP MACRO f
DROP SECRET s
ALTER TABLE singer RENAME TO x
ALTER TABLE singer ALTER id TYPE VARCHAR
ALTER VIEW v RENAME TO x
FORCE CHECKPOINT
FORCE INSTALL httpfs
UPDATE EXTENSIONS
ROLLBACK
ABORT
START TRANSACTION
DEALLOCATE p
COPY FROM DATABASE x TO y
COPY singer FROM '/etc/passwd'
INSERT INTO singer BY NAME SELECT 1 AS id
INSERT INTO singer DEFAULT VALUES
INSERT INTO singer SELECT * FROM singer RETURNING id
DELETE FROM singer USING concert WHERE true RETURNING *
UPDATE singer SET age = 1 FROM concert RETURNING age
WITH x AS (MERGE INTO singer USING concert ON true WHEN MATCHED THEN DELETE RETURNING *) FROM x
"""
# Where a reading of a file, of the environment or of a setting may stand.
_READS = ("(SELECT content FROM read_text('/etc/passwd'))", "getenv('HOME')", "current_setting('threads')")
_POSITIONS = """
SELECT * FROM singer WHERE name = {}
SELECT count(*) FROM singer GROUP BY {}
SELECT count(*) FROM singer HAVING max(name) = {}
SELECT name FROM singer QUALIFY row_number() OVER (ORDER BY {}) = 1
SELECT name FROM singer ORDER BY {}
SELECT name FROM singer LIMIT length({})
SELECT name FROM singer OFFSET length({})
SELECT max(name) FILTER (name = {}) FROM singer
SELECT max(name ORDER BY {}) FROM singer
SELECT lag(name, 1, {}) OVER (ORDER BY id) FROM singer
SELECT sum(id) OVER (PARTITION BY {}) FROM singer
SELECT CASE name WHEN {} THEN 1 ELSE 2 END FROM singer
SELECT coalesce(name, {}) FROM singer
SELECT {'a': {}}.a
SELECT [{}][1]
SELECT MAP {'k': {}}
SELECT list_transform(['a'], lambda x: x || {})
SELECT [x || {} FOR x IN ['a']]
SELECT name IN ({}) FROM singer
SELECT name LIKE {} FROM singer
SELECT {}::VARCHAR
SELECT TRY({})
SELECT a.* FROM singer a JOIN singer b ON a.name = {}
SELECT * FROM singer, LATERAL (SELECT {} AS secret)
SELECT 1 UNION ALL SELECT length({})
SELECT * FROM (VALUES ({})) t(a)
WITH a AS (SELECT {} AS b) FROM a
WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE {} = 'x') FROM r
SELECT * REPLACE ({} AS name) FROM singer
SELECT DISTINCT ON ({}) name FROM singer
SELECT * FROM singer WHERE EXISTS (SELECT {})
SELECT * FROM singer WHERE id = ANY (SELECT length({}))
SELECT * FROM range(length({}))
SELECT 'x' || {} AS "' harmless"
"""
REFUSED = [
    *(line.replace(r"\n", "\n") for text in (_LINES, _OTHER_SYSTEMS) for line in text.strip().split("\n")),
    *(line.replace("{}", read) for line in _POSITIONS.strip().split("\n") for read in _READS),
]
REFUSED_BY_SCHEMA = [
    *("SELECT user", "SELECT name FROM singer WHERE name = system_user"),
    *("SELECT * FROM pg_shadow", "SELECT * FROM pg_stat_activity", "SELECT * FROM dbstat", "SELECT * FROM mysql.user"),
    *("SELECT * FROM performance_schema.threads", "SELECT * FROM elsewhere.singer"),
]
"""Words and tables of the system that a guard without the database's schema cannot tell from the user's."""
