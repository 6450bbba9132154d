module ringstream/deploy/e2e

go 1.26.0

require ringstream/schemas v0.0.0

replace ringstream/schemas => ../../schemas
