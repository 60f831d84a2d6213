"""Units of synthesis work: kept in the database, claimed by workers, done once."""
