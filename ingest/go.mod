module ringstream/ingest

go 1.26

require ringstream/schemas v0.0.0

replace ringstream/schemas => ../schemas
