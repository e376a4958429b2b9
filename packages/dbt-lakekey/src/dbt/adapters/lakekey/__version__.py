"""The version, where dbt looks for it; the build reads it from here."""

version = "0.1.0"
