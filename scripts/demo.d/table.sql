-- SPDX-License-Identifier: MIT
-- The demo's database work: build 100,000 rows and an index, then query by both.
PRAGMA synchronous = OFF;
PRAGMA cache_size = -65536;
CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, price INTEGER);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
INSERT INTO item SELECT i, 'item ' || (i * 7919 % 100003), i * 31 % 1000 FROM n;
CREATE INDEX item_name ON item(name);
SELECT count(*), sum(price) FROM item WHERE name BETWEEN 'item 2' AND 'item 3';
SELECT price, count(*) FROM item GROUP BY price HAVING price % 250 = 0;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
SELECT sum(price) FROM n JOIN item ON item.name = 'item ' || (n.i * 31 % 100003);
