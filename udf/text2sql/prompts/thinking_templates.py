"""Prompts of open models that think before they write SQL, after its card or paper."""

from __future__ import annotations

# seeklhy/OmniSQL-7B, the prompt template of its model card (2025); SQLite, its only dialect there, became DuckDB.
OMNISQL = """\
Task Overview:
You are a data science expert. Below, you are provided with a database schema and a natural language question. Your \
task is to understand the schema and generate a valid SQL query to answer the question.

Database Engine:
DuckDB

Database Schema:
{schema}
This schema describes the database's structure, including tables, columns, primary keys, foreign keys, and any \
relevant relationships or constraints.

Question:
{question}

Instructions:
- Make sure you only output the information that is asked in the question. If the question asks for a specific \
column, make sure to only include that column in the SELECT clause, nothing more.
- The generated query should return all of the information asked in the question without any missing or extra \
information.
- Before generating the final SQL query, please think through the steps of how to write the query.

Output Format:
In your answer, please enclose the generated SQL query in a code block:
```
-- Your SQL query
```

Take a deep breath and think step by step to find the correct SQL query.
"""

# Snowflake/Arctic-Text2SQL-R1-7B (arXiv 2505.20315), with DuckDB as the engine; not yet compared with the paper's text.
ARCTIC = """\
You are a data science expert. Below, you are provided with a database schema and a natural language question. Your \
task is to understand the schema and generate a valid SQL query to answer the question.

Database Engine:
DuckDB

Database Schema:
{schema}
This schema describes the database's structure, including tables, columns, primary keys, foreign keys, and any \
relevant relationships or constraints.

Question:
{question}

Instructions:
- Make sure you only output the information that is asked in the question. If the question asks for a specific \
column, make sure to only include that column in the SELECT clause, nothing more.
- The generated query should return all of the information asked in the question without any missing or extra \
information.
- Before generating the final SQL query, please think through the steps of how to write the query. It should include \
detailed considerations such as analyzing questions, summarizing relevant findings, brainstorming new ideas, \
verifying the accuracy of the current steps, refining any errors, thinking of how to call SQL tools, and revisiting \
previous steps.

Output Format:
Please provide a detailed chain-of-thought reasoning process and include your thought process within `<think>` tags. \
Your final answer should be enclosed within `<answer>` tags.

Ensure that your SQL query follows the correct syntax and is formatted as follows:
```sql
-- Your SQL query here
```

Example format:
<think> Step-by-step reasoning, including self-reflection and corrections if necessary. [Limited by 4K tokens] </think>
<answer> Summary of the thought process leading to the final SQL query. [Limited by 1K tokens]

```sql
Correct SQL query here
```
</answer>
"""
