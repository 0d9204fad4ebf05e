-- A mail-order firm, made up for measuring: rules of the house that no name tells are in notes.md.
CREATE TABLE cust (cust_id INTEGER PRIMARY KEY, nm VARCHAR, ctry VARCHAR, seg VARCHAR, since DATE, st VARCHAR);
CREATE TABLE prod (prod_id INTEGER PRIMARY KEY, nm VARCHAR, cat VARCHAR, list_amt INTEGER, cost_amt INTEGER, disc_on DATE);
CREATE TABLE ord (ord_id INTEGER PRIMARY KEY, cust_id INTEGER REFERENCES cust (cust_id), dt DATE, st VARCHAR, ch VARCHAR);
CREATE TABLE ord_ln (ord_id INTEGER REFERENCES ord (ord_id), ln INTEGER, prod_id INTEGER REFERENCES prod (prod_id),
    qty INTEGER, amt INTEGER, PRIMARY KEY (ord_id, ln));
CREATE TABLE ret (ret_id INTEGER PRIMARY KEY, ord_id INTEGER REFERENCES ord (ord_id), prod_id INTEGER REFERENCES prod (prod_id),
    dt DATE, qty INTEGER, rsn VARCHAR);
CREATE TABLE emp (emp_id INTEGER PRIMARY KEY, nm VARCHAR, dept VARCHAR, mgr_id INTEGER, sal INTEGER, hired DATE);
INSERT INTO cust SELECT i, 'Customer ' || i, ['DE', 'FR', 'US', 'CN', 'GB'][1 + i * 7 % 5], ['P', 'B', 'G'][1 + i * 5 % 3],
    DATE '2022-01-01' + (i * 37 % 1500)::INTEGER, CASE WHEN i % 11 = 0 THEN 'X' ELSE 'A' END FROM range(1, 241) r(i);
INSERT INTO prod SELECT i, ['Lamp', 'Chair', 'Desk', 'Kettle', 'Toaster', 'Rug'][1 + i % 6] || ' ' || i,
    ['LGT', 'FRN', 'FRN', 'KIT', 'KIT', 'TXT'][1 + i % 6], 1000 + i * 731 % 9000, 400 + i * 311 % 3000,
    CASE WHEN i % 9 = 0 THEN DATE '2025-06-01' END FROM range(1, 61) r(i);
INSERT INTO ord SELECT i, 1 + i * 17 % 240, DATE '2024-01-05' + (i * 13 % 690)::INTEGER,
    ['N', 'S', 'S', 'S', 'C', 'S', 'T'][1 + i * 3 % 7], ['W', 'P', 'W', 'S'][1 + i % 4] FROM range(1, 1501) r(i);
INSERT INTO ord_ln SELECT o, l, 1 + (o * 7 + l * 11) % 60, 1 + (o + l) % 4, (1 + (o + l) % 4) * (900 + (o * 7 + l * 11) % 60 * 97)
    FROM range(1, 1501) a(o), range(1, 4) b(l) WHERE (o + l) % 5 <> 0;
INSERT INTO ret SELECT i, 1 + i * 9 % 1500, 1 + i * 23 % 60, DATE '2024-02-01' + (i * 29 % 660)::INTEGER, 1 + i % 2,
    ['D', 'W', 'L', 'O'][1 + i % 4] FROM range(1, 181) r(i);
INSERT INTO emp SELECT i, 'Person ' || i, ['SAL', 'OPS', 'FIN', 'IT'][1 + i % 4], CASE WHEN i > 4 THEN 1 + i % 4 END,
    300000 + i * 7919 % 400000, DATE '2018-03-01' + (i * 97 % 2700)::INTEGER FROM range(1, 49) r(i);
