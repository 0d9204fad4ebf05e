/*!40101 SET @saved_cs_client = @@character_set_client */;
/*!50503 SET character_set_client = utf8mb4 */;
DROP TABLE IF EXISTS `actor`;
CREATE TABLE `actor` (
  `actor_id` smallint unsigned NOT NULL AUTO_INCREMENT,
  `first_name` varchar(45) CHARACTER SET utf8mb3 COLLATE utf8mb3_bin NOT NULL COMMENT '名，first; (given)',
  `last_update` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  PRIMARY KEY (`actor_id`),
  KEY `idx_actor_last_name` (`first_name`(10))
) ENGINE=InnoDB AUTO_INCREMENT=201 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci COMMENT='the actors';
/*!40101 SET character_set_client = @saved_cs_client */;
LOCK TABLES `actor` WRITE;
INSERT INTO `actor` VALUES (1,'it''s; CREATE','2006-02-15 04:34:33');
UNLOCK TABLES;
=> actor {the actors}: actor_id USMALLINT pk, first_name VARCHAR {名，first; (given)}, last_update TIMESTAMP

CREATE TABLE a (x INT, # hash
 z INT)
=> a: x INTEGER {hash}, z INTEGER

CREATE TABLE a (x INT, #hash, with a comma
 y INT, -- dashes, too
 z INT /* block, too */
);
=> a: x INTEGER {hash, with a comma}, y INTEGER {dashes, too}, z INTEGER {block, too}

CREATE TABLE t1 (year_col INT, some_data INT) PARTITION BY RANGE (year_col) (PARTITION p0 VALUES LESS THAN (1991) COMMENT = 'Data for the years previous to 1991', PARTITION p1 VALUES LESS THAN MAXVALUE);
=> t1: year_col INTEGER, some_data INTEGER

CREATE TABLE shop (article INT UNSIGNED ZEROFILL DEFAULT '0000' NOT NULL, dealer CHAR(20) DEFAULT '' NOT NULL, price DECIMAL(16,2) DEFAULT '0.00' NOT NULL, PRIMARY KEY(article, dealer));
=> shop: article UINTEGER pk, dealer VARCHAR pk, price DECIMAL(16,2)

CREATE TABLE types (a tinyint(1), b mediumint, c bigint(20) unsigned, d float(7,3), e double, f bit(1), g bit(8), h year(4), i datetime(6), j enum('x','y,z','it''s') DEFAULT 'x', k set('a','b'), l longtext, m mediumblob, n json, o point NOT NULL SRID 4326, p varbinary(20), q time, r bool, s national varchar(5), t char(3) binary, u geometry);
=> types: a TINYINT, b INTEGER, c UBIGINT, d FLOAT, e DOUBLE, f BOOLEAN, g BIT, h SMALLINT, i TIMESTAMP, j ENUM('x', 'y,z', 'it''s'), k VARCHAR, l VARCHAR, m BLOB, n JSON, o POINT, p BLOB, q TIME, r BOOLEAN, s VARCHAR, t VARCHAR, u GEOMETRY

CREATE TABLE g (a VARCHAR(10), b VARCHAR(10), full_name VARCHAR(255) GENERATED ALWAYS AS (CONCAT(a, ' ', b)) VIRTUAL NOT NULL, c INT AS (length(a)) STORED, UNIQUE KEY uk (full_name), FULLTEXT KEY ft (a) WITH PARSER ngram, SPATIAL INDEX sp (pt), pt POINT NOT NULL, INDEX fi ((lower(b))), CHECK (c > 0) NOT ENFORCED);
=> g: a VARCHAR, b VARCHAR, full_name VARCHAR, c INTEGER, pt POINT

CREATE TABLE child (id INT, parent_id INT, INDEX par_ind (parent_id), CONSTRAINT `fk_1` FOREIGN KEY idx_name (parent_id) REFERENCES parent(id) ON DELETE CASCADE ON UPDATE RESTRICT) ENGINE=INNODB;
CREATE TABLE parent (id INT NOT NULL KEY);
=> child: id INTEGER, parent_id INTEGER
=> parent: id INTEGER pk
=> child.parent_id -> parent.id

