"""SQL that takes what it can get: memory, time, stack or patience; each as a model might be talked into writing it.

`t` has 2,000 rows: n BIGINT (0 to 1,999), big BIGINT (n * 100 million), name VARCHAR, body VARCHAR (1,000 letters),
l INTEGER[] (10 elements), d DATE, ts TIMESTAMP.
"""

from __future__ import annotations

TABLE = """
CREATE TABLE t AS SELECT i AS n, i * 100000000 AS big, 'name ' || i AS name, repeat('ab', 500) AS body,
    range(10)::INTEGER[] AS l, DATE '2020-01-01' + i::INTEGER AS d, TIMESTAMP '2020-01-01' + INTERVAL 1 DAY * i AS ts
FROM range(2000) r(i)
"""

CONSTANTS = r"""
SELECT len(list_transform(range(1000000), lambda x: repeat('x', 1000000)))
SELECT len(list_transform(range(100000), lambda x: range(100000)))
SELECT len([repeat('x', 1000000) for x in range(1000000)])
SELECT len(flatten(list_transform(range(100000), lambda x: range(100000))))
SELECT list_reduce(range(60), lambda a, b: a || a, 'x')
SELECT list_reduce(list_transform(range(60), lambda i: 'x'), lambda a, b: a || a || b)
SELECT list_reduce(list_transform(range(40), lambda i: [i]), lambda a, b: list_concat(a, a))
SELECT len(repeat('x', 4000000000))
SELECT len(repeat(repeat('x', 60000), 60000))
SELECT len(repeat('x', '4000000000'::BIGINT))
SELECT len(repeat('x', 4e9::BIGINT))
SELECT len(repeat('x', 63245 * 63245))
SELECT len(repeat('x', (2 ** 31.9)::BIGINT))
SELECT len(lpad('x', 2000000000, 'y'))
SELECT len(rpad('x', 2000000000, 'y'))
SELECT len(printf('%2000000000d', 1))
SELECT len(format('{:>2000000000}', 'x'))
SELECT len(replace(repeat('a', 100000), 'a', repeat('b', 100000)))
SELECT len(regexp_replace(repeat('a', 100000), 'a', repeat('b', 100000), 'g'))
SELECT len(regexp_replace(repeat('a', 100000), '', repeat('b', 100000), 'g'))
SELECT len(range(1000000000))
SELECT len(generate_series(1, 1000000000))
SELECT len(generate_series(TIMESTAMP '0001-01-01', TIMESTAMP '9999-01-01', INTERVAL 1 SECOND))
SELECT unnest(generate_series(TIMESTAMP '0001-01-01', TIMESTAMP '9999-01-01', INTERVAL 1 SECOND))
SELECT len(list_resize([1], 1000000000))
SELECT len(list_resize(['x'], 1000000000, 'y'))
SELECT bit_length(bitstring('1', 2000000000))
SELECT len(bar(1, 0, 1, 2000000000))
SELECT len(to_base(1, 2, 2000000000))
SELECT levenshtein(repeat('a', 100000), repeat('b', 100000))
SELECT damerau_levenshtein(repeat('ab', 20000), repeat('ba', 20000))
SELECT editdist3(repeat('a', 200000), repeat('b', 200000))
SELECT len(list_sort(list_transform(range(100000000), lambda x: hash(x))))
SELECT len(list_distinct(range(300000000)))
SELECT list_aggregate(range(1000000000), 'sum')
SELECT len(array_to_string(range(300000000), ','))
SELECT len(string_split(repeat('a,', 300000000), ','))
SELECT len(regexp_extract_all(repeat('a', 300000000), 'a'))
SELECT len(to_json(range(300000000))::VARCHAR)
SELECT len(CAST(range(300000000) AS VARCHAR))
SELECT len(strftime(TIMESTAMP '2020-01-01', repeat('%A', 100000000)))
SELECT len(translate(repeat('a', 2000000000), 'a', 'b'))
SELECT len(md5(repeat('a', 4000000000)))
SELECT len(to_base64(repeat('a', 2000000000)::BLOB))
SELECT len(hex(repeat('a', 2000000000)))
SELECT len(url_encode(repeat(' ', 1500000000)))
SELECT len(list_zip(range(200000000), range(200000000)))
SELECT len(map_keys(map(range(100000000), range(100000000))))
SELECT len(list_filter(range(500000000), lambda x: x % 2 = 0))
SELECT len(list_transform(range(20000), lambda x: list_transform(range(20000), lambda y: x * y)))
SELECT sum(1) WHERE repeat('x', 4000000000) = 'y'
SELECT 1 ORDER BY repeat('x', 4000000000)
SELECT 1 LIMIT len(repeat('x', 4000000000))
SELECT CASE WHEN len(repeat('x', 4000000000)) > 1 THEN 1 END
SELECT {'a': repeat('x', 4000000000)}
SELECT name, repeat('x', 4000000000) FROM t
SELECT x FROM (VALUES (repeat('x', 4000000000))) v(x)
SELECT coalesce(NULL, repeat('x', 4000000000)) FROM t
""".strip().split("\n")
"""DuckDB computes them while it plans."""

