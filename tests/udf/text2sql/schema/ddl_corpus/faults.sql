CREATE TABLE a (x INT
  y TEXT,
  z DATE);
=> a: x INTEGER, y VARCHAR, z DATE
=> ! line 2: in a a comma is missing before y

CREATE TABLE a (x INT y TEXT, z DATE);
=> a: x INTEGER, y VARCHAR, z DATE
=> ! line 1: in a a comma is missing before y

CREATE TABLE a (x INT, y TEXT, ;
CREATE TABLE b (z DATE);
=> a: x INTEGER, y VARCHAR
=> b: z DATE
=> ! line 1: the brackets of a are not closed

CREATE TABLE a (x INT, y TEXT,);
=> a: x INTEGER, y VARCHAR

CREATE TABLE a (x INT), y TEXT);
=> a: x INTEGER
=> ! line 1: a bracket closes in a that nothing opened

CREATE TABLE a (x INT, name VARCHAR(20) 姓名, z INT);
=> a: x INTEGER, name VARCHAR, z INTEGER
=> ! line 1: in a '姓名' was not understood

CREATE TABLE a (x INT COMMENT 'open, y TEXT); CREATE TABLE b (z DATE);
=> a: x INTEGER {open, y TEXT); CREATE TABLE b (z DATE);}
=> ! line 1: the brackets of a are not closed
=> ! line 1: a quote opens here that is never closed

Here's my schema, it is the shop's:
CREATE TABLE shop (id INT, name TEXT)
and the users' one CREATE TABLE users (id INT, shop_id INT)
=> shop: id INTEGER pk, name VARCHAR
=> users: id INTEGER pk, shop_id INTEGER
=> users.shop_id -> shop.id

CREATE TABLE {{ schema }}.t (a INT);
CREATE TABLE ${db}.u (b INT);
=> {{ schema }}.t: a INTEGER
=> ${db}.u: b INTEGER

CREATE TABLE t (name: STRING, age: INT);
=> t: name VARCHAR, age INTEGER

create table t (id int primary key, amount decimal(10,2) not null default 0.00 check (amount >= 0), created_at timestamp default now());
CREATE VIEW v AS SELECT id, amount * 2 AS twice FROM t;
=> t: id INTEGER pk, amount DECIMAL(10,2), created_at TIMESTAMP
=> v: id INTEGER pk, twice DECIMAL(18,2)

CREATE TABLE t (a INT, ...);
=> t: a INTEGER
=> ! line 1: in t '...' was not understood

CREATE TABLE bad FROM nothing;
CREATE TABLE ok (a INT);
=> bad: 
=> ok: a INTEGER
=> ! line 1: no column of bad can be read
