"""A notebook's worth of Spark on a Databricks cluster, signed in by lakekey. Run it cell by cell, or whole.

The profile is the first argument, or the default chain's. The session outlives any number of tokens.
"""

# %% Sign in and connect: the profile names the host and the cluster.
import sys

from pyspark.sql import functions as F

import lakekey

spark = lakekey.spark.session(sys.argv[1] if len(sys.argv) > 1 else None)

# %% SQL
print("one:", spark.sql("select 1 as one").first().one)

# %% A DataFrame, aggregated on the cluster
trips = spark.createDataFrame([("Oslo", 12.5), ("Turin", 7.0), ("Oslo", 3.5)], ["city", "price"])
spent = trips.groupBy("city").agg(F.sum("price").alias("spent")).orderBy("city")
print("spent:", {row.city: row.spent for row in spent.collect()})


# %% A Python function on the cluster
@F.udf("string")
def shout(city: str) -> str:
    """A city's name, loudly."""
    return city.upper()


print("loud:", [row[0] for row in trips.select(shout("city")).distinct().orderBy(shout("city")).collect()])

# %% Many rows, in pandas
frame = spark.range(100_000).toPandas()
print("rows:", len(frame))

# %% A second session of the same person: other views and settings, the same sign-in
other = spark.newSession()
print("again:", other.sql("select 2").first()[0])

# %%
other.stop()
spark.stop()
