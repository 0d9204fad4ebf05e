-- An example of a batch job: what comes in is Parquet, what goes out is Parquet, on any path that DuckDB reads.
--
--     quackllm run nightly.sql --cluster auto
--
-- Submitted again after a failure it pays only for what was not answered yet.

COPY (
    SELECT id, text, llm_result(qianwen_chat('Answer yes or no. Is this a complaint? ' || text)) AS complaint
    FROM read_parquet('/data/mails/*.parquet')
) TO '/data/complaints.parquet' (FORMAT parquet);
