import asyncio

import pytest
from quackllm.udf.text2sql.pipeline import generate_sql
from quackllm.udf.text2sql.prompts.formats import FORMS
from quackllm.udf.text2sql.schema.resolve import ResolvedSchema
from quackllm.workers.database_schema import Column, Schema, Table
from quackllm.workers.errors import RequestError
from quackllm.workers.messages import Failure, Message, Request, Response, Usage
from quackllm.workers.options import Options

SCHEMA = ResolvedSchema(
    Schema("music", (Table("singer", (Column("name", "VARCHAR", values=("Ann",)), Column("age", "INTEGER"))),))
)
GOOD = "SELECT count(*) FROM singer"


class Model:
    """A model that gives these answers, one after the other, and keeps what it was asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    async def __call__(self, request):
        self.asked.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Failure):
            return Response("SELECT 1", error=answer, model="m", finish_reason="error")
        return Response(answer, model="m", usage=Usage(10, 2), seconds=0.5)


def run(model, question="How many singers?", schema=SCHEMA, form="chat", **options):
    return asyncio.run(generate_sql(question, schema, FORMS[form], model, **options))


def test_a_good_answer_is_taken_at_once():
    detail = run(Model(f"```sql\n{GOOD};\n```"))
    assert (detail.sql, detail.error, detail.attempts, detail.bound, detail.model) == (GOOD, None, 1, True, "m")
    assert detail.history == (Message("user", "How many singers?"), Message("assistant", GOOD))
    assert (detail.usage, detail.seconds) == (Usage(10, 2), 0.5)


def test_duckdbs_own_error_goes_back():
    model = Model("SELECT nam FROM singer", "SELECT name FROM singr", "SELECT FROM", "SELECT name FROM singer")
    detail = run(model)
    assert (detail.sql, detail.attempts, detail.usage) == ("SELECT name FROM singer", 4, Usage(40, 8))
    sent_back = [request.messages[-1].content for request in model.asked[1:]]
    assert 'Candidate bindings: "name"' in sent_back[0]
    assert 'Did you mean "singer"?' in sent_back[1]
    assert "syntax error" in sent_back[2]
    assert len(detail.history) == 2


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("SELECT nam FROM singer", "binder"),
        ("SELECT name FROM singr", "catalog"),
        ("SELECT FROM FROM", "parser"),
        ("SELECT getenv('HOME')", "guard"),
        ("SELECT * FROM 'x.csv'", "guard"),
        ("```sql\nDROP TABLE singer\n```", "guard"),
        ("I like singers.", "no_sql"),
    ],
)
def test_after_three_repairs_it_is_an_error(answer, code):
    model = Model(*[answer] * 9)
    detail = run(model)
    assert (detail.sql, detail.error.code, detail.attempts, detail.bound) == (None, code, 4, False)
    assert detail.history == ()
    assert answer.strip("`sql\n") in detail.error.message


def test_fewer_repairs_when_asked():
    assert run(Model("SELECT FROM"), max_repairs=0).attempts == 1


def test_the_builtin_model_is_asked_once():
    detail = run(Model("SELECT nam FROM singer"), form="builtin")
    assert (detail.attempts, detail.error.code) == (1, "binder")


def test_a_model_that_declines_is_not_asked_again():
    detail = run(Model("CANNOT ANSWER: there are no prices"))
    assert (detail.error, detail.attempts) == (Failure("declined", "there are no prices"), 1)


def test_a_services_failure_is_passed_through():
    failure = Failure("Throttling.RateQuota", "too fast", retryable=True)
    detail = run(Model("SELECT nam FROM singer", failure))
    assert (detail.sql, detail.error, detail.attempts) == (None, failure, 2)


def test_an_unbound_schema_is_guarded_and_not_bound():
    schema = ResolvedSchema(SCHEMA.schema, bindable=False)
    detail = run(Model("SELECT whatever FROM singer"), schema=schema)
    assert (detail.sql, detail.bound) == ("SELECT whatever FROM singer", False)
    detail = run(Model(*["SELECT * FROM frame"] * 4), schema=schema)
    assert detail.error.code == "guard"


def test_a_follow_up_has_the_earlier_turns_and_the_options():
    first = run(Model(GOOD))
    request = Request((*first.history, Message("user", "And called Ann?")), Options(temperature=0.7, draw=3))
    model = Model("SELECT 1, FROM FROM", "SELECT count(*) FROM singer WHERE name = 'Ann'")
    second = run(model, request, form="chat")
    assert all(asked.options == request.options for asked in model.asked)
    assert [message.role for message in model.asked[0].messages] == ["system", "user", "assistant", "user"]
    assert "singer.name = 'Ann'" in model.asked[0].messages[0].content
    assert [message.content for message in second.history] == [
        "How many singers?",
        GOOD,
        "And called Ann?",
        "SELECT count(*) FROM singer WHERE name = 'Ann'",
    ]


def test_after_a_failed_turn_the_history_is_the_last_good_one():
    first = run(Model(GOOD))
    second = run(Model(Failure("x", "y")), Request((*first.history, Message("user", "And?"))))
    assert second.history == first.history


def test_a_request_without_a_question():
    with pytest.raises(RequestError, match="not a question"):
        run(Model(), Request((Message("user", "a"), Message("assistant", "b"))))


def test_questions_run_side_by_side():
    async def all_of_them():
        models = [Model("SELECT nam FROM singer", GOOD) for _ in range(50)]
        return await asyncio.gather(*[generate_sql("How many?", SCHEMA, FORMS["chat"], model) for model in models])

    assert [detail.sql for detail in asyncio.run(all_of_them())] == [GOOD] * 50