CREATE TABLE new_tbl LIKE orig_tbl;
CREATE TABLE orig_tbl (a INT, b TEXT);
=> new_tbl: a INTEGER, b VARCHAR
=> orig_tbl: a INTEGER, b VARCHAR

CREATE TABLE orig (a INT, b TEXT);
CREATE TABLE copy1 LIKE orig;
CREATE TABLE copy2 (LIKE orig);
=> orig: a INTEGER, b VARCHAR
=> copy1: a INTEGER, b VARCHAR
=> copy2: a INTEGER, b VARCHAR

CREATE TABLE artists_and_works SELECT artist.name, COUNT(work.artist_id) AS number_of_works FROM artist LEFT JOIN work ON artist.id = work.artist_id;
=> artists_and_works: name, number_of_works

CREATE TABLE bar (m INT, k VARCHAR(5)) SELECT n FROM foo;
=> bar: m INTEGER, k VARCHAR, n

CREATE TABLE `user` (
  `id` int(11) NOT NULL AUTO_INCREMENT COMMENT '主键',
  `sex` char(1) DEFAULT '0' COMMENT '性别：0男，1女',
  `desc` varchar(255) DEFAULT NULL COMMENT 'say \'hi\', (ok)',
  `order` int COMMENT"顺序",
  PRIMARY KEY (`id`) USING BTREE COMMENT 'pk', UNIQUE INDEX `u`(`sex` ASC) USING BTREE
) ENGINE = InnoDB CHARACTER SET = utf8mb4 COMMENT = '用户表' ROW_FORMAT = Dynamic;
=> user {用户表}: id INTEGER pk {主键}, sex VARCHAR {性别：0男，1女}, desc VARCHAR {say 'hi', (ok)}, order INTEGER {顺序}

CREATE TABLE kw (`key` INT, value TEXT, `index` INT, `check` INT, status INT, type INT, date DATE, comment TEXT COMMENT 'c', text TEXT, name VARCHAR(3));
=> kw: key INTEGER, value VARCHAR, index INTEGER, check INTEGER, status INTEGER, type INTEGER, date DATE, comment VARCHAR {c}, text VARCHAR, name VARCHAR

CREATE TABLE inv (id INT PRIMARY KEY /*!80023 INVISIBLE */, c INT /*!50606 STORAGE DISK */, d INT COLUMN_FORMAT FIXED) /*!50100 TABLESPACE `ts` PARTITION BY HASH (id) PARTITIONS 4 */;
=> inv: id INTEGER pk, c INTEGER, d INTEGER

CREATE TABLE IF NOT EXISTS `db`.`t-1` (id BIGINT AUTO_INCREMENT, `a``b` INT, UNIQUE (id), KEY (id) COMMENT 'c', PRIMARY KEY pk_name (id DESC)) DATA DIRECTORY='/x' MAX_ROWS=10, COMMENT 'with comma';
=> db.t-1 {with comma}: id BIGINT pk, a`b INTEGER

CREATE TEMPORARY TABLE tt (id INT SERIAL DEFAULT VALUE, v VARCHAR(10) charset latin1 collate latin1_bin default _utf8mb4'abc' null, w INT SIGNED);
=> tt: id INTEGER pk, v VARCHAR, w INTEGER

CREATE TABLE pma (
  id int(11) NOT NULL,
  name varchar(20) NOT NULL
);
ALTER TABLE `pma` ADD PRIMARY KEY (`id`), ADD KEY `n` (`name`), ADD COLUMN `age` INT AFTER `id`, ADD `x` INT FIRST;
ALTER TABLE `pma` MODIFY `id` int(11) NOT NULL AUTO_INCREMENT, AUTO_INCREMENT=5;
=> pma: id INTEGER pk, name VARCHAR, age INTEGER, x INTEGER