WITHOUT_ROWS = r"""
SELECT count(*) FROM range(1000000000000)
SELECT count(*) FROM range(1000000) a, range(1000000) b
SELECT count(*) FROM range(100000) a, range(100000) b, range(100000) c
SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b
SELECT DISTINCT a.range * b.range FROM range(1000000) a, range(1000000) b
SELECT a.range, b.range FROM range(1000000) a, range(1000000) b ORDER BY 1 DESC, 2
SELECT list(a.range) FROM range(100000) a, range(100000) b
SELECT string_agg(a.range::VARCHAR, ',') FROM range(100000) a, range(100000) b
SELECT count(*) FROM (SELECT hash(range) AS h FROM range(10000000000)) GROUP BY h
SELECT row_number() OVER (ORDER BY hash(range)) FROM range(1000000000)
SELECT median(range) OVER (ORDER BY range ROWS BETWEEN 100000 PRECEDING AND CURRENT ROW) FROM range(10000000)
WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r
WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT * FROM r
WITH RECURSIVE r(n) AS (SELECT 1 UNION SELECT n + 1 FROM r) SELECT max(n) FROM r
WITH RECURSIVE r(x) AS (SELECT 'a' UNION ALL SELECT x || x FROM r) SELECT count(*) FROM r
WITH RECURSIVE r(x) AS (SELECT [1] UNION ALL SELECT x || x FROM r) SELECT count(*) FROM r
WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r, range(10)) SELECT count(*) FROM r
WITH RECURSIVE f(a, b) AS (SELECT 1::HUGEINT, 1::HUGEINT UNION ALL SELECT b, a FROM f) SELECT count(*) FROM f
SELECT len(repeat('x', (SELECT 4000000000)))
WITH a AS (SELECT 4000000000 AS k) SELECT len(repeat('x', k)) FROM a
WITH a AS MATERIALIZED (SELECT range AS k FROM range(100000)) SELECT sum(len(repeat('x', k * 100000))) FROM a
SELECT max(repeat('x', range)) FROM range(10000000)
SELECT list_transform(range(range), lambda x: x) FROM range(1000000)
SELECT unnest(range(range)) FROM range(1000000) ORDER BY 1 DESC
SELECT count(*) FROM range(100000) a WHERE EXISTS (SELECT 1 FROM range(100000) b WHERE b.range * 2 > a.range + 199998)
SELECT count(*) FROM range(100000000) WHERE regexp_matches(range::VARCHAR, '(1|2|12)*(1|2|12)*x')
SELECT count(*) FROM range(100000000) WHERE md5(range::VARCHAR) = 'x'
PIVOT (SELECT range AS a FROM range(100000)) ON a IN (SELECT range FROM range(100000)) USING count(*)
""".strip().split("\n")
"""They need no row of anybody's."""

BY_COLUMN = r"""
SELECT max(repeat(name, big)) FROM t
SELECT sum(len(repeat('x', big))) FROM t
SELECT max(lpad(name, big::INTEGER % 2000000000, 'x')) FROM t
SELECT max(rpad(name, big::INTEGER % 2000000000, 'x')) FROM t
SELECT sum(len(range(big))) FROM t
SELECT sum(len(generate_series(0, big))) FROM t
SELECT sum(len(generate_series(ts, ts + INTERVAL 5000 YEAR, INTERVAL 1 SECOND))) FROM t
SELECT sum(len(list_resize(l, big))) FROM t
SELECT max(printf('%' || big || 'd', n)) FROM t
SELECT max(format('{:>' || big || '}', name)) FROM t
SELECT max(len(replace(body, 'a', repeat(body, 100)))) FROM t
SELECT max(len(regexp_replace(body, '', repeat('y', 90000), 'g'))) FROM t
SELECT max(levenshtein(a.body || a.body || a.body, b.body || b.body || b.name)) FROM t a, t b
SELECT max(damerau_levenshtein(a.body, b.body || b.name)) FROM t a, t b
SELECT max(len(repeat(repeat(name, n), n))) FROM t
SELECT max(list_reduce(list_transform(l, lambda i: name), lambda a, b: a || a || a || a || b)) FROM t
SELECT sum(len(list_transform(range(n), lambda x: repeat('x', x * 10000)))) FROM t
SELECT sum(len(list_transform(range(n), lambda x: list_transform(range(n), lambda y: x * y)))) FROM t
SELECT repeat(body, 90) FROM t a, range(1000)
SELECT a.body || b.body FROM t a, t b
SELECT count(*) FROM t a, t b, t c, t d WHERE a.name || b.name || c.name <> d.name
SELECT count(DISTINCT a.name || b.name || c.name) FROM t a, t b, t c
SELECT string_agg(a.body, '') FROM t a, t b, t c
SELECT list(a.body || b.body) FROM t a, t b
SELECT max(a.n + b.n + c.n) OVER (ORDER BY a.name, b.body, c.n) FROM t a, t b, t c
SELECT a.body, b.body FROM t a, t b ORDER BY a.body || b.body || a.n DESC
""".strip().split("\n")
"""What a column holds says how much they take."""

OF_THE_PARSER = [
    "SELECT 1" + " UNION ALL SELECT 1" * 20_000,
    "SELECT " + " + ".join(["n"] * 900) + " FROM t" + " JOIN t USING (n)" * 200,
    "WITH a0 AS (SELECT 1 AS x), "
    + ", ".join(f"a{i} AS (SELECT a.x FROM a{i - 1} a, a{i - 1} b)" for i in range(1, 40))
    + " SELECT count(*) FROM a39",
    "SELECT " + "(SELECT " * 300 + "1" + ")" * 300,
    "SELECT * FROM t WHERE " + " OR ".join(f"name LIKE '%{i}%a%b%'" for i in range(3_000)),
    "SELECT * FROM t WHERE n IN (" + ", ".join(map(str, range(200_000))) + ")",
]
"""Planning them takes what they take, whatever they compute."""

BOMBS = [*CONSTANTS, *WITHOUT_ROWS, *BY_COLUMN, *OF_THE_PARSER]
