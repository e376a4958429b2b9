"""SQL on a warehouse: the profile names host and warehouse, and the person who runs this signs in once."""

import lakekey

with lakekey.sql.connect("prod") as connection, connection.cursor() as cursor:
    cursor.execute("select current_user() as me, 6 * 7 as answer")
    row = cursor.fetchone()
    print(f"{row.me} asked, and the answer is {row.answer}")
