CREATE TABLE 'tbl' (a TEXT)
=> tbl: a VARCHAR

CREATE TABLE t(a, b, c);
=> t: a, b, c

CREATE TABLE t(x INTEGER PRIMARY KEY ASC AUTOINCREMENT, y UNIQUE ON CONFLICT REPLACE, z DEFAULT (datetime('now')), w TEXT COLLATE NOCASE);
=> t: x INTEGER pk, y, z, w VARCHAR

CREATE TABLE "singer" (
"Singer_ID" int,
"Name" text,
'Net Worth' real,
[Birth Year] NUMERIC,
`city` UNSIGNED BIG INT,
PRIMARY KEY ("Singer_ID"),
FOREIGN KEY ("city") REFERENCES `cities`(`id`)
);
CREATE TABLE cities (id INTEGER PRIMARY KEY);
=> singer: Singer_ID INTEGER pk, Name VARCHAR, Net Worth FLOAT, Birth Year DECIMAL(18,3), city UBIGINT
=> cities: id INTEGER pk
=> singer.city -> cities.id

CREATE TABLE IF NOT EXISTS wordcount(word TEXT PRIMARY KEY, cnt INTEGER) WITHOUT ROWID;
=> wordcount: word VARCHAR pk, cnt INTEGER

CREATE TABLE t1(a INTEGER PRIMARY KEY, b INT, c TEXT, d INT GENERATED ALWAYS AS (a*abs(b)) VIRTUAL, e TEXT AS (substr(c,b,b+1)) STORED) STRICT;
=> t1: a INTEGER pk, b INTEGER, c VARCHAR, d INTEGER, e VARCHAR

CREATE VIRTUAL TABLE email USING fts5(sender, title, body UNINDEXED, tokenize = 'porter ascii');
=> email: sender, title, body

CREATE TEMP TABLE main.x(a VARCHAR(255), b NATIVE CHARACTER(70), c VARYING CHARACTER(255), d DOUBLE, e BOOLEAN, f BLOB, g CLOB, h INT2, i ANY);
=> main.x: a VARCHAR, b VARCHAR, c VARCHAR, d DOUBLE, e BOOLEAN, f BLOB, g VARCHAR, h SMALLINT, i ANY

CREATE TABLE track(trackid INTEGER, trackartist INTEGER REFERENCES artist(artistid) ON DELETE SET DEFAULT DEFERRABLE INITIALLY DEFERRED, CHECK (trackid > 0), CONSTRAINT u UNIQUE (trackid, trackartist));
CREATE TABLE artist(artistid INTEGER PRIMARY KEY, artistname TEXT);
=> track: trackid INTEGER, trackartist INTEGER
=> artist: artistid INTEGER pk, artistname VARCHAR
=> track.trackartist -> artist.artistid

CREATE TABLE "PlayerStats"("Player" text, "GP-GS" text, "3FGM-FGA" text, "FG%" text, "年份" int, "it's" int);
=> PlayerStats: Player VARCHAR, GP-GS VARCHAR, 3FGM-FGA VARCHAR, FG% VARCHAR, 年份 INTEGER, it's INTEGER

CREATE TABLE x AS SELECT name, max(age) FROM singer;
CREATE TABLE y (a);
=> x: name
=> y: a
=> ! line 1: in x the column 'max(age)' has no name

PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE city (
    "ID" integer NOT NULL PRIMARY KEY AUTOINCREMENT, -- the id, unique
    `Name` char(35) NOT NULL DEFAULT '',
    District char(20) NOT NULL DEFAULT '' -- where it is
);
INSERT INTO city VALUES(1,'Kabul','a,b);(');
CREATE INDEX "i" ON "city" ("Name");
COMMIT;
=> city: ID INTEGER pk {the id, unique}, Name VARCHAR, District VARCHAR {where it is}
