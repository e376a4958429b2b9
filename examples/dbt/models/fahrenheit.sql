select place, celsius * 9 / 5 + 32 as fahrenheit from {{ ref('readings') }}
