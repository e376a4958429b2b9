"""A JDBC driver by the name of Databricks', which writes down what it was given instead of connecting."""

import subprocess
from pathlib import Path

_SOURCE = """
package com.databricks.client.jdbc;

import java.sql.*;
import java.util.*;
import java.util.logging.Logger;

public class Driver implements java.sql.Driver {
    static {
        try { DriverManager.registerDriver(new Driver()); } catch (SQLException e) { throw new RuntimeException(e); }
    }
    public boolean acceptsURL(String url) { return url.startsWith("jdbc:databricks:"); }
    public Connection connect(String url, Properties given) throws SQLException {
        if (!acceptsURL(url)) { return null; }
        // Spark redacts what a driver says, so it is written down.
        try (java.io.FileWriter record = new java.io.FileWriter(given.getProperty("recordTo"))) {
            record.write(url + "\\n");
            for (String name : given.stringPropertyNames()) { record.write(name + "=" + given.getProperty(name) + "\\n"); }
        } catch (java.io.IOException e) { throw new SQLException(e); }
        throw new SQLException("written down");
    }
    public int getMajorVersion() { return 1; }
    public int getMinorVersion() { return 0; }
    public Logger getParentLogger() { return Logger.getGlobal(); }
    public DriverPropertyInfo[] getPropertyInfo(String url, Properties given) { return new DriverPropertyInfo[0]; }
    public boolean jdbcCompliant() { return false; }
}
"""


def compiled_driver(directory: Path) -> Path:
    """Compiles the driver. Returns the directory of its classes."""
    source, classes = directory / "Driver.java", directory / "classes"
    source.write_text(_SOURCE)
    classes.mkdir()
    subprocess.run(["javac", "-d", str(classes), str(source)], check=True, timeout=60)
    return classes
