{{ config(materialized='incremental', unique_key='id') }}

SELECT id, body, ai_classify(body, ['praise', 'complaint'], model := '{{ var("model", "qianwen_chat") }}')::VARCHAR AS kind
FROM {{ ref('raw_review') }}
{% if is_incremental() %}
WHERE id NOT IN (SELECT id FROM {{ this }})
{% endif %}
