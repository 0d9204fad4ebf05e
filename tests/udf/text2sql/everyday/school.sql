CREATE TABLE teachers (teacher_id INTEGER PRIMARY KEY, name VARCHAR, subject VARCHAR, hire_date DATE);
CREATE TABLE classes (class_id INTEGER PRIMARY KEY, class_name VARCHAR, grade INTEGER, teacher_id INTEGER REFERENCES teachers (teacher_id));
CREATE TABLE students (student_id INTEGER PRIMARY KEY, name VARCHAR, gender VARCHAR, birthday DATE, class_id INTEGER REFERENCES classes (class_id));
CREATE TABLE exams (exam_id INTEGER PRIMARY KEY, student_id INTEGER REFERENCES students (student_id), subject VARCHAR, score INTEGER, exam_date DATE);
INSERT INTO teachers SELECT i, ['Mr. Adams','Ms. Baker','Mr. Clark','Ms. Davis','Mr. Evans','Ms. Flores'][i], ['Math','English','Physics','History','Math','Biology'][i], DATE '2012-08-15' + (i*i*211)%4400 FROM (SELECT CAST(range AS INTEGER) AS i FROM range(1,7));
INSERT INTO classes SELECT i, ['1A','1B','2A','2B','3A'][i], 1+(i-1)//2, i FROM (SELECT CAST(range AS INTEGER) AS i FROM range(1,6));
INSERT INTO students SELECT i, ['Amy','Brian','Chloe','Derek','Erin','Fred','Gwen','Henry','Isla','Jake','Kara','Louis','Maya','Nate','Opal','Perry','Ruth','Seth','Tara','Vera','Will','Zoe','Abel','Beth'][i], ['Female','Male'][1+i%2], DATE '2010-02-01' + (i*i*67)%1500, 1+(i*3)%5 FROM (SELECT CAST(range AS INTEGER) AS i FROM range(1,25));
INSERT INTO exams SELECT i, 1+(i*i*3+i)%22, ['Math','English','Physics','History'][1+(i*3)%4], 45+(i*17)%56, DATE '2025-03-01' + (i*3)%120 FROM (SELECT CAST(range AS INTEGER) AS i FROM range(1,61));
