SELECT kind, count(*) AS reviews FROM {{ ref('review') }} GROUP BY kind
