CREATE TABLE guests (guest_id INTEGER, name VARCHAR, country VARCHAR, email VARCHAR);
CREATE TABLE rooms (room_id INTEGER, room_number VARCHAR, room_type VARCHAR, price_per_night DOUBLE, floor INTEGER);
CREATE TABLE bookings (booking_id INTEGER, guest_id INTEGER, room_id INTEGER, check_in DATE, check_out DATE, nights INTEGER, cancelled BOOLEAN);
CREATE TABLE reviews (review_id INTEGER, booking_id INTEGER, rating INTEGER, comment VARCHAR, written_on DATE);
INSERT INTO guests SELECT i, ['Arthur','Bella','Carlos','Diana','Erik','Fatima','Georg','Helen','Ivan','Julia','Kenji','Lena','Marco','Nina','Oscar','Petra','Ravi','Sofia','Tom','Ursula'][i], ['Germany','France','Japan','Italy','Spain'][1+(i*3)%5], CASE WHEN i%6=0 THEN NULL ELSE 'g'||i||'@mail.com' END FROM (SELECT CAST(range AS INTEGER) AS i FROM range(1,21));
INSERT INTO rooms SELECT i, CAST(100*(1+(i-1)//4)+i AS VARCHAR), ['single','double','suite','double'][1+i%4], 60+(i*23)%150, 1+(i-1)//4 FROM (SELECT CAST(range AS INTEGER) AS i FROM range(1,13));
INSERT INTO bookings SELECT i, 1+(i*i+3*i)%18, 1+(i*5)%11, DATE '2025-01-02'+(i*5), DATE '2025-01-02'+(i*5)+1+(i%6), 1+(i%6), i%9=0 FROM (SELECT CAST(range AS INTEGER) AS i FROM range(1,56));
INSERT INTO reviews SELECT i, i*2-1, 1+(i*7)%5, ['great stay','noisy','clean room','will come back','too small'][1+i%5], DATE '2025-01-10'+i*9 FROM (SELECT CAST(range AS INTEGER) AS i FROM range(1,27));
