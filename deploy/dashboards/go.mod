module ringstream/deploy/dashboards

go 1.26.0

require (
	go.yaml.in/yaml/v3 v3.0.6
	ringstream/schemas v0.0.0
)

replace ringstream/schemas => ../../schemas
