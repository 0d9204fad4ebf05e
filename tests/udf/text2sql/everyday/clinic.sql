CREATE TABLE patient (patient_id INTEGER, full_name VARCHAR, birth_date DATE, gender VARCHAR, city VARCHAR);
CREATE TABLE doctor (doctor_id INTEGER, full_name VARCHAR, specialty VARCHAR, room INTEGER);
CREATE TABLE appointment (appointment_id INTEGER, patient_id INTEGER, doctor_id INTEGER, visit_date DATE, reason VARCHAR, no_show BOOLEAN);
CREATE TABLE bill (bill_id INTEGER, appointment_id INTEGER, amount DOUBLE, paid BOOLEAN, paid_on DATE);
INSERT INTO patient SELECT i, ['Alice Gray','Bob Stone','Cathy Wood','Dan Field','Ella Brook','Frank Hill','Gina Lake','Harry Moss','Ivy Reed','Jim Snow','Kate Frost','Liam Park','Mona Dale','Nick Ford','Oona Marsh','Pete Cole','Rita Vale','Stan Holt','Tess Page','Uma Knight','Vic Lane','Wendy Shaw','Xena Grant','Yuri Bell'][i], DATE '1950-03-05' + (i*i*97)%22000, ['F','M','F','M'][1+i%4], ['Springfield','Riverton','Lakeside'][1+i%3] FROM (SELECT CAST(range AS INTEGER) AS i FROM range(1,25));
INSERT INTO doctor SELECT i, ['Dr. Chen','Dr. Patel','Dr. Novak','Dr. Silva','Dr. Kim','Dr. Weber'][i], ['Cardiology','Pediatrics','Dermatology','Cardiology','Neurology','Pediatrics'][i], 100+i*3 FROM (SELECT CAST(range AS INTEGER) AS i FROM range(1,7));
INSERT INTO appointment SELECT i, 1+(i*i*5+2*i)%22, 1+(i*i+i)%5, DATE '2025-02-01'+ (i*6)%200, ['checkup','fever','rash','headache','follow-up'][1+(i*3)%5], i%7=0 FROM (SELECT CAST(range AS INTEGER) AS i FROM range(1,56));
INSERT INTO bill SELECT i, i, 40+(i*53)%260, i%4<>0, CASE WHEN i%4<>0 THEN DATE '2025-02-10'+ (i*6)%200 END FROM (SELECT CAST(range AS INTEGER) AS i FROM range(1,51));
UPDATE appointment SET doctor_id = 3 WHERE appointment_id IN (2,5,8);
