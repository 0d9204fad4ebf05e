"""What goes back to the model with DuckDB's words: where the column is, and how its table joins."""

from __future__ import annotations

from quackllm.udf.text2sql.repair.known_facts import known_facts
from quackllm.workers.database_schema import Column, ForeignKey, Schema, Table

SCHEMA = Schema(
    "school",
    (
        Table("teacher", (Column("teacher_id"), Column("name"))),
        Table("course_arrange", (Column("course_id"), Column("teacher_id"))),
        Table("course", (Column("course_id"), Column("title"))),
    ),
    (ForeignKey("course_arrange", "teacher_id", "teacher", "teacher_id"),),
)


def test_a_column_of_another_table() -> None:
    message = 'Binder Error: Table "T1" does not have a column named "course_id"\n'
    assert known_facts("SELECT T1.course_id FROM teacher AS T1", message, SCHEMA) == [
        "T1 is the table teacher; its columns: teacher_id, name",
        "the column course_id is in: course_arrange, course",
        "join on course_arrange.teacher_id = teacher.teacher_id",
    ]


def test_a_column_that_no_table_has() -> None:
    message = 'Binder Error: Referenced column "price" not found in FROM clause!'
    assert known_facts("SELECT price FROM teacher", message, SCHEMA) == ["no table has a column price"]


def test_a_table_that_does_not_exist() -> None:
    message = "Catalog Error: Table with name courses does not exist!"
    assert known_facts("SELECT 1 FROM courses", message, SCHEMA) == [
        "there is no table courses; there is: course_arrange, course"
    ]
