select id, place, celsius from {{ ref('readings') }} where celsius < 18
